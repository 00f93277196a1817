"""The keys of a [[leaderboards]] table and of its seasons."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import Boolean, ByKey, Day, Integer, Key, KeyTable, Several, Text, Texts
from laurels.engine.catalog_keys.shared import was
from laurels.engine.leaderboards import (
    LATE_HOURS,
    MAX_LATE_HOURS,
    MAX_NOTIFIED,
    ORDERS,
    SOURCES,
    TEAM_SCORES,
    TIES,
    VISIBILITIES,
    WEEKDAYS,
)
from laurels.engine.periods import KINDS

_SEASONS = '[{ name = "Spring 2026", first = 2026-03-01, last = 2026-05-31 }]'

_COUNTED = (
    Key("id", Text(), "The id in addresses and commands.", '"weekly"'),
    Key("name", Text(words=True), "The name that users read.", '"Weekly"', default=None, without="the id"),
    Key(
        "by",
        Text(SOURCES),
        "What the score is: points, a metric, or the longest run of a streak.",
        '"metric"',
        default="points",
        needs='of = "books"',
    ),
    Key(
        "of",
        Text(),
        "The name of the metric or the streak.",
        '"books"',
        default=None,
        without="with `by`, required",
        needs='by = "metric"',
    ),
    Key(
        "weights",
        ByKey(Integer(1)),
        "Several metrics that are added instead of one, with what each is multiplied by.",
        "{ books = 10, pages = 1 }",
        default=None,
        without="one metric",
        needs='by = "metric"',
    ),
    Key("period", Text(KINDS), "Within which periods it counts.", '"week"', default="all"),
    Key("week_starts", Text(WEEKDAYS), "The first day of a week.", '"sun"', default="mon", needs='period = "week"'),
    Key(
        "seasons",
        Several("season", least=1),
        "The seasons; there may be gaps between them.",
        _SEASONS,
        default=None,
        without='required with `period = "season"`',
        needs='period = "season"',
    ),
    Key("zone", Text(), "The time zone in which days begin, the same for all users.", '"Europe/Berlin"', default="UTC"),
    Key("order", Text(ORDERS), "Whether the highest score is best, or the lowest.", '"lowest"', default="highest"),
    Key(
        "ties",
        Text(TIES),
        "The rank of equal scores: first (1 2 3 4), shared (1 2 2 4) or dense (1 2 2 3).",
        '"shared"',
        default="first",
    ),
)

_SHOWN = (
    Key(
        "groups",
        Texts(),
        "Only users in any of these groups take part.",
        '["players"]',
        default=None,
        without="all users",
    ),
    Key(
        "except_groups",
        Texts(),
        "Users in any of these groups do not take part.",
        '["staff"]',
        default=None,
        without="none",
    ),
    Key(
        "within",
        Text(),
        "Users are ranked among those in the same group that begins with this text and a ':'.",
        '"country"',
        default=None,
        without="all together",
    ),
    Key(
        "readers",
        Texts(),
        "Only users in any of these groups may read it.",
        '["players", "coaches"]',
        default=None,
        without="all users",
    ),
    Key(
        "late_hours",
        Integer(0, MAX_LATE_HOURS),
        "How many hours after its end a period accepts events that occurred in it.",
        "72",
        default=LATE_HOURS,
    ),
    Key(
        "visibility",
        Text(VISIBILITIES),
        "How users are shown who did not choose: by name (public), by an invented name (pseudonym), or not (hidden).",
        '"pseudonym"',
        default="public",
    ),
    Key(
        "teams",
        Text(),
        "A prefix: groups with this prefix compete instead of users.",
        '"team:"',
        default=None,
        without="users compete",
    ),
    Key(
        "team_score",
        Text(TEAM_SCORES),
        "Whether a team's score is the sum or the mean of its members' scores.",
        '"mean"',
        default="sum",
        needs='teams = "team:"',
    ),
    Key(
        "tell_top",
        Integer(0, MAX_NOTIFIED),
        "Notify users who enter this many top ranks, and who hold one when a period closes.",
        "3",
        default=None,
        without="0; 10 for `points`",
    ),
    was("leaderboard"),
    Key("retired", Boolean(), "It is no longer listed, and counts nothing more.", "true", default=False),
)

LEADERBOARD = KeyTable(
    "leaderboard", "[[leaderboards]]", "A ranking of users by one number, per period.", (*_COUNTED, *_SHOWN)
)

SEASON = KeyTable(
    "season",
    "[[leaderboards.seasons]]",
    "One season of a leaderboard.",
    (
        Key("name", Text(), "Its name, which is also its key in addresses.", '"Spring 2026"'),
        Key("first", Day(), "Its first day.", "2026-03-01"),
        Key("last", Day(), "Its last day.", "2026-05-31"),
    ),
)
