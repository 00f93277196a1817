"""Keys that several tables have."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import Day, Integer, Key, KeyTable, OneOf, Several, Text, Texts, Values
from laurels.engine.policies import KEEP, PAST


def events(meaning: str, example: str) -> Key:
    """The types of events that something counts."""
    return Key("events", Texts(), meaning, example)


WHERE = Key(
    "where",
    Values(),
    "Only events with this data count. 1 also matches 1.0, but not true.",
    '{ language = "en" }',
    default={},
)


def was(kind: str) -> Key:
    """The earlier ids of something that was renamed."""
    meaning = f"The earlier id of the {kind}, or a list of them, so that what is stored under it goes on."
    return Key("was", OneOf((Text(), Texts())), meaning, '"earlier_id"', default=None, without="none")


def past(meaning: str) -> Key:
    """What a change of pay means for what was paid before."""
    return Key("past", Text(PAST), meaning, '"recompute"', default=KEEP)


DATED = OneOf((Integer(1), Several("dated_value", 1)))
"""A number, or a list of numbers that each count from a day on."""

DATED_VALUE = KeyTable(
    "dated_value",
    "{ from = ..., is = ... }",
    "A value that counts from a day on.",
    (
        Key(
            "from",
            Day(),
            "The first day on which it counts, by the user's dates; the first entry needs none.",
            "2026-06-01",
            default=None,
            without="all days before the next entry's",
        ),
        Key("is", Integer(1), "The value.", "10"),
    ),
)
