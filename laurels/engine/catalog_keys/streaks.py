"""The keys of a [streaks.NAME] table and of its freezes."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import Boolean, Inner, Integer, Key, KeyTable, Text, Texts
from laurels.engine.catalog_keys.shared import DATED, WHERE, events, was
from laurels.engine.units import SHORTEST, UNITS, WEEKDAYS

STREAK = KeyTable(
    "streak",
    "[streaks.NAME]",
    "A run of consecutive days or weeks with enough events.",
    (
        events("The types of events that count.", '["minute.practised"]'),
        WHERE,
        Key(
            "amount",
            DATED,
            "The quantity that a day (or week) needs. A list has another one from a day on.",
            "[{ from = 2026-06-01, is = 10 }]",
            default=1,
        ),
        Key(
            "cadence",
            Text(tuple(UNITS)),
            "Whether each day, each week or each month needs an event.",
            '"weekly"',
            default="daily",
        ),
        Key(
            "days",
            Integer(2, max(SHORTEST.values())),
            "How many different days of a week or month need an event.",
            "3",
            default=None,
            without="1",
            needs='cadence = "weekly"',
        ),
        Key(
            "week_starts",
            Text(WEEKDAYS),
            "The first day of a week.",
            '"sun"',
            default="mon",
            needs='cadence = "weekly"',
        ),
        Key(
            "title",
            Text(words=True),
            "The name that users read.",
            '"Daily practice"',
            default=None,
            without="its name, in words",
        ),
        Key(
            "day_starts",
            Text(pattern="([01][0-9]|2[0-3]):([0-5][0-9])"),
            "When its days start, by the user's clock: with 04:00, what a user does at 01:30 counts for the date before.",
            '"04:00"',
            default="00:00",
        ),
        Key(
            "rest_days",
            Texts(WEEKDAYS),
            "Weekdays that are not required; for daily streaks only.",
            '["sat", "sun"]',
            default=None,
            without="none",
        ),
        Key(
            "freezes",
            Inner("freezes"),
            "Freezes, each of which covers one missed day (or week).",
            "{ initial = 1, per_days = 7, most = 3 }",
            default=None,
            without="none",
        ),
        Key(
            "late_days",
            Integer(),
            "Events recorded more than this many days late do not count.",
            "7",
            default=None,
            without="no limit",
        ),
        Key(
            "pause_days",
            Integer(),
            "How many different days within any 365 users may pause themselves; admins have no limit.",
            "14",
            default=0,
        ),
        Key(
            "repair_days",
            Integer(),
            "How many days after a gap users may repair it themselves; admins have no limit.",
            "3",
            default=0,
        ),
        was("streak"),
        Key(
            "retired", Boolean(), "It credits no more days, and only users who have some see it.", "true", default=False
        ),
    ),
)

FREEZES = KeyTable(
    "freezes",
    "freezes = { ... } in [streaks.NAME]",
    "How many freezes users have and earn.",
    (
        Key("initial", Integer(), "How many a user starts with.", "1", default=0, needs="most = 3"),
        Key(
            "per_days",
            Integer(),
            "One is earned for every this many days (or weeks) of a run; 0: none are earned.",
            "7",
            default=0,
        ),
        Key("most", Integer(), "How many a user may have at a time.", "3", default=None, without="`initial`"),
    ),
)
