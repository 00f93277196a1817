"""Keys that several tables have."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import (
    Boolean,
    ByKey,
    Day,
    Inner,
    Integer,
    Key,
    KeyTable,
    OneOf,
    Several,
    Text,
    Texts,
    Value,
    ValueList,
)
from laurels.engine.numbers import SCALES
from laurels.engine.policies import KEEP, PAST


def events(meaning: str, example: str) -> Key:
    """The types of events that something counts."""
    return Key("events", Texts(), meaning, example)


WHERE = Key(
    "where",
    ByKey(OneOf((Value(), ValueList(), Inner("where_test")))),
    "Only events with this data count: a value, any of a list, or a test. 1 also matches 1.0, but not true.",
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


SCALE = Integer(1, SCALES[-1])
_ONE_OR_MORE = OneOf((Value(), ValueList()))

WHERE_TEST = KeyTable(
    "where_test",
    "a test in `where`",
    "A test of a value in the data of events. A range does not go with `exists` and `not`.",
    (
        Key("at_least", Integer(), "The smallest number that counts.", "10", default=None, without="no bound"),
        Key("at_most", Integer(), "The largest number that counts.", "60", default=None, without="no bound"),
        Key(
            "scale",
            SCALE,
            "How many units of the bounds make one, a power of ten: 100 for two decimals.",
            "100",
            default=None,
            without="1",
            needs="at_least = 1050",
        ),
        Key("exists", Boolean(), "Whether there must be a value.", "true", default=None, without="either"),
        Key(
            "not",
            _ONE_OR_MORE,
            "A value that does not count, or a list of them.",
            '"free"',
            default=None,
            without="none",
        ),
    ),
    example="{ size = { at_least = 10 } }",
)


def unlocks(meaning: str) -> Key:
    """What something unlocks in the app."""
    return Key("unlocks", Texts(), meaning, '["dark_mode"]', default=None, without="nothing")
