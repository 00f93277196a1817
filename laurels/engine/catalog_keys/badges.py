"""The keys of a [[badges]] table."""

from __future__ import annotations

from laurels.engine.badges import HOLDERS, KEEP, Locked
from laurels.engine.catalog_keys.key_types import CONDITION, Boolean, ByKey, Day, Inner, Integer, Key, KeyTable, Text
from laurels.engine.catalog_keys.shared import past, unlocks, was

BADGE = KeyTable(
    "badge",
    "[[badges]]",
    "A badge that users earn once.",
    (
        Key("id", Text(), "The id in answers, addresses and commands.", '"bookworm"'),
        Key("name", Text(words=True), "The name that users read.", '"Bookworm"'),
        Key("description", Text(lines=True, words=True), "What users read about it.", '"Finish 10 books"'),
        Key("icon", Text(), "An emoji or another text that stands for it.", '"📚"'),
        Key("category", Text(names="category"), "The category in which it is listed.", '"achievement"'),
        Key("points", Integer(), "How many points it pays, once.", "250"),
        Key(
            "also_pays",
            ByKey(Integer(1)),
            "How many points of other kinds it pays its holders, by kind. They always have what it pays now.",
            "{ coins = 50 }",
            default=None,
            without="none",
        ),
        Key("condition", Text(words=True), "What it requires, in words that users read.", '"10 books"'),
        Key("when", Inner(CONDITION), "What it requires: a condition.", '{ metric = "books", at_least = 10 }'),
        was("badge"),
        unlocks("The names of what it unlocks in the app."),
        Key(
            "family",
            Text(),
            "The family of which it is a tier; the same in all its tiers.",
            '"reader"',
            default=None,
            without="none",
            needs="tier = 1",
        ),
        Key(
            "tier",
            Integer(1),
            "Its number in its family: 1, 2, 3 and so on, each harder than the one before.",
            "1",
            default=None,
            without="none",
            needs='family = "reader"',
        ),
        Key(
            "retired",
            Boolean(),
            "It is not awarded any more; users who have it keep it, and only they see it.",
            "true",
            default=False,
        ),
        Key(
            "holders",
            Text(HOLDERS),
            "What users who have it do when its condition does not hold any more: keep it, or lose it with its points.",
            '"lose"',
            default=KEEP,
        ),
        Key(
            "supply",
            Integer(least=1),
            "How many users may have it at once, in the order in which their events are recorded.",
            "100",
            default=None,
            without="no limit",
        ),
        Key(
            "valid_for",
            Text(pattern="[0-9]{1,5} days?"),
            "For how many days it is valid, at most 36,525: after it was earned, or after its newest renewal.",
            '"365 days"',
            default=None,
            without="it stays valid",
        ),
        Key(
            "renewed_by",
            Text(names="metric"),
            "The metric, of kind 'last', whose newest event renews it.",
            '"newest_book"',
            default=None,
            without="nothing renews it",
            needs='valid_for = "365 days"',
        ),
        past(
            "What a change of its points means for users who have it: they keep what it paid, or have what it pays now."
        ),
        Key(
            "secret",
            Boolean(),
            "Users who do not have it see the texts of `locked` and nothing else.",
            "true",
            default=False,
        ),
        Key(
            "locked",
            Inner("locked"),
            "What users read of a secret badge that they do not have.",
            '{ name = "???", description = "A secret badge", icon = "🔒" }',
            default=None,
            without="these texts",
            needs="secret = true",
        ),
        Key(
            "repeatable",
            Boolean(),
            "Users have it again each time they reach the number of its condition once more; it pays no points.",
            "true",
            default=False,
            needs="points = 0",
        ),
        Key(
            "available",
            Inner("available"),
            "The days whose events count for it; all of them also if they arrive later.",
            "{ from = 2026-12-01, until = 2027-01-01 }",
            default=None,
            without="all days",
        ),
    ),
)

AVAILABLE = KeyTable(
    "available",
    "available",
    "The days whose events count for a badge, by the user's calendar. At least one of both keys.",
    (
        Key("from", Day(), "The first day.", "2026-12-01", default=None, without="all days before"),
        Key(
            "until",
            Day(),
            "The first day that does not count any more.",
            "2027-01-01",
            default=None,
            without="all days after",
        ),
    ),
)

LOCKED = KeyTable(
    "locked",
    "locked",
    "What users read of a secret badge that they do not have.",
    (
        Key("name", Text(words=True), "Its name.", '"???"', default=Locked().name),
        Key(
            "description",
            Text(lines=True, words=True),
            "What it says instead of the description.",
            '"?"',
            default=Locked().description,
        ),
        Key("icon", Text(), "An emoji or another text that stands for it.", '"🔒"', default=Locked().icon),
    ),
)

CATEGORY = KeyTable(
    "category",
    "[categories.NAME]",
    "A category of badges.",
    (
        Key("name", Text(words=True), "The name that users read.", '"Events"'),
        Key("order", Integer(1), "Its place among the categories.", "5", default=None, without="its own, or the last"),
    ),
)
