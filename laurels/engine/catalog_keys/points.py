"""The keys of a [[points]] table and of a [[levels]] table."""

from __future__ import annotations

from laurels.engine.catalog_keys.key_types import ByKey, Integer, Key, KeyTable, Text, Texts
from laurels.engine.catalog_keys.shared import DATED, WHERE, events, past, unlocks
from laurels.engine.level_formulas import MOST_LEVELS

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
        Key(
            "cap_per_week",
            Integer(1),
            "The most that it pays a user in one week of their dates, from Monday.",
            "200",
            default=None,
            without="no limit",
        ),
        Key(
            "kind",
            Text(names="kind"),
            "The kind of points that it pays. It makes no levels, and is in no ledger and on no leaderboard.",
            '"coins"',
            default=None,
            without="the points that make levels",
        ),
        past("What a change of the rule means for earlier events: what was paid stays, or the ledger compensates."),
    ),
)

POINT_KIND = KeyTable(
    "point_kind",
    "[kinds.NAME]",
    "A kind of points in addition to the points that make levels, such as coins that users earn and spend.",
    (
        Key("one", Text(), "The word for one of it.", '"coin"', default=None, without="its name"),
        Key("many", Text(), "The word for several of it.", '"coins"', default=None, without="its name"),
    ),
)

LEVEL = KeyTable(
    "level",
    "[[levels]]",
    "A level that follows from the points.",
    (
        Key("title", Text(words=True), "Its name.", '"Reader"'),
        Key("points", Integer(), "The points at which it begins: 0 for the first, more for each next one.", "0"),
        unlocks("The names of what it unlocks in the app, for this level and all higher ones."),
    ),
)

_NUMBER = "[1-9][0-9]{0,3}"

LEVEL_FORMULA = KeyTable(
    "level_formula",
    "[levels]",
    "A formula that makes the levels, instead of [[levels]].",
    (
        Key("count", Integer(1, MOST_LEVELS), "How many levels there are.", "50"),
        Key("first", Integer(1), "The points at which level 2 begins.", "100"),
        Key(
            "growth",
            Text(pattern=r"[1-9][0-9]{0,2}(\.[0-9]{1,3})?"),
            "Each level takes this many times the points of the one before: a number from 1 on, in quotes.",
            '"1.5"',
            default=None,
            without="1",
        ),
        Key("increase", Integer(), "Each level takes this many points more than the one before.", "50", default=0),
        Key("round_to", Integer(1), "The points are rounded to a multiple of this.", "10", default=1),
        Key(
            "title",
            Text(words=True),
            "The title of each level, in which {number} is its number.",
            '"Rank {number}"',
            default=None,
            without="Level {number}",
        ),
        Key(
            "titles",
            ByKey(Text(words=True), _NUMBER),
            "Titles of some levels, by their numbers.",
            '{ 1 = "Reader" }',
            default=None,
            without="none",
        ),
        Key(
            "unlocks",
            ByKey(Texts(), _NUMBER),
            "The names of what some levels unlock in the app, by their numbers.",
            '{ 2 = ["dark_mode"] }',
            default=None,
            without="nothing",
        ),
    ),
    example="{ count = 5, first = 100 }",
)
