"""The shapes that people and programs read: what the facade answers, and the JSON of the HTTP API (in camelCase)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from laurels.engine.events import (
    MAX_DATA_BYTES,
    MAX_DATA_LEVELS,
    MAX_EVENT_ID,
    MAX_NAME,
    MAX_NUMBER,
    MAX_TYPE,
    MAX_USER_ID,
    Event,
)
from laurels.engine.leaderboards import Visibility

SAFE = r"^[^\u0000-\u001f\u007f-\u009f]+$"
"""Texts without control characters, as a pattern for the OpenAPI document; the facade checks them."""

VISIBLE = r"[^\s\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""Names of which something is left when the facade has cleaned them."""

MAX_LIFETIME = 365 * 86400

MAX_DAYS_ON = 36_500
"""How many days a clock of a sandbox may be moved on at once."""


def whole_number(most: int, description: str) -> Meta:
    """A number from 1 to `most` as JSON has it, where 2 and 2.0 are the same; who takes it calls `as_whole`."""
    return Meta(description=description, extra_json_schema={"type": "integer", "minimum": 1, "maximum": most})


def as_whole(number: float) -> int | float:
    """2.0 as 2. What is no whole number stays as it is, for a check to refuse."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


UserId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_USER_ID,
        description="The app's own id of the user",
        extra_json_schema={"pattern": SAFE},
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="The display name; control characters are taken out of it",
        extra_json_schema={"pattern": VISIBLE},
    ),
]
Reason = Annotated[
    str, Meta(min_length=1, max_length=500, description="Why, for the history", extra_json_schema={"pattern": SAFE})
]
Actor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="Who did it, for the history",
        extra_json_schema={"pattern": SAFE},
    ),
]

ShortName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, extra_json_schema={"pattern": SAFE})]
AdjustmentId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_EVENT_ID,
        description="Unique for this user; choose it once and retry with it",
        extra_json_schema={"pattern": SAFE},
    ),
]

Group = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="The name of a group that the user is in; an amnesty may be for one",
        extra_json_schema={"pattern": SAFE},
    ),
]

ZoneName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="An IANA name, such as 'Europe/Berlin'",
        extra_json_schema={"format": "iana-time-zone"},
    ),
]
Points = Annotated[int, Meta(description="Points, a whole number")]
UtcTime = Annotated[datetime, Meta(tz=True, description="RFC 3339, with an offset")]


class Schema(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=False):
    """A JSON object in camelCase."""


# ---- the profile ------------------------------------------------------------------------------


class ProfileBadge(Schema, frozen=True):
    """A badge of the catalog."""

    id: str
    name: str
    description: str
    icon: Annotated[str, Meta(description="An emoji")]
    category: Literal["onboarding", "usage", "social", "achievement"]
    points: Points
    condition: Annotated[str, Meta(description="What to do for it, for people")]


class Leader(Schema, frozen=True):
    """One of the top users by points."""

    user_id: str
    name: Annotated[str, Meta(description="The display name, or 'Anonymous' where none is set")]
    points: Points
    level: int
    title: str


class UserRank(Schema, frozen=True):
    """An exact rank among all who have points. `rank` is null for a user without any."""

    rank: int | None
    ranked_users: int


class NextBadge(Schema, frozen=True):
    """A badge within reach: how far, of how much, and what is missing as a sentence."""

    id: str
    name: str
    icon: str
    current: int
    target: int
    sentence: str


class StreakDay(Schema, frozen=True):
    """Why a day (or a week, by its first day) counts: credited, frozen, excused, paused, missed, or still open."""

    day: date
    why: Literal["credited", "frozen", "excused", "paused", "missed", "open"]


class UserStreak(Schema, frozen=True):
    """A streak as it reads now.

    `endsAt` is the instant at which it would end without another event, in UTC, and `endsAtLocal` the same on the user's
    clock; null when none stands. `days` are the newest ones, newest first.
    """

    name: str
    unit: Annotated[Literal["day", "week"], Meta(description="What lengths and `days` count")]
    length: Annotated[int, Meta(ge=0, description="Credited days (or weeks) of the run that stands")]
    status: Literal["active", "at_risk", "frozen", "paused", "ended", "none"]
    since: date | None
    ends_at: UtcTime | None
    ends_at_local: UtcTime | None
    longest: int
    longest_from: date | None
    longest_to: date | None
    total_days: int
    last_day: date | None
    freezes: Annotated[int, Meta(ge=0, description="Freezes left")]
    days: list[StreakDay]


class UserStreaks(Schema, frozen=True):
    """Every streak of the catalog, for one user."""

    streaks: list[UserStreak]


class ConditionCheck(Schema, frozen=True):
    """One fact that a badge asks for, and how far it is."""

    text: str
    current: int
    target: int
    met: bool


class Explanation(Schema, frozen=True):
    """Why a user has a badge, or what is missing."""

    badge: str
    name: str
    earned: bool
    sentence: str
    awarded_at: UtcTime | None
    event: HistoryEvent | None
    checks: list[ConditionCheck]


class HistoryEvent(Schema, frozen=True):
    """An event as recorded; `day` is its date in the zone that the user then had."""

    id: str
    type: str
    occurred_at: UtcTime
    day: date
    quantity: int
    data: Mapping[str, Any] | None
    reversed: bool


class Undone(Schema, frozen=True):
    """When an act was undone, why and by whom; empty where nobody said."""

    at: UtcTime
    reason: str
    actor: str


class HistoryAdjustment(Schema, frozen=True):
    """Something told of the user beside the events: by whom, and why.

    `undone` says that it does not stand any more; `undoing`, which older ones lack, says who undid it.
    """

    id: str
    kind: str
    data: Mapping[str, Any]
    reason: str
    actor: str
    undone: bool
    undo: Undone | UnsetType = UNSET


class HistoryAward(Schema, frozen=True):
    """A badge that was earned."""

    badge: str
    points: Points


class HistoryPoints(Schema, frozen=True):
    """A change of the points: `reason` is badge, rule, catalog, reversal, grant, revocation or adjustment; `ref` says of what."""

    amount: int
    reason: str
    ref: str


class HistoryEntry(Schema, frozen=True):
    """All that happened at once. `event` is what was recorded, `act` what was told; both are null where rules changed."""

    revision: int
    at: UtcTime
    event: HistoryEvent | None
    act: HistoryAdjustment | None
    awards: list[HistoryAward]
    points: list[HistoryPoints]


class History(Schema, frozen=True):
    """A page of a user's history, newest first. Ask for `?before=` the value of `next` for the page after it."""

    entries: list[HistoryEntry]
    next: int | None


class Profile(Schema, frozen=True):
    """What a user sees: the contract's eleven fields. The others stand there only when asked for with `?include=`."""

    badges: Annotated[list[ProfileBadge], Meta(description="The badges the user has earned, in the catalog's order")]
    points: Annotated[int, Meta(description="Total accumulated points")]
    level: Annotated[int, Meta(description="The level, from 1")]
    title: Annotated[str, Meta(description="The level's title")]
    next_level: Annotated[int, Meta(description="Points needed to reach the next level")]
    progress: Annotated[int, Meta(ge=0, le=100, description="Percentage toward the next level")]
    streak: Annotated[int, Meta(ge=0, description="Consecutive days of login up to today")]
    badge_awarded: Annotated[str | None, Meta(description="The streak badge that this very request awarded")]
    leaderboard: Annotated[list[Leader], Meta(max_length=5, description="The top users by points")]
    user_rank: Annotated[int | None, Meta(description="The user's rank, from 1; null when not among the top 10")]
    available_badges: Annotated[list[ProfileBadge], Meta(description="The badges not yet earned")]
    rank: UserRank | UnsetType = UNSET
    next: list[NextBadge] | UnsetType = UNSET
    toward: list[NextBadge] | UnsetType = UNSET
    streaks: list[UserStreak] | UnsetType = UNSET
    history: History | UnsetType = UNSET


# ---- events -----------------------------------------------------------------------------------


class EventIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One thing a user did. Sent twice under the same id, it counts once."""

    user_id: UserId
    id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_EVENT_ID,
            description="Unique for this user; choose it once and retry with it. Not beginning with 'laurels:'",
            extra_json_schema={"pattern": SAFE},
        ),
    ]
    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TYPE,
            description="What happened, such as 'message.sent'",
            extra_json_schema={"pattern": SAFE},
        ),
    ]
    occurred_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, with an offset; left out: now")] | None = None
    quantity: Annotated[int | float, whole_number(MAX_NUMBER, "How many of it")] = 1
    data: (
        Annotated[
            dict[str, Any],
            Meta(
                description=f"Free JSON that metrics may look into: at most {MAX_DATA_LEVELS} levels deep and "
                f"{MAX_DATA_BYTES} bytes, whole numbers of at most 64 bits"
            ),
        ]
        | None
    ) = None

    def event(self) -> Event:
        """The event as the facade takes it; a quantity of 2.5 is left for the facade to refuse."""
        quantity = cast(int, as_whole(self.quantity))
        return Event(self.user_id, self.id, self.type, self.occurred_at, quantity, self.data)


class AwardedBadge(Schema, frozen=True):
    """A badge that an event earned."""

    id: str
    name: str
    icon: str
    points: Points


class NumberChange(Schema, frozen=True):
    """A number, before and after."""

    before: int
    after: int


class LevelChange(Schema, frozen=True):
    """The level, before and after, and the new one's title."""

    before: int
    after: int
    title: str


class RankChange(Schema, frozen=True):
    """The exact rank, before and after; null where the user had no points."""

    before: int | None
    after: int | None


class FieldError(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One field that is wrong and how to mend it: a JSON pointer into the body, or a parameter of the address."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """An error, as RFC 9457 has it; `error` is its short text, `errors` points at the fields to mend."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    errors: list[FieldError] | None = None
    retry_at: UtcTime | None = None


class EventResult(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """What became of one event, and what it changed; a duplicate repeats the original answer.

    `id` and `userId` are null where they could not be read. Of `awards` to `rank`, those that did not change are left out.
    """

    id: str | None
    user_id: str | None
    status: Literal["recorded", "duplicate", "rejected"]
    awards: list[AwardedBadge] | UnsetType = UNSET
    points: NumberChange | UnsetType = UNSET
    level: LevelChange | UnsetType = UNSET
    streaks: dict[str, NumberChange] | UnsetType = UNSET
    rank: RankChange | UnsetType = UNSET
    reversed: bool = False
    problem: Problem | UnsetType = UNSET


class AdjustmentResult(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """What was told of a user, and what it changed; a repeat says `duplicate`, and changed nothing."""

    id: str
    user_id: str
    kind: str
    reason: str
    actor: str
    status: Literal["applied", "undone", "duplicate"]
    awards: list[AwardedBadge] | UnsetType = UNSET
    revoked: list[str] | UnsetType = UNSET
    points: NumberChange | UnsetType = UNSET
    level: LevelChange | UnsetType = UNSET
    streaks: dict[str, NumberChange] | UnsetType = UNSET


class AdjustmentIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """Something told of a user. The same `id` again counts once."""

    id: AdjustmentId
    reason: Reason
    actor: Actor | UnsetType = UNSET


class GrantIn(AdjustmentIn, frozen=True, tag="grant"):
    """Give a badge, with its points."""

    badge: ShortName


class RevocationIn(AdjustmentIn, frozen=True, tag="revocation"):
    """Take a badge away, with its points; it is not awarded again until this is undone."""

    badge: ShortName


class PointsIn(AdjustmentIn, frozen=True, tag="points"):
    """Give points, or take them away with a negative amount; not below 0."""

    amount: Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER, description="Points; not 0")]


class FreezesIn(AdjustmentIn, frozen=True, tag="freezes"):
    """Give freezes for a streak, from today on."""

    streak: ShortName
    count: Annotated[int, Meta(ge=1, le=1000)]


class PauseIn(AdjustmentIn, frozen=True, tag="pause"):
    """Pause a streak, or all of them (left out), from `first` to `last`, both included."""

    first: date
    last: date
    streak: ShortName | UnsetType = UNSET


class ExclusionIn(AdjustmentIn, frozen=True, tag="exclusion"):
    """Keep a user off every leaderboard until this is undone. Closed periods keep their ranks and show them no more."""


class RepairIn(AdjustmentIn, frozen=True, tag="repair"):
    """Repair the gap of a streak that holds this missed day."""

    streak: ShortName
    day: date


class OwnPauseIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="pause"):
    """Pause one's own streak, from `first` (today or later) to `last`, as far as the catalog allows."""

    id: AdjustmentId
    streak: ShortName
    first: date
    last: date


class OwnRepairIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, tag_field="kind", tag="repair"):
    """Repair the gap of one's own streak that holds this missed day, as far as the catalog allows."""

    id: AdjustmentId
    streak: ShortName
    day: date


class ReversalIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why an event is taken back, and by whom (left out: the API key's name)."""

    reason: Reason
    actor: Actor | UnsetType = UNSET


class AmnestyIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Days on which nothing is required, for everybody or for a group."""

    first: date
    last: date
    reason: Reason
    group: Group | UnsetType = UNSET
    actor: Actor | UnsetType = UNSET


class Amnesty(Schema, frozen=True):
    """An amnesty; `liftedAt` is null while it stands, and then says when it was lifted, the two others by whom and why."""

    id: str
    first: date
    last: date
    group: str | None
    reason: str
    actor: str
    created_at: UtcTime
    lifted_at: UtcTime | None
    lifted_by: str | None
    lift_reason: str | None


class Amnesties(Schema, frozen=True):
    """All amnesties, oldest first."""

    amnesties: list[Amnesty]


class EventResults(Schema, frozen=True):
    """What became of each event, in the order sent."""

    recorded: int
    duplicates: int
    rejected: int
    results: list[EventResult]


# ---- users, sessions, boards, catalog ---------------------------------------------------------


class UserIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What the app knows of a user. What is left out stays as it is; null takes a name or a joining time away."""

    name: Name | UnsetType | None = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    joined_at: UtcTime | UnsetType | None = UNSET
    groups: Annotated[list[Group], Meta(max_length=50)] | UnsetType = UNSET
    visibility: Visibility | UnsetType | None = UNSET


class VisibilityIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How to be shown on leaderboards: by name, under an invented one, or to nobody else; null: as each board has it."""

    visibility: Visibility | None


class ZoneChange(Schema, frozen=True):
    """A time zone, and since when; null for the first one, which counts for all time before."""

    since: UtcTime | None
    time_zone: str


class User(Schema, frozen=True):
    """A user as stored."""

    user_id: str
    name: str | None
    time_zone: str
    time_zones: list[ZoneChange]
    joined_at: UtcTime | None
    created_at: UtcTime
    groups: list[str]
    visibility: Visibility | None
    points: Points
    level: int
    title: str


class SessionIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who signs in. Name and zone are taken into the user; a zone change that comes too soon is left out."""

    user_id: UserId
    name: Name | UnsetType = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    lifetime_seconds: Annotated[int | float, whole_number(MAX_LIFETIME, "Default: 30 days")] | UnsetType = UNSET


class Session(Schema, frozen=True):
    """A new session. The token is shown here once, and set as the cookie `laurels-session`."""

    token: str
    expires_at: UtcTime


class LeaderboardStanding(Schema, frozen=True):
    """One line of a leaderboard. `score` is what the board counts, `points` are all that the user has."""

    rank: int
    user_id: str
    name: str
    score: Points
    reached_at: UtcTime
    points: Points
    level: int
    title: str


class LeaderboardPeriod(Schema, frozen=True):
    """A period of a leaderboard: from `start` up to, not including, `end` (null: without bound).

    It is coming until its start, runs until its end, still takes late events until `closesAt`, and is closed for good then.
    """

    key: str
    start: UtcTime | None
    end: UtcTime | None
    closes_at: UtcTime | None
    status: Literal["coming", "running", "ended", "closed"]


class LeaderboardInfo(Schema, frozen=True):
    """A leaderboard of the catalog. `groups` names who stands on it (none: everybody); `current` is the period of now.

    With `teams`, groups whose names begin so compete, not users. `visibility` is how users are shown who have not chosen.
    """

    id: str
    name: str
    by: Literal["points", "metric", "streak"]
    of: str | None
    order: Literal["highest", "lowest"]
    ties: Literal["first", "shared", "dense"]
    groups: list[str]
    teams: str | None
    visibility: Visibility
    period: Literal["all", "year", "month", "week", "day", "season"]
    zone: str
    current: LeaderboardPeriod | None


class TeamStanding(Schema, frozen=True):
    """One team of a leaderboard of teams: its score, the sum of its members' scores, and how many of them have any."""

    rank: int
    team: str
    score: float
    total: Points
    members: int
    mine: bool


class ClosedPeriod(Schema, frozen=True):
    """A period that is closed for good."""

    period: str
    start: UtcTime | None
    end: UtcTime | None
    closed_at: UtcTime


class ClosedPeriods(Schema, frozen=True):
    """Closed periods of a leaderboard, the newest first."""

    closings: list[ClosedPeriod]


class LeaderboardPage(Schema, frozen=True):
    """Lines of a leaderboard, and the reader's own. Ask for `?after=` the value of `next` for the lines behind them."""

    board: LeaderboardInfo
    period: LeaderboardPeriod
    standings: list[LeaderboardStanding]
    me: LeaderboardStanding | None
    ranked_users: int
    computed_at: UtcTime
    next: str | None
    teams: list[TeamStanding] | UnsetType = UNSET


class NotificationBadge(Schema, frozen=True):
    """The badge of a moment. `points` are those that it paid; 0 where it goes."""

    id: str
    name: str
    icon: str
    points: Points


class NotificationLeaderboard(Schema, frozen=True):
    """The leaderboard of a moment."""

    id: str
    name: str


class NotificationMessage(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """Something worth telling a user, as it happens. Its fields depend on `type`; of one that is not known, there is only `data`.

    `badge` is of badge.earned and badge.revoked; `level` and `title` of level.reached and level.lost; `streak`, `before` and
    `length` of streak.extended and streak.corrected; `board`, `period` and `rank` of leaderboard.top and .passed (with
    the rank `before`) and .closed (with `ranked`, among how many). `data` is what was stored.
    """

    id: Annotated[str, Meta(description="Where it stands among the user's moments: 'REVISION-POSITION'")]
    type: str
    at: UtcTime
    data: dict[str, Any]
    badge: NotificationBadge | UnsetType = UNSET
    level: int | UnsetType = UNSET
    title: str | UnsetType = UNSET
    streak: str | UnsetType = UNSET
    length: int | UnsetType = UNSET
    board: NotificationLeaderboard | UnsetType = UNSET
    period: str | UnsetType = UNSET
    rank: int | UnsetType = UNSET
    ranked: int | UnsetType = UNSET
    before: int | UnsetType | None = UNSET


class LeaderboardList(Schema, frozen=True):
    """All leaderboards of the catalog."""

    leaderboards: list[LeaderboardInfo]


class CatalogLevel(Schema, frozen=True):
    """A level of the catalog, and the points from which it holds."""

    level: int
    title: str
    points: Points


class CatalogSummary(Schema, frozen=True):
    """Everything that can be earned."""

    name: str
    levels: list[CatalogLevel]
    badges: list[ProfileBadge]


class ClockIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How far a sandbox's clock is to move on: so many days on a clock of `timeZone`, and so many hours."""

    days: Annotated[
        int | float,
        Meta(
            description="Calendar days: the same time of the day, so many days later, however long they last there",
            extra_json_schema={"type": "integer", "minimum": 0, "maximum": MAX_DAYS_ON},
        ),
    ] = 0
    hours: Annotated[float, Meta(ge=0, le=24 * MAX_DAYS_ON, description="Hours, behind the days")] = 0
    time_zone: ZoneName = "UTC"


class SandboxClock(Schema, frozen=True):
    """Where the clock stands, and whether it is a sandbox's, which can be moved."""

    now: UtcTime
    sandbox: bool


class Health(Schema, frozen=True):
    """Whether this process can serve."""

    status: Literal["ok"]
    version: str


# ---- what a community looks like --------------------------------------------------------------


class BadgeRarity(Schema, frozen=True):
    """How rare a badge is. `holders` and `share` are null where there are too few users to say."""

    id: str
    holders: Annotated[int | None, Meta(description="How many users have it")]
    share: Annotated[float | None, Meta(description="holders / users, from 0 to 1")]


class RarityReport(Schema, frozen=True):
    """How rare each badge of the catalog is, as counted some minutes ago at most."""

    computed_at: UtcTime
    users: Annotated[int | None, Meta(description="How many users there are; null where there are too few to say")]
    badges: list[BadgeRarity]


class DailyUsers(Schema, frozen=True):
    """How many users were active on a day."""

    day: date
    users: int


class DailyAwards(Schema, frozen=True):
    """How many users earned a badge on a day (UTC)."""

    day: date
    badge: str
    awards: int


class DailyPoints(Schema, frozen=True):
    """How many points one source paid on a day (UTC): which kind, and which badge or rule."""

    day: date
    reason: str
    ref: str
    points: int


class LevelUsers(Schema, frozen=True):
    """How many users are on a level."""

    level: int
    title: str
    users: int


class StreakLengthUsers(Schema, frozen=True):
    """How many users have a streak of this length."""

    length: int
    users: int


class StreakLengths(Schema, frozen=True):
    """How long a streak is for how many users: as it stands, and at its longest. Who never began it is left out."""

    streak: str
    current: list[StreakLengthUsers]
    longest: list[StreakLengthUsers]


class RetentionCohort(Schema, frozen=True):
    """Users who were first active in one week, and how many of them were active in that week and in each one since."""

    week: Annotated[date, Meta(description="The week's Monday")]
    users: int
    active: list[int]


class BadgeTiming(Schema, frozen=True):
    """How many users have a badge, for how many it came first, and how long after joining half of its holders had it."""

    badge: str
    holders: int
    first: int
    median_seconds: float | None


class CommunityReport(Schema, frozen=True):
    """Charts of a community. All numbers are of `sampled` users, who are evenly chosen among `users`; equal: of everybody."""

    computed_at: UtcTime
    users: int
    sampled: int
    active: list[DailyUsers]
    awards: list[DailyAwards]
    points: list[DailyPoints]
    levels: list[LevelUsers]
    streaks: list[StreakLengths]
    retention: list[RetentionCohort]
    badges: list[BadgeTiming]


class ReportProgress(Schema, frozen=True):
    """The first survey is being made: how much of it is done, 0 to 1."""

    progress: float


class MaintenanceResult(Schema, frozen=True):
    """When something was last done for the database's keep, and what came of it."""

    at: UtcTime
    outcome: Mapping[str, Any]


class ProcessStatus(Schema, frozen=True):
    """How this process does, and how the database is kept. `users` and `events` are null until they are counted."""

    version: str
    engine: str
    uptime_seconds: float
    events_per_second: float
    waited50_ms: Annotated[
        float | None, Meta(description="How long half of the writes of the last minute took at most")
    ]
    waited99_ms: Annotated[float | None, Meta(description="How long 99 of 100 writes of the last minute took at most")]
    queued: int
    queue_limit: int
    users: int | None
    events: int | None
    backup: MaintenanceResult | None
    verify: MaintenanceResult | None
