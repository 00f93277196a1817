"""The format of scenario files: one struct per table, from which files are read and their JSON Schema is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from laurels.engine.adjustments import kinds_for
from laurels.engine.catalog_schema import catalog_schema
from laurels.engine.events import MAX_EVENT_ID, MAX_NAME, MAX_NUMBER, MAX_TYPE, MAX_USER_ID
from laurels.engine.leaderboards import Visibility

MOST_TIMES = 10_000
"""How often a step may repeat its action."""

MOST_LATE_DAYS = 36_500

_SAFE = {"pattern": r"\S"}
_TIME = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?$"
_DAY_OR_TIME = r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?)?$"

Time = Annotated[Any, Meta(extra_json_schema={"type": "string", "pattern": _TIME})]
"""A date and time of TOML, with its offset or without (then in the time zone of the scenario)."""

Earned = Annotated[Any, Meta(extra_json_schema={"type": "string", "pattern": _DAY_OR_TIME})]
"""A date, or a date and time."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, extra_json_schema=_SAFE)]
EventId = Annotated[str, Meta(min_length=1, max_length=MAX_EVENT_ID, extra_json_schema=_SAFE)]
EventType = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE, extra_json_schema=_SAFE)]
NotEmpty = Annotated[str, Meta(min_length=1)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
UserName = Annotated[str, Meta(min_length=1, max_length=MAX_USER_ID, extra_json_schema=_SAFE)]


class FileTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A table of a scenario file. A key that is left out is None, and is not compared."""


class NumberLimits(FileTable, frozen=True):
    """What a number must be, where it is not one exact number."""

    at_least: Annotated[int | None, Meta(description="the least that it may be, such as 10")] = None
    at_most: Annotated[int | None, Meta(description="the most that it may be, such as 20")] = None
    not_: Annotated[int | None, Meta(description="a number that it must not be, such as 0")] = msgspec.field(
        default=None, name="not"
    )


Number = int | NumberLimits
Unranked = Literal["unranked"]


class StreakExpected(FileTable, frozen=True):
    """What a streak of a user must be."""

    length: Annotated[Number | None, Meta(description="its current length, such as 7")] = None
    longest: Annotated[Number | None, Meta(description="the longest it ever was, such as 9")] = None
    freezes: Annotated[Number | None, Meta(description="how many freezes are left, such as 1")] = None
    status: Annotated[
        Literal["active", "at_risk", "frozen", "paused", "ended", "none"] | None,
        Meta(description='how it is, such as "active"'),
    ] = None


class UserExpected(FileTable, frozen=True):
    """What must be so of a user. What is left out is not compared."""

    points: Annotated[Number | None, Meta(description="all points earned, such as 60 or { at_least = 60 }")] = None
    balance: Annotated[Number | None, Meta(description="the points that can be spent, such as 60")] = None
    level: Annotated[Number | None, Meta(description="the number of the level, such as 2")] = None
    title: Annotated[str | None, Meta(description='the title of the level, such as "Writer"')] = None
    badges: Annotated[
        tuple[Name, ...] | None, Meta(description='all badges the user has, in any order, such as ["first_post"]')
    ] = None
    has_badges: Annotated[
        tuple[Name, ...], Meta(description='badges that the user has, perhaps with others, such as ["first_post"]')
    ] = ()
    lacks_badges: Annotated[
        tuple[Name, ...], Meta(description='badges that the user does not have, such as ["novelist"]')
    ] = ()
    earned: Annotated[
        Mapping[str, Earned],
        Meta(
            description="when badges were earned: the day in the user's time zone, or the time, such as "
            "{ first_post = 2026-03-02 }"
        ),
    ] = {}
    streaks: Annotated[
        Mapping[str, int | StreakExpected],
        Meta(description="lengths of streaks, or more of them, such as { login = 7 }"),
    ] = {}
    unlocks: Annotated[
        tuple[Name, ...] | None, Meta(description='all that levels and badges have unlocked, such as ["dark_mode"]')
    ] = None
    ranks: Annotated[
        Mapping[str, Number | Unranked],
        Meta(description='ranks on leaderboards in the current period, such as { weekly = 1 }, or "unranked"'),
    ] = {}
    notifications: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="all notifications since the last step that compared them, in order, such as "
            '["badge.earned first_post", "level.reached 2"]; the type alone matches each of it'
        ),
    ] = None
    has_notifications: Annotated[
        tuple[str, ...],
        Meta(description='notifications since then, perhaps with others, such as ["level.reached"]'),
    ] = ()
    lacks_notifications: Annotated[
        tuple[str, ...], Meta(description='what the user was not notified of since then, such as ["level.lost"]')
    ] = ()


class LeaderboardExpected(FileTable, frozen=True):
    """What must be so of a leaderboard."""

    lines: Annotated[
        tuple[str, ...] | None, Meta(description='all users on it, or teams, best first, such as ["ada", "ben"]')
    ] = None
    top: Annotated[tuple[str, ...] | None, Meta(description='the first users on it, such as ["ada"]')] = None
    lacks: Annotated[
        tuple[str, ...], Meta(description='users, or teams, who are not on its first 100 lines, such as ["cyd"]')
    ] = ()
    scores: Annotated[Mapping[str, Number], Meta(description="scores of users, or teams, such as { ada = 50 }")] = {}
    period: Annotated[str, Meta(description='the period, such as "previous" or "2026-W10"')] = "current"
    within: Annotated[str | None, Meta(description='the group, where users are ranked apart, such as "country:de"')] = (
        None
    )


class Expected(UserExpected, frozen=True):
    """What must be so after the step: of the step's user directly, and of any users and leaderboards."""

    users: Annotated[Mapping[str, UserExpected], Meta(description="what must be so of users, by their ids")] = {}
    leaderboards: Annotated[
        Mapping[str, tuple[str, ...] | LeaderboardExpected],
        Meta(description='who is on leaderboards, best first, such as { weekly = ["ada", "ben"] }'),
    ] = {}


class Answered(FileTable, frozen=True):
    """What the action of a step must answer; what is left out is not compared."""

    status: Annotated[
        Literal["recorded", "duplicate", "applied", "pending", "undone"] | None,
        Meta(description='its status, such as "recorded" or "duplicate"'),
    ] = None
    awards: Annotated[
        tuple[Name, ...] | None, Meta(description='the badges that it awards, such as ["first_post"]; [] for none')
    ] = None
    revoked: Annotated[
        tuple[Name, ...] | None, Meta(description='the badges that it takes away, such as ["first_post"]; [] for none')
    ] = None
    points: Annotated[Number | None, Meta(description="by how much it changes the points, such as 10, or 0")] = None
    level: Annotated[Number | None, Meta(description="the level that it leads to, such as 2; 0 if it stays")] = None
    streaks: Annotated[
        Mapping[str, Number], Meta(description="the lengths of streaks that it changes, such as { writing = 2 }")
    ] = {}
    badge_awarded: Annotated[
        str | None,
        Meta(description="the streak badge in the answer of a login, such as \"login_streak_7\"; '' for none"),
    ] = None
    reversed: Annotated[bool | None, Meta(description="whether the event was reversed before it came")] = None
    counted: Annotated[bool | None, Meta(description="whether a rule of the catalog names the event's type")] = None
    refused: Annotated[
        NotEmpty | None,
        Meta(description='a part of the message with which it is refused, such as "late window"'),
    ] = None


class UserFacts(FileTable, frozen=True):
    """What is known of a user."""

    name: Annotated[Name | None, Meta(description='the name for people, such as "Ada"')] = None
    zone: Annotated[Name | None, Meta(description='the time zone, such as "Europe/Berlin"')] = None
    joined: Annotated[Time | None, Meta(description="when the user joined, such as 2026-03-01T09:00:00Z")] = None
    groups: Annotated[tuple[Name, ...] | None, Meta(description='the groups, such as ["team:red"]')] = None
    visibility: Annotated[
        Visibility | None, Meta(description='how the user is shown on leaderboards, such as "hidden"')
    ] = None


class Amnesty(FileTable, frozen=True):
    """Days that all users, or a group, are excused from."""

    first: Annotated[Any, Meta(extra_json_schema={"type": "string"}, description="the first day, such as 2026-03-01")]
    last: Annotated[Any, Meta(extra_json_schema={"type": "string"}, description="the last day, such as 2026-03-02")]
    group: Annotated[Name | None, Meta(description='only users of this group, such as "team:red"')] = None


class StepTable(FileTable, frozen=True):
    """One step: it moves the clock, does one thing, and says what must be so then. Each part may be left out."""

    at: Annotated[
        Time | None,
        Meta(
            description="the time to which the clock moves, such as 2026-03-01T09:00:00; without an offset, in `zone`"
        ),
    ] = None
    after: Annotated[
        str | None, Meta(description='how far the clock moves, such as "1 day", "2 hours" or "30 minutes"')
    ] = None
    user: Annotated[UserName | None, Meta(description='the id of the user, such as "ada"')] = None
    event: Annotated[
        EventType | None, Meta(description='the type of an event of the user, such as "post.published"')
    ] = None
    id: Annotated[EventId | None, Meta(description='the id of the event or the adjustment, such as "post-1"')] = None
    quantity: Annotated[Quantity | None, Meta(description="how many of the event, such as 3")] = None
    data: Annotated[Mapping[str, Any] | None, Meta(description="data of the event, such as { words = 350 }")] = None
    occurred_at: Annotated[
        Time | None, Meta(description="when the event occurred, if it comes late, such as 2026-03-01T09:00:00")
    ] = None
    login: Annotated[Literal[True] | None, Meta(description="true: the user requests the profile")] = None
    adjust: Annotated[
        Mapping[str, Any] | None,
        Meta(description='an adjustment of the user, such as { kind = "grant", badge = "novelist" }'),
    ] = None
    reverse: Annotated[EventId | None, Meta(description='the id of an event to reverse, such as "post-1"')] = None
    undo: Annotated[EventId | None, Meta(description='the id of an adjustment to undo, such as "grant-1"')] = None
    update: Annotated[UserFacts | None, Meta(description='new facts of the user, such as { groups = ["pro"] }')] = None
    amnesty: Annotated[
        Amnesty | None, Meta(description="an amnesty, such as { first = 2026-03-01, last = 2026-03-02 }")
    ] = None
    catalog: Annotated[
        NotEmpty | None, Meta(description='the file of a catalog to put in force, such as "../next.toml"')
    ] = None
    times: Annotated[int, Meta(ge=1, le=MOST_TIMES, description="how often the action is done, such as 7")] = 1
    every: Annotated[str | None, Meta(description='how far the clock moves between the times, such as "1 day"')] = None
    answers: Annotated[
        Answered | None,
        Meta(description='what the action answers the last time, such as { awards = ["first_post"] }'),
    ] = None
    expect: Annotated[Expected | None, Meta(description="what must be so after the step, such as { points = 60 }")] = (
        None
    )


class FinallyExpected(FileTable, frozen=True):
    """What must be so after the last step."""

    users: Annotated[Mapping[str, UserExpected], Meta(description="what must be so of users, by their ids")] = {}
    leaderboards: Annotated[
        Mapping[str, tuple[str, ...] | LeaderboardExpected],
        Meta(description='who is on leaderboards, best first, such as { weekly = ["ada", "ben"] }'),
    ] = {}


CatalogGiven = str | Mapping[str, Any]


class ScenarioTable(FileTable, frozen=True):
    """One scenario. It runs in a database of its own."""

    name: Annotated[str, Meta(min_length=1, description='what it shows, such as "the first post earns a badge"')]
    catalog: Annotated[
        CatalogGiven | None,
        Meta(
            description='the file of the catalog, relative to this file, such as "../catalog.toml", or the catalog as a table'
        ),
    ] = None
    start: Annotated[
        Time | None, Meta(description="when it begins; without it, at the first step's `at`, or 2026-01-05T12:00:00Z")
    ] = None
    zone: Annotated[
        Name, Meta(description='the time zone of times without an offset and of users without one, such as "UTC"')
    ] = "UTC"
    late_days: Annotated[
        int, Meta(ge=0, le=MOST_LATE_DAYS, description="how many days late events may come, such as 30")
    ] = 30
    users: Annotated[Mapping[str, UserFacts], Meta(description="users by their ids, who exist from the start")] = {}
    steps: Annotated[tuple[StepTable, ...], Meta(description="what happens, in order")] = ()
    expect: Annotated[FinallyExpected | None, Meta(description="what must be so after the last step")] = None


class ScenarioFile(FileTable, frozen=True, kw_only=True):
    """A scenario file."""

    catalog: Annotated[
        CatalogGiven | None,
        Meta(
            description='the file of the catalog, relative to this file, such as "../catalog.toml", or the catalog as a '
            "table; without it, the default catalog"
        ),
    ] = None
    scenarios: Annotated[tuple[ScenarioTable, ...], Meta(min_length=1, description="the scenarios")]


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files, in draft 4, as that of catalogs. It contains the one of catalogs."""
    (_,), definitions = msgspec.json.schema_components([ScenarioFile], ref_template="#/definitions/{name}")
    definitions = {name: _without_null(schema) for name, schema in definitions.items()}
    whole = definitions.pop("ScenarioFile")
    catalog = catalog_schema()
    conditions = catalog.pop("definitions")
    definitions["Catalog"] = {name: value for name, value in catalog.items() if name != "$schema"}
    for table in (whole, definitions["ScenarioTable"]):
        table["properties"]["catalog"] = {
            "description": table["properties"]["catalog"]["description"],
            "anyOf": [{"type": "string", "pattern": r"\S"}, {"$ref": "#/definitions/Catalog"}],
        }
    definitions["StepTable"]["properties"]["adjust"] = _adjustment_schema()
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        **whole,
        "title": "Scenarios of Laurels",
        "definitions": {**definitions, **conditions},
    }
    return cast(dict[str, Any], msgspec.json.decode(msgspec.json.encode(schema)))  # lists instead of tuples


def _without_null(schema: Any) -> Any:
    """A schema without null, which TOML does not have: it only stands for a key that is left out."""
    if isinstance(schema, list):
        return [_without_null(one) for one in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    found = {name: _without_null(one) for name, one in cast(dict[str, Any], schema).items()}
    if found.get("default", 0) is None:
        del found["default"]
    if found.get("required", 0) == []:  # draft 4 has no empty lists there
        del found["required"]
    choices = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del found["anyOf"]
        return {**choices[0], **found}
    return {**found, "anyOf": choices} if choices else found


def _adjustment_schema() -> dict[str, Any]:
    """The schema of an adjustment: its kind, its reason, and the fields of all kinds."""
    kinds = kinds_for("app")
    fields = {field.name: field.description for kind in kinds for field in kind.fields()}
    return {
        "type": "object",
        "description": 'an adjustment of the user, such as { kind = "grant", badge = "novelist" }',
        "properties": {
            "kind": {"type": "string", "enum": [kind.kind for kind in kinds]},
            "reason": {"type": "string", "description": "why"},
            **{name: {"description": text} for name, text in fields.items()},
        },
        "required": ["kind"],
        "additionalProperties": False,
    }
