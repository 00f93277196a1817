"""Every text of our own pages in each supported language, and the choice of a visitor's language."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.http.languages import accepted_languages
from laurels.http.requests import header, values_of
from laurels.http.responses import Scope

ENGLISH = "en"
THOUSANDS: Mapping[str, str] = {ENGLISH: ",", "de": "."}
"""The thousands separator."""

TEXTS: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        "language": "English",
        "skip": "Skip to content",
        "navigation": "Main",
        "playground": "Playground",
        "profile": "Profile",
        "leaderboards": "Leaderboards",
        "badges": "Badges",
        "profile_title": "Your profile",
        "profile_about": "Your level, badges and streak.",
        "boards_title": "Leaderboards",
        "boards_about": "See who's leading and where you rank.",
        "board_about": "See who's leading and where you rank.",
        "all_boards": "All leaderboards",
        "no_boards": "No leaderboards yet.",
        "needs_script": "This page shows your own data and needs JavaScript.",
        "missing_title": "Page not found",
        "missing_about": "The link may be wrong, or the page may be gone.",
        "to_profile": "Go to your profile",
        "away_title": "Something went wrong",
        "away_about": "The problem is on our end. Please try again in a moment.",
        "again": "Try again",
        "made_with": "Powered by Laurels",
        "period_all": "All time",
        "period_year": "Yearly",
        "period_month": "Monthly",
        "period_week": "Weekly",
        "period_day": "Daily",
        "period_season": "Seasonal",
        "badges_title": "Badges",
        "badges_about": "All the badges you can earn here.",
        "no_badges": "No badges yet.",
        "all_badges": "All badges",
        "badge_condition": "How to earn it",
        "badge_reward": "Reward",
        "badge_category": "Category",
        "badge_rarity": "Rarity",
        "points_one": "1 point",
        "points_many": "{points} points",
        "category_onboarding": "First steps",
        "category_usage": "Usage",
        "category_social": "Community",
        "category_achievement": "Achievements",
        "rarity_common": "Common",
        "rarity_uncommon": "Uncommon",
        "rarity_rare": "Rare",
        "rarity_very_rare": "Very rare",
        "rarity_share": "Earned by {percent}% of {users} users",
        "rarity_below": "Earned by fewer than 1% of {users} users",
        "rarity_above": "Earned by more than 99% of {users} users",
        "rarity_all": "Earned by all {users} users",
        "rarity_none": "Not yet earned by any of {users} users",
    },
    "de": {
        "language": "Deutsch",
        "skip": "Zum Inhalt",
        "navigation": "Hauptmenü",
        "playground": "Spielwiese",
        "profile": "Profil",
        "leaderboards": "Ranglisten",
        "badges": "Abzeichen",
        "profile_title": "Dein Profil",
        "profile_about": "Dein Level, deine Abzeichen und deine Serie.",
        "boards_title": "Ranglisten",
        "boards_about": "Sieh, wer vorn liegt und wo du stehst.",
        "board_about": "Sieh, wer vorn liegt und wo du stehst.",
        "all_boards": "Alle Ranglisten",
        "no_boards": "Noch keine Ranglisten.",
        "needs_script": "Diese Seite zeigt deine eigenen Daten und braucht JavaScript.",
        "missing_title": "Seite nicht gefunden",
        "missing_about": "Vielleicht stimmt der Link nicht, oder die Seite gibt es nicht mehr.",
        "to_profile": "Zu deinem Profil",
        "away_title": "Etwas ist schiefgelaufen",
        "away_about": "Bei uns klemmt etwas. Bitte versuche es gleich noch einmal.",
        "again": "Erneut versuchen",
        "made_with": "Powered by Laurels",
        "period_all": "Alle Zeiten",
        "period_year": "Jährlich",
        "period_month": "Monatlich",
        "period_week": "Wöchentlich",
        "period_day": "Täglich",
        "period_season": "Nach Saison",
        "badges_title": "Abzeichen",
        "badges_about": "Alle Abzeichen, die du hier verdienen kannst.",
        "no_badges": "Noch keine Abzeichen.",
        "all_badges": "Alle Abzeichen",
        "badge_condition": "So bekommst du es",
        "badge_reward": "Belohnung",
        "badge_category": "Kategorie",
        "badge_rarity": "Seltenheit",
        "points_one": "1 Punkt",
        "points_many": "{points} Punkte",
        "category_onboarding": "Erste Schritte",
        "category_usage": "Nutzung",
        "category_social": "Community",
        "category_achievement": "Erfolge",
        "rarity_common": "Verbreitet",
        "rarity_uncommon": "Nicht alltäglich",
        "rarity_rare": "Selten",
        "rarity_very_rare": "Sehr selten",
        "rarity_share": "{percent}\u00a0% von {users} Leuten haben es",
        "rarity_below": "Weniger als 1\u00a0% von {users} Leuten haben es",
        "rarity_above": "Mehr als 99\u00a0% von {users} Leuten haben es",
        "rarity_all": "Alle {users} Leute haben es",
        "rarity_none": "Von {users} Leuten hat es noch niemand",
    },
}


def grouped(number: int, language: str) -> str:
    """A number with thousands separators: 1,000 or 1.000."""
    return f"{number:,}".replace(",", THOUSANDS[language])


def asked_language(scope: Scope) -> str | None:
    """The language that `?lang=` asks for, if it is supported."""
    values = values_of(scope["query_string"], "lang")
    return values[-1] if values and values[-1] in TEXTS else None


def language_of(scope: Scope) -> str:
    """The language of a page: `?lang=`, else the one the browser prefers, else English."""
    lang = asked_language(scope)
    if lang:
        return lang
    accepted = accepted_languages(header(scope, b"accept-language") or "")
    languages = (tag.lower().partition("-")[0] for tag in accepted)
    return next((language for language in languages if language in TEXTS), ENGLISH)
