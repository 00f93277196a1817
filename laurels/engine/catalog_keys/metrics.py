"""The keys of a [metrics.NAME] table."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import Boolean, Integer, Key, KeyTable, Text, Texts
from laurels.engine.catalog_keys.shared import SCALE, WHERE, events
from laurels.engine.metrics import KINDS, MISSING, QUANTITY

METRIC = KeyTable(
    "metric",
    "[metrics.NAME]",
    "A number per user that events change.",
    (
        Key(
            "kind",
            Text(KINDS),
            "How events change the number: how many (count), the sum, the largest (max), the smallest (min), the last, "
            "how many different values (distinct), or on how many days one occurred (distinct_days).",
            '"count"',
        ),
        events("The types of events that it counts.", '["book.finished"]'),
        Key(
            "of",
            Text(),
            "The key of the event's data that has the number, or with kind 'distinct' the value.",
            '"pages"',
            default=QUANTITY,
            without="the event's quantity",
            needs='kind = "sum"',
        ),
        WHERE,
        Key("one", Text(words=True), "The word for one of it.", '"book"', default=None, without="its name"),
        Key("many", Text(words=True), "The word for several of it.", '"books"', default=None, without="its name"),
        Key(
            "not_self",
            Boolean(),
            "The values are ids of users; the user's own never counts, and keyed hashes are stored instead of ids.",
            "true",
            default=False,
            needs='kind = "distinct"\nof = "friend"',
        ),
        Key(
            "missing",
            Text(MISSING),
            "What an event without a value counts for: nothing, or as many different values as its quantity says.",
            '"quantity"',
            default=MISSING[0],
            needs='kind = "distinct"\nof = "friend"',
        ),
        Key(
            "scale",
            SCALE,
            "How many units make one, a power of ten: with 100, a number in the data may have two decimals.",
            "100",
            default=None,
            without="1",
            needs='kind = "sum"\nof = "price"',
        ),
        Key("cap_per_day", Integer(1), "The most that counts on one day.", "10", default=None, without="no limit"),
        Key(
            "within",
            Text(pattern="[1-9][0-9]{0,2} days?"),
            "The number is the best one within any window of this many days, up to 366.",
            '"7 days"',
            default=None,
            without="all time",
        ),
        Key(
            "once_per",
            Text(pattern="([1-9][0-9]{0,3} )?(minute|hour|day)s?"),
            "One event counts in each interval of the clock, which must divide a day.",
            '"10 minutes"',
            default=None,
            without="all events",
        ),
        Key(
            "per",
            Texts(),
            "Keys of the data: one event counts in each interval for each of their values.",
            '["channel"]',
            default=None,
            without="the user",
            needs='once_per = "day"',
        ),
    ),
)
