"""Every text of our own pages, in each language that we speak, and which of them a visitor reads."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.http.requests import header, values_of
from laurels.http.responses import Scope

ENGLISH = "en"
MOST_RANGES = 20
"""How many languages of a browser are looked at."""

THOUSANDS: Mapping[str, str] = {ENGLISH: ",", "de": "."}
"""What stands between the thousands of a number."""

TEXTS: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        "language": "English",
        "skip": "Skip to the content",
        "navigation": "Pages",
        "playground": "Playground",
        "profile": "Profile",
        "leaderboards": "Leaderboards",
        "badges": "Badges",
        "profile_title": "Your profile",
        "profile_about": "Your level, your badges, and the days in a row that you were here.",
        "boards_title": "Leaderboards",
        "boards_about": "Who stands where, and where you stand.",
        "board_about": "Who stands where on this board, and where you stand.",
        "all_boards": "All leaderboards",
        "no_boards": "There is no leaderboard yet.",
        "needs_script": "This page shows what belongs to you alone, and needs JavaScript for it.",
        "missing_title": "There is nothing here",
        "missing_about": "The address may be mistyped, or what was here is no longer kept.",
        "to_profile": "Go to your profile",
        "away_title": "This page cannot be shown right now",
        "away_about": "Something is in the way on our side. Please try again in a moment.",
        "again": "Try again",
        "made_with": "Kept by Laurels",
        "period_all": "of all time",
        "period_year": "by year",
        "period_month": "by month",
        "period_week": "by week",
        "period_day": "by day",
        "period_season": "by season",
        "badges_title": "Badges",
        "badges_about": "Everything that can be earned here.",
        "no_badges": "There is no badge yet.",
        "all_badges": "All badges",
        "badge_condition": "How to earn it",
        "badge_reward": "What it is worth",
        "badge_category": "Category",
        "badge_rarity": "How rare it is",
        "points_one": "1 point",
        "points_many": "{points} points",
        "category_onboarding": "First steps",
        "category_usage": "Use",
        "category_social": "Together",
        "category_achievement": "Achievements",
        "rarity_common": "Common",
        "rarity_uncommon": "Uncommon",
        "rarity_rare": "Rare",
        "rarity_very_rare": "Very rare",
        "rarity_share": "Held by {percent}% of {users} users",
        "rarity_below": "Held by fewer than 1% of {users} users",
        "rarity_above": "Held by more than 99% of {users} users",
        "rarity_everybody": "Held by all {users} users",
        "rarity_nobody": "Held by none of {users} users yet",
    },
    "de": {
        "language": "Deutsch",
        "skip": "Zum Inhalt",
        "navigation": "Seiten",
        "playground": "Spielwiese",
        "profile": "Profil",
        "leaderboards": "Ranglisten",
        "badges": "Abzeichen",
        "profile_title": "Dein Profil",
        "profile_about": "Dein Level, deine Abzeichen und die Tage in Folge, an denen du hier warst.",
        "boards_title": "Ranglisten",
        "boards_about": "Wer wo steht, und wo du stehst.",
        "board_about": "Wer auf dieser Rangliste wo steht, und wo du stehst.",
        "all_boards": "Alle Ranglisten",
        "no_boards": "Es gibt noch keine Rangliste.",
        "needs_script": "Diese Seite zeigt, was nur dir gehört, und braucht dafür JavaScript.",
        "missing_title": "Hier ist nichts",
        "missing_about": "Vielleicht ist die Adresse vertippt, oder was hier war, gibt es nicht mehr.",
        "to_profile": "Zu deinem Profil",
        "away_title": "Diese Seite lässt sich gerade nicht zeigen",
        "away_about": "Bei uns klemmt etwas. Bitte versuche es gleich noch einmal.",
        "again": "Noch einmal versuchen",
        "made_with": "Geführt von Laurels",
        "period_all": "aller Zeiten",
        "period_year": "nach Jahr",
        "period_month": "nach Monat",
        "period_week": "nach Woche",
        "period_day": "nach Tag",
        "period_season": "nach Saison",
        "badges_title": "Abzeichen",
        "badges_about": "Alles, was man hier bekommen kann.",
        "no_badges": "Es gibt noch kein Abzeichen.",
        "all_badges": "Alle Abzeichen",
        "badge_condition": "So bekommst du es",
        "badge_reward": "Was es wert ist",
        "badge_category": "Kategorie",
        "badge_rarity": "Wie selten es ist",
        "points_one": "1 Punkt",
        "points_many": "{points} Punkte",
        "category_onboarding": "Erste Schritte",
        "category_usage": "Nutzung",
        "category_social": "Gemeinsam",
        "category_achievement": "Erfolge",
        "rarity_common": "Verbreitet",
        "rarity_uncommon": "Nicht alltäglich",
        "rarity_rare": "Selten",
        "rarity_very_rare": "Sehr selten",
        "rarity_share": "{percent}\u00a0% von {users} Leuten haben es",
        "rarity_below": "Weniger als 1\u00a0% von {users} Leuten haben es",
        "rarity_above": "Mehr als 99\u00a0% von {users} Leuten haben es",
        "rarity_everybody": "Alle {users} Leute haben es",
        "rarity_nobody": "Von {users} Leuten hat es noch niemand",
    },
}


def grouped(number: int, language: str) -> str:
    """A number as the language writes it: 1,000 or 1.000."""
    return f"{number:,}".replace(",", THOUSANDS[language])


def asked_language(scope: Scope) -> str | None:
    """The language that the address asks for with `?lang=`, if we speak it."""
    said = values_of(scope["query_string"], "lang")
    return said[-1] if said and said[-1] in TEXTS else None


def language_of(scope: Scope) -> str:
    """The language of a page: as the address asks, else as the browser likes best, else English."""
    asked = asked_language(scope)
    if asked:
        return asked
    liked = [_liked(said) for said in (header(scope, b"accept-language") or "").split(",")[:MOST_RANGES]]
    spoken = [(weight, language) for weight, language in liked if language in TEXTS and weight > 0]
    return max(spoken, key=lambda pair: pair[0])[1] if spoken else ENGLISH


def _liked(said: str) -> tuple[float, str]:
    """How much a browser likes a language, from one part of Accept-Language: (0.7, 'de') from 'de-AT;q=0.7'."""
    tag, _, parameter = said.partition(";")
    try:
        weight = float(parameter.partition("=")[2]) if parameter.strip() else 1.0
    except ValueError:
        weight = 0.0
    return weight, tag.strip().lower().partition("-")[0]
