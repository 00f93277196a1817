"""The keys of a [[points]] table and of a [[levels]] table."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import Integer, Key, KeyTable, Text
from laurels.engine.catalog_keys.shared import DATED, WHERE, events, past

POINT_RULE = KeyTable(
    "point_rule",
    "[[points]]",
    "A rule that pays points for events.",
    (
        Key("id", Text(), "The id of the rule, which the ledger names.", '"pages"'),
        events("The types of events that it pays for.", '["page.read"]'),
        WHERE,
        Key("amount", DATED, "How many points it pays. A list has another number from a day on.", "2"),
        Key(
            "per",
            Text(("event", "quantity")),
            "Whether it pays once per event, or for each unit of its quantity.",
            '"quantity"',
            default="event",
        ),
        Key(
            "cap_per_day",
            DATED,
            "The most that it pays a user on one day. A list has another number from a day on.",
            "50",
            default=None,
            without="no limit",
        ),
        past("What a change of the rule means for earlier events: what was paid stays, or the ledger compensates."),
    ),
)

LEVEL = KeyTable(
    "level",
    "[[levels]]",
    "A level that follows from the points.",
    (
        Key("title", Text(), "Its name.", '"Reader"'),
        Key("points", Integer(), "The points at which it begins: 0 for the first, more for each next one.", "0"),
    ),
)
