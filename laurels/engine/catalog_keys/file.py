"""The keys at the top of the file, and its small tables."""

from __future__ import annotations

from laurels.engine.adjustments import KINDS
from laurels.engine.catalog_keys.key_types import Inner, Key, KeyTable, Named, OneOf, Several, Text, Texts
from laurels.engine.languages import ENGLISH, TAG

CATALOG = KeyTable(
    "catalog",
    "the file",
    "Everything that users can earn.",
    (
        Key("name", Text(words=True), "The name of the catalog, for operators.", '"reading club"', default="unnamed"),
        Key(
            "language",
            Text(pattern=TAG),
            "Its own language, which every text that people read must have.",
            '"en"',
            default=ENGLISH,
        ),
        Key(
            "profile",
            Inner("profile"),
            "The login event and the login streak of a profile.",
            '{ login_event = "login", login_streak = "login" }',
        ),
        Key(
            "own_history",
            Inner("own_history"),
            "What users see of their own history, beyond what every catalog shows.",
            '{ data = ["title"] }',
            default=None,
            without="nothing more",
        ),
        Key(
            "metrics",
            Named("metric"),
            "Numbers per user that events change.",
            '{ books = { kind = "count", events = ["book.finished"] } }',
            default={},
        ),
        Key(
            "streaks",
            Named("streak"),
            "Runs of consecutive days or weeks with enough events.",
            '{ practice = { events = ["minute.practised"], amount = 10 }, login = { events = ["login"] } }',
            default={},
        ),
        Key(
            "kinds",
            Named("point_kind"),
            "Kinds of points in addition to the points that make levels; at most 10.",
            '{ coins = { one = "coin", many = "coins" } }',
            default={},
        ),
        Key(
            "points",
            Several("point_rule"),
            "Rules that pay points for events.",
            '[{ id = "pages", events = ["page.read"], amount = 1 }]',
            default=[],
        ),
        Key(
            "boosts",
            Several("boost"),
            "Times in which point rules pay a factor more.",
            '[{ id = "launch", factor = "2", from = 2026-06-05, until = 2026-06-08 }]',
            default=[],
        ),
        Key(
            "levels",
            OneOf((Several("level", least=1), Inner("level_formula"))),
            "The levels, lowest first, of which the first begins at 0 points; or a formula.",
            '[{ title = "Reader", points = 0 }]',
        ),
        Key(
            "categories",
            Named("category"),
            "Categories of badges, in addition to onboarding, usage, social and achievement; one may rename one of these.",
            '{ events = { name = "Events" } }',
            default={},
        ),
        Key(
            "badges",
            Several("badge"),
            "The badges, in the order in which they are listed.",
            '[{ id = "first_book", name = "First book", description = "Finish a book", icon = "📖", '
            'category = "onboarding", points = 50, condition = "1 book", when = { metric = "books", at_least = 1 } }]',
            default=[],
        ),
        Key(
            "leaderboards",
            Several("leaderboard"),
            "The leaderboards. 'points', all points of all time, always exists.",
            '[{ id = "weekly" }]',
            default=[],
        ),
    ),
)

PROFILE = KeyTable(
    "profile",
    "[profile]",
    "What a request for a profile records and shows.",
    (
        Key(
            "login_event",
            Text(),
            "The type of the event that a request for a profile records, once a day.",
            '"login"',
        ),
        Key(
            "login_streak",
            Text(names="streak"),
            "The streak that the profile shows: a daily one that this event feeds.",
            '"login"',
        ),
    ),
)

OWN_HISTORY = KeyTable(
    "own_history",
    "[own_history]",
    "What users see of their own history, beyond what every catalog shows.",
    (
        Key(
            "data", Texts(), "The keys of the data of events that users see.", '["title"]', default=None, without="none"
        ),
        Key(
            "reasons",
            Texts(tuple(KINDS)),
            "The kinds of adjustments whose reasons users see.",
            '["points"]',
            default=None,
            without="none",
        ),
    ),
)
