"""The keys of conditions, one table for each kind. The key that has the name of the table decides which kind one is."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import CONDITION, Instant, Integer, Key, KeyTable, Several, Text


def _condition(name: str, meaning: str, *keys: Key) -> KeyTable:
    example = ", ".join(f"{key.name} = {key.example}" for key in keys if key.required)
    return KeyTable(name, f"{{ {example} }}", meaning, keys)


_METRIC = Key("metric", Text(names="metric"), "The name of a metric.", '"books"')
_SOME = '[{ metric = "books", at_least = 10 }, { streak = "login", streak_of = 7 }]'

_IN_ORDER = '[{ metric = "books", at_least = 10 }, { metric = "books", at_least = 1 }]'
_JOINED = "[{ joined_before = 2026-01-01T00:00:00Z }]"

CONDITIONS = {
    table.name: table
    for table in (
        _condition(
            "at_least",
            "The metric has reached a number. Not for metrics of kind 'min' and 'last'.",
            _METRIC,
            Key("at_least", Integer(1), "The number that the metric must reach.", "10"),
        ),
        _condition(
            "at_most",
            "A metric of kind 'min' has come down to a number.",
            Key("metric", Text(names="metric"), "The name of a metric of kind 'min'.", '"best_time"'),
            Key("at_most", Integer(), "The number that the metric must come down to.", "60"),
        ),
        _condition(
            "streak_of",
            "The streak was once that many days (or weeks) long.",
            Key("streak", Text(names="streak"), "The name of a streak.", '"login"'),
            Key("streak_of", Integer(1), "How long the streak must once have been.", "7"),
        ),
        _condition(
            "joined_before",
            "The user joined before that time.",
            Key("joined_before", Instant(), "The time before which the user joined.", "2026-01-01T00:00:00Z"),
        ),
        _condition(
            "has_badge",
            "Another badge was earned.",
            Key("has_badge", Text(names="badge"), "The id of another badge.", '"first_book"'),
        ),
        _condition(
            "points_of",
            "That many points were earned, whether or not they were spent.",
            Key("points_of", Integer(1), "How many points must be earned.", "1000"),
            Key(
                "kind",
                Text(names="kind"),
                "The kind of points that must be earned.",
                '"coins"',
                default=None,
                without="the points that make levels",
            ),
        ),
        _condition(
            "all_of",
            "All of these conditions are met.",
            Key("all_of", Several(CONDITION, least=1), "The conditions.", _SOME),
        ),
        _condition(
            "any_of",
            "At least one of these conditions is met.",
            Key("any_of", Several(CONDITION, least=1), "The conditions.", _SOME),
        ),
        _condition(
            "member_for",
            "The user joined that many days ago, by joinedAt.",
            Key(
                "member_for",
                Text(pattern="[0-9]{1,5} days?"),
                "How many days of 24 hours ago the user joined.",
                '"30 days"',
            ),
        ),
        _condition(
            "none_of",
            "It is known when the user joined, and none of these conditions is met.",
            Key("none_of", Several(CONDITION, least=1), "Conditions of kind joined_before only.", _JOINED),
        ),
        _condition(
            "in_order",
            "These conditions are met one after the other: each counts only events after the one that met the condition before.",
            Key("in_order", Several(CONDITION, least=2), "The conditions, about metrics only.", _IN_ORDER),
        ),
    )
}
"""The declaration of each kind of condition, by the key that decides that it is one."""
