"""The keys of a [[boosts]] table."""

from __future__ import annotations

from laurels.engine.boosts import DOWN, MOST, ROUNDINGS
from laurels.engine.catalog_keys.key_types import Day, Instant, Key, KeyTable, OneOf, Text, Texts
from laurels.engine.catalog_keys.shared import WHERE

_EDGE = OneOf((Day(), Instant()))

BOOST = KeyTable(
    "boost",
    "[[boosts]]",
    "A time in which point rules pay a factor more.",
    (
        Key("id", Text(), "Its id, which the ledger names.", '"launch"'),
        Key("name", Text(), "The name that users read.", '"Launch weekend"', default=None, without="its id, in words"),
        Key(
            "rules",
            Texts(),
            "The ids of the point rules whose pay it multiplies.",
            '["pages"]',
            default=None,
            without="all point rules",
        ),
        WHERE,
        Key(
            "factor",
            Text(pattern=r"\d{1,3}(\.\d{1,3})?|\d{1,4}/\d{1,4}"),
            f"By how much it multiplies, in quotes: a decimal number or a fraction, more than 1 and at most {MOST}.",
            '"1.5"',
        ),
        Key("from", _EDGE, "The first day on which it counts, by the user's dates; or a time.", "2026-06-05"),
        Key(
            "until",
            _EDGE,
            "The first day on which it does not count any more; or a time, if 'from' is one.",
            "2026-06-08",
        ),
        Key(
            "round",
            Text(ROUNDINGS),
            "How a part of a point is rounded, once for each event, before caps; 'nearest' rounds a half up.",
            '"nearest"',
            default=DOWN,
        ),
    ),
)
