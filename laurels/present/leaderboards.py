"""Leaderboards: their periods, the lines that a reader may see, teams, and the cursor for the next page."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from laurels.engine.closings import closes_at, is_of_kind
from laurels.engine.leaderboards import Board, Visibility
from laurels.engine.periods import Period
from laurels.engine.ranking import Place
from laurels.errors import InvalidInput
from laurels.present.base import Answer, Points, SparseAnswer, UtcTime
from laurels.present.presentation import Presentation
from laurels.storage.codec import from_micros
from laurels.storage.contract import ClosedPeriodRow, LeaderboardLines, LeaderboardRequest, Standing, Team, Teams


class LeaderboardStanding(Answer, frozen=True):
    """One line of a leaderboard. `score` is what this leaderboard counts, `points` are all points of the user."""

    rank: int
    user_id: str
    name: str
    score: Points
    reached_at: UtcTime
    points: Points
    level: int
    title: str


class LeaderboardPeriod(Answer, frozen=True):
    """A period of a leaderboard, from `start` up to and not including `end`; null: unlimited.

    It is coming until its start and running until its end. Then it is ended, and still takes late events until `closesAt`,
    when it is closed for good. Every period of a retired leaderboard is closed.
    """

    key: str
    start: UtcTime | None
    end: UtcTime | None
    closes_at: UtcTime | None
    status: Literal["coming", "running", "ended", "closed"]


class LeaderboardInfo(SparseAnswer, frozen=True):
    """A leaderboard of the catalog. `groups` are the groups whose users it ranks; if empty, all users.

    `readers` are the groups whose users may read it; left out if all users may. `weights` are the metrics that are counted
    together instead of one, with what each is multiplied by; `exceptGroups` are the groups whose users are not ranked.
    With `within`, users are ranked among those in the same group that begins with this text and a ':'.
    With `teams`, it ranks the groups whose names begin with this text instead of users. `visibility` counts for users who
    have not chosen one. `current` is the current period. `retired`: it takes no events, and its lines stay as they are.
    `scale`, left out if it is 1: how many units of a score make one.
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
    retired: bool = False
    readers: Sequence[str] = ()
    scale: int = 1
    weights: dict[str, int] | None = None
    except_groups: Sequence[str] = ()
    within: str = ""


class LeaderboardList(Answer, frozen=True):
    """The leaderboards of the catalog that the caller may read."""

    leaderboards: list[LeaderboardInfo]


class TeamStanding(Answer, frozen=True):
    """One team of a leaderboard of teams: a group, and its name without the prefix that all teams have.

    `total` is the sum of its members' scores, and `members` the number of members with a score, both without hidden ones. `mine`:
    the reader is in it.
    """

    rank: int
    team: str
    name: str
    score: float
    total: Points
    members: int
    mine: bool


class LeaderboardPage(SparseAnswer, frozen=True):
    """Lines of a leaderboard, and the reader's own line.

    For the page after it, send the value of `next` as `?after=`; for the page before it, that of `previous` as `?before=`.
    Only a leaderboard of teams has `teams`, and `rankedTeams`, their number; its `rankedUsers` are their members.
    `meHidden` is true if no one but the reader sees `me`. The line of a hidden reader is not in `standings`, and its rank is the
    one that it would have.
    Only a leaderboard with `within` has `within`, the value whose users are shown, and `values`, the first 200 with lines.
    `recomputing`: the rule of the leaderboard has changed, and lines of users who
    are not yet recomputed are still those of the rule before. A closed period has its own rule, also in `board`.
    """

    board: LeaderboardInfo
    period: LeaderboardPeriod
    standings: list[LeaderboardStanding]
    me: LeaderboardStanding | None
    ranked_users: int
    computed_at: UtcTime
    next: str | None
    previous: str | None
    teams: Sequence[TeamStanding] = ()
    ranked_teams: int = 0
    me_hidden: bool = False
    recomputing: bool = False
    within: str = ""
    values: Sequence[str] = ()


class ClosedPeriod(Answer, frozen=True):
    """A period that is closed for good."""

    period: str
    start: UtcTime | None
    end: UtcTime | None
    closed_at: UtcTime


class ClosedPeriods(Answer, frozen=True):
    """Closed periods of a leaderboard, newest first."""

    closings: list[ClosedPeriod]


# ---- a leaderboard and its periods --------------------------------------------------------------


def leaderboard_info(board: Board, now: datetime) -> LeaderboardInfo:
    """A leaderboard of the catalog, with its current period."""
    period = None if board.retired else board.periods.at(now)
    return LeaderboardInfo(
        id=board.id,
        name=board.name,
        by=board.by,
        of=board.of or None,
        order="highest" if board.highest else "lowest",
        ties=board.ties,
        groups=list(board.groups),
        teams=board.teams or None,
        visibility=board.visibility,
        period=board.periods.kind,
        zone=board.periods.zone,
        current=leaderboard_period(board, period, now) if period else None,
        retired=board.retired,
        readers=board.readers,
        scale=board.scale,
        weights=dict(board.weights) or None,
        except_groups=board.except_groups,
        within=board.within,
    )


def leaderboard_period(board: Board, period: Period, now: datetime) -> LeaderboardPeriod:
    """A period of a leaderboard, and whether it still takes events."""
    return LeaderboardPeriod(
        key=period.key,
        start=period.start,
        end=period.end,
        closes_at=None if board.retired else board.closes_at(period),
        status=_status(board, period, now),
    )


def _status(board: Board, period: Period, now: datetime) -> Literal["coming", "running", "ended", "closed"]:
    if board.retired:
        return "closed"
    if period.start is not None and now < period.start:
        return "coming"
    if period.end is None or now < period.end:
        return "running"
    return "ended" if board.is_open(period, now) else "closed"


def closed_period(row: ClosedPeriodRow) -> LeaderboardPeriod:
    """A closed period with its own bounds, whatever the catalog has under its key."""
    return LeaderboardPeriod(
        key=row.period,
        start=row.starts_at,
        end=row.ends_at,
        closes_at=closes_at(row.rule, row.ends_at) or row.closed_at,
        status="closed",
    )


def closed_periods(board: Board, rows: Sequence[ClosedPeriodRow]) -> ClosedPeriods:
    """Closed periods, each with its own bounds. Those of a kind that the leaderboard no longer has are left out."""
    closings: list[ClosedPeriod] = []
    for row in rows:
        if not is_of_kind(row.rule, row.period, board):
            continue
        known = None if row.rule else board.periods.named(row.period)
        start, end = (known.start, known.end) if known else (row.starts_at, row.ends_at)
        closings.append(ClosedPeriod(period=row.period, start=start, end=end, closed_at=row.closed_at))
    return ClosedPeriods(closings=closings)


# ---- its lines ------------------------------------------------------------------------------------


def leaderboard_page(
    context: Presentation,
    board: Board,
    period: LeaderboardPeriod,
    request: LeaderboardRequest,
    found: LeaderboardLines,
    now: datetime,
) -> LeaderboardPage:
    """The lines that the reader may see, the reader's own line, and the cursor of the next page."""
    lines = [line for line in found.lines if _is_shown(board, line, request)]
    return LeaderboardPage(
        board=leaderboard_info(board, now),
        period=period,
        standings=[_standing(context, board, line, request.me) for line in lines],
        me=_standing(context, board, found.me, request.me) if found.me else None,
        ranked_users=found.ranked,
        computed_at=now,
        next=_cursor(context, found.next) if found.next else None,
        previous=_cursor(context, found.previous) if found.previous else None,
        me_hidden=found.me_hidden or (found.me is not None and _is_hidden(board, found.me)),
    )


def _is_shown(board: Board, line: Standing, request: LeaderboardRequest) -> bool:
    """Whether the reader sees a line. A closed period still has the lines of users who were hidden or excluded later.

    Friends are requested by their ids, so a line with a pseudonym would reveal whose it is.
    """
    if line.place.user_id == request.me:
        return True
    friends_only = request.only is not None and board.visibility_of(line.visibility) == "pseudonym"
    return not friends_only and not _is_hidden(board, line)


def _is_hidden(board: Board, line: Standing) -> bool:
    """Whether no one but its user sees a line."""
    return line.excluded or board.visibility_of(line.visibility) == "hidden"


def _standing(context: Presentation, board: Board, standing: Standing, reader: str | None) -> LeaderboardStanding:
    level = context.catalog.levels.read(standing.points).level
    user_id, name = context.name_on(board, standing, reader)
    return LeaderboardStanding(
        rank=standing.rank,
        user_id=user_id,
        name=name,
        score=board.score(standing.place.sort_key),
        reached_at=from_micros(standing.place.reached_at),
        points=standing.points,
        level=level.number,
        title=level.title,
    )


def team_page(
    board: Board, period: LeaderboardPeriod, teams: Teams, mine: Sequence[str], now: datetime
) -> LeaderboardPage:
    """A leaderboard of teams. `mine` are the reader's own."""
    return LeaderboardPage(
        board=leaderboard_info(board, now),
        period=period,
        standings=[],
        me=None,
        ranked_users=teams.members,
        computed_at=now,
        next=None,
        previous=None,
        teams=[
            TeamStanding(
                rank=line.rank,
                team=line.name,
                name=board.name_of_team(line.name),
                score=_team_score(board, line),
                total=line.total,
                members=line.members,
                mine=line.name in mine,
            )
            for line in teams.lines
        ],
        ranked_teams=teams.ranked,
    )


def _team_score(board: Board, team: Team) -> float:
    return round(float(Fraction(team.total, team.members if board.team_score == "mean" else 1)), 2)


# ---- the cursor -----------------------------------------------------------------------------------

_Number = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
_encode_place = msgspec.msgpack.Encoder().encode
_decode_place = msgspec.msgpack.Decoder(tuple[_Number, _Number, str]).decode


def _cursor(context: Presentation, place: Place) -> str:
    """The place where another page begins or ends, encrypted, because it names a user who may be hidden from the reader."""
    packed = _encode_place((place.sort_key, place.reached_at, place.user_id))
    return urlsafe_b64encode(context.keyring.encrypted(packed)).decode().rstrip("=")


def read_cursor(context: Presentation, text: str, parameter: Literal["after", "before"]) -> Place:
    """The place in a cursor. Raises InvalidInput."""
    try:
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return Place(*_decode_place(context.keyring.decrypted(packed)))
    except (ValueError, msgspec.MsgspecError):
        field = {"after": "next", "before": "previous"}[parameter]
        raise InvalidInput(parameter, f"must be the '{field}' of an earlier answer") from None
