"""From rows to shapes: what people and programs read of a user, a board, a catalog."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from laurels.commands.adjustments import UNDONE
from laurels.commands.events import Applied, Recorded
from laurels.commands.outcomes import NOTHING, StoredOutcome
from laurels.engine.badges import Badge, Check, Step, nearness
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.judge import calendar_of, length_of, read_streak_of
from laurels.engine.leaderboards import POINTS, Board
from laurels.engine.periods import Period
from laurels.engine.progress import Progress
from laurels.engine.pseudonyms import pseudonym, pseudonym_id
from laurels.engine.ranking import Place
from laurels.engine.streaks import Streak, marks
from laurels.engine.zones import first_instant, zone
from laurels.errors import InvalidInput
from laurels.present.shapes import (
    AdjustmentResult,
    Amnesty,
    AwardedBadge,
    CatalogLevel,
    CatalogSummary,
    ClosedPeriod,
    ConditionCheck,
    EventResult,
    Explanation,
    History,
    HistoryAdjustment,
    HistoryAward,
    HistoryEntry,
    HistoryEvent,
    HistoryPoints,
    Leader,
    LeaderboardInfo,
    LeaderboardPage,
    LeaderboardPeriod,
    LeaderboardStanding,
    LevelChange,
    NextBadge,
    NotificationBadge,
    NotificationLeaderboard,
    NotificationMessage,
    NumberChange,
    Profile,
    ProfileBadge,
    RankChange,
    StreakDay,
    TeamStanding,
    Undone,
    User,
    UserStreak,
    ZoneChange,
)
from laurels.storage.codec import from_micros
from laurels.storage.contract import (
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    ClosedPeriodRow,
    EventRow,
    HistoryRows,
    LeaderboardLines,
    LeaderboardRequest,
    LedgerRow,
    NotificationRow,
    Standing,
    Team,
    Teams,
    UserRow,
)
from laurels.storage.secrets import decrypted, encrypted, pseudonym_hash

_Number = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
_place = msgspec.msgpack.Decoder(tuple[_Number, _Number, str])

INVENTED = "alias:"
"""How the id begins under which others see a user who has an invented name."""

ANONYMOUS = "Anonymous"
LEADERS = 5
RANKED_IN_PROFILE = 10
NEAREST = 3
STREAK_DAYS = 14

_NO_DAYS = Days()

_TOLD: Mapping[str, Sequence[str]] = {
    "level": ("level", "title"),
    "streak": ("streak", "before", "length"),
    "leaderboard": ("period", "before", "rank", "ranked"),
}
"""What a moment says as it was stored, by the first word of its type."""


class _Board(NamedTuple):
    """The first lines of the points board as read once: as shapes, and the rank of each user."""

    top: Sequence[Standing]
    leaders: list[Leader]
    ranks: Mapping[str, int]


class Views:
    """Shows what is stored under one catalog. Pure: the moment of reading comes in."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._badges = [(badge.id, _badge(badge)) for badge in catalog.badges]
        self._board = _Board((), [], {})
        self._points_board = catalog.boards[POINTS]
        self.secret: bytes | None = None

    # ---- the profile --------------------------------------------------------------------------

    def profile(self, user: UserRow, top: Sequence[Standing], now: datetime, badge_awarded: str | None) -> Profile:
        """The contract's eleven fields. `top` holds the first ten of the points board."""
        progress = user.progress
        level = self.catalog.levels.read(progress.points)
        board = self._board_of(top)
        earned = progress.badges
        return Profile(
            badges=[shape for badge_id, shape in self._badges if badge_id in earned],
            points=progress.points,
            level=level.level.number,
            title=level.level.title,
            next_level=level.next_level,
            progress=level.progress,
            streak=self.streak_length(progress, self.catalog.login_streak, progress.zones.day(now)),
            badge_awarded=badge_awarded,
            leaderboard=self._leaders(board, user),
            user_rank=board.ranks.get(user.user_id),
            available_badges=[shape for badge_id, shape in self._badges if badge_id not in earned],
        )

    def _board_of(self, top: Sequence[Standing]) -> _Board:
        """What a profile shows of the board; made once for each new reading of it."""
        if self._board.top is not top:
            leaders = [self._leader(standing) for standing in top[:LEADERS]]
            self._board = _Board(top, leaders, {standing.place.user_id: standing.rank for standing in top})
        return self._board

    def _leaders(self, board: _Board, user: UserRow) -> list[Leader]:
        """The leaders as this user sees them: alike for all, but for who has an invented name to the others."""
        rank = board.ranks.get(user.user_id, LEADERS + 1)
        if rank > LEADERS or self._points_board.visibility_of(user.visibility) != "pseudonym":
            return board.leaders
        own = self._leader(board.top[rank - 1], user.user_id)
        return [*board.leaders[: rank - 1], own, *board.leaders[rank:]]

    def _leader(self, standing: Standing, reader: str | None = None) -> Leader:
        level = self.catalog.levels.read(standing.points).level
        user_id, name = self._named(self._points_board, standing, reader)
        return Leader(
            user_id=user_id,
            name=name,
            points=standing.points,
            level=level.number,
            title=level.title,
        )

    def _named(self, board: Board, standing: Standing, reader: str | None = None) -> tuple[str, str]:
        """The id and the name under which a reader sees a line; their own is always their own."""
        user_id = standing.place.user_id
        if user_id == reader or board.visibility_of(standing.visibility) != "pseudonym":
            return user_id, standing.name or ANONYMOUS
        assert self.secret is not None, "an invented name needs the database's secret"
        of_user = pseudonym_hash(self.secret, user_id)
        return INVENTED + pseudonym_id(of_user), pseudonym(of_user)

    def streak_badge(self, recorded: Recorded) -> str | None:
        """Of the streak badges that this event awarded, the one with the most points."""
        if recorded.duplicate or not recorded.outcome.awards:
            return None
        awarded = dict(recorded.outcome.awards)
        won = [badge for badge in self.catalog.badges if badge.id in awarded and badge.streaks]
        return max(won, key=lambda badge: badge.points).id if won else None

    def next_badges(self, progress: Progress, now: datetime, limit: int = NEAREST) -> list[NextBadge]:
        """The badges nearest to being earned, nearest first, at most `limit`."""
        nearest = sorted(self._within_reach(progress, now), key=lambda pair: -nearness(pair[1]))
        return [_next_badge(badge, steps) for badge, steps in nearest[:limit]]

    def toward(self, progress: Progress, now: datetime) -> list[NextBadge]:
        """Every badge that can still be earned, in the catalog's order, and how far it is."""
        return [_next_badge(badge, steps) for badge, steps in self._within_reach(progress, now)]

    def _within_reach(self, progress: Progress, now: datetime) -> list[tuple[Badge, list[Step]]]:
        """The badges that can still be earned, each with what is missing, in the catalog's order."""
        today = progress.zones.day(now)
        streaks = {name: self.streak_length(progress, name, today) for name in self.catalog.streaks}
        closed = progress.badges.keys() | progress.manual.barred
        open_badges = [badge for badge in self.catalog.badges if badge.id not in closed]
        steps = [(badge, badge.condition.steps(progress, streaks)) for badge in open_badges]
        return [(badge, of_badge) for badge, of_badge in steps if of_badge]

    def streak_length(self, progress: Progress, name: str, today: int) -> int:
        """The current length of a streak."""
        return length_of(self.catalog.streaks[name], progress, today)

    def streaks(self, progress: Progress, now: datetime, days: int = STREAK_DAYS) -> list[UserStreak]:
        """Every streak of the catalog, as it reads now, with why each of its last `days` days (or weeks) counts."""
        return [_streak(streak, progress, now, days) for streak in self.catalog.streaks.values()]

    def explanation(
        self, badge: Badge, user: UserRow, award: AwardRow | None, event: EventRow | None, now: datetime
    ) -> Explanation:
        """Why this user has this badge, or what is missing."""
        progress = user.progress
        checks = badge.condition.checks(progress)
        if award:
            sentence = _earned_because(badge, award, event, checks)
        elif badge.id in progress.manual.barred:
            sentence = f"{badge.name} was revoked, and is not awarded again until that is undone."
        else:
            lengths = {
                name: self.streak_length(progress, name, progress.zones.day(now)) for name in self.catalog.streaks
            }
            steps = badge.condition.steps(progress, lengths)
            sentence = _next_badge(badge, steps).sentence if steps else f"{badge.name} can no longer be earned."
        return Explanation(
            badge=badge.id,
            name=badge.name,
            earned=award is not None,
            sentence=sentence,
            awarded_at=award.awarded_at if award else None,
            event=_history_event(event) if event else None,
            checks=[
                ConditionCheck(text=one.text, current=one.current, target=one.target, met=one.met) for one in checks
            ],
        )

    # ---- events -------------------------------------------------------------------------------

    def event_result(self, recorded: Recorded) -> EventResult:
        """The answer for an event that was recorded, now or before."""
        event, kept = recorded.event, recorded.outcome
        status = "duplicate" if recorded.duplicate else "recorded"
        if kept is NOTHING:
            return EventResult(id=event.id, user_id=event.user_id, status=status)
        changes = self._changes(kept)
        if kept.points:
            changes["rank"] = RankChange(before=recorded.rank_before, after=recorded.rank_after)
        return EventResult(id=event.id, user_id=event.user_id, status=status, reversed=kept.reversed, **changes)

    def adjustment_result(self, told: Applied) -> AdjustmentResult:
        """The answer for an act that was told, or undone."""
        act = told.adjustment
        status = "duplicate" if told.duplicate else "undone" if act.undone_by else "applied"
        changes = self._changes(told.outcome)
        if told.outcome.revoked:
            changes["revoked"] = list(told.outcome.revoked)
        names: dict[str, Any] = {"user_id": act.user_id, "kind": act.kind, "reason": act.reason, "actor": act.actor}
        return AdjustmentResult(id=act.adjustment_id, status=status, **names, **changes)

    def _changes(self, kept: StoredOutcome) -> dict[str, Any]:
        """What an outcome changed, as the fields of an answer; only what did change."""
        changes: dict[str, Any] = {}
        if kept.awards:
            changes["awards"] = [self._award(badge, points) for badge, points in kept.awards]
        if kept.points:
            changes["points"] = NumberChange(before=kept.points[0], after=kept.points[1])
        if kept.level:
            title = self.catalog.levels.all[min(kept.level[1], len(self.catalog.levels.all)) - 1].title
            changes["level"] = LevelChange(before=kept.level[0], after=kept.level[1], title=title)
        if kept.streaks:
            changes["streaks"] = {
                name: NumberChange(before=old, after=new) for name, (old, new) in kept.streaks.items()
            }
        return changes

    def _award(self, badge_id: str, points: int) -> AwardedBadge:
        """An award, also of a badge that the catalog has since lost."""
        badge = self.catalog.badge(badge_id)
        return AwardedBadge(
            id=badge_id, name=badge.name if badge else badge_id, icon=badge.icon if badge else "", points=points
        )

    # ---- users, boards, catalog ---------------------------------------------------------------

    def user(self, user: UserRow, now: datetime) -> User:
        """A user as stored."""
        progress = user.progress
        zones = progress.zones
        level = self.catalog.levels.read(progress.points).level
        return User(
            user_id=user.user_id,
            name=user.name,
            time_zone=zones.at(now),
            time_zones=[
                ZoneChange(since=None, time_zone=zones.first or zones.default),
                *(ZoneChange(since=since, time_zone=name) for since, name in zones.changes),
            ],
            joined_at=progress.joined_at,
            created_at=user.created_at,
            groups=list(user.groups),
            visibility=user.visibility,
            points=progress.points,
            level=level.number,
            title=level.title,
        )

    def board(self, board: Board, now: datetime) -> LeaderboardInfo:
        """A leaderboard of the catalog, with its period as of now."""
        period = board.periods.at(now)
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
            current=self.period(board, period, now) if period else None,
        )

    def period(self, board: Board, period: Period, now: datetime) -> LeaderboardPeriod:
        """A period's bounds as instants, and whether it still takes events."""
        return LeaderboardPeriod(
            key=period.key,
            start=period.start,
            end=period.end,
            closes_at=board.closes_at(period),
            status=_status(board, period, now),
        )

    def leaderboard(
        self, board: Board, period: Period, asked: LeaderboardRequest, listed: LeaderboardLines, now: datetime
    ) -> LeaderboardPage:
        """Lines of a board, the reader's own, and where to go on."""
        lines = [line for line in listed.lines if self._is_shown(board, line, asked)]
        return LeaderboardPage(
            board=self.board(board, now),
            period=self.period(board, period, now),
            standings=[self.standing(board, standing, asked.me) for standing in lines],
            me=self.standing(board, listed.me, asked.me) if listed.me else None,
            ranked_users=listed.ranked,
            computed_at=now,
            next=self._cursor(listed.next) if listed.next else None,
        )

    @staticmethod
    def _is_shown(board: Board, line: Standing, asked: LeaderboardRequest) -> bool:
        """Whether a reader sees a line. In closed periods those who hide or are excluded by now still have theirs.

        Among friends, who are asked for by their ids, a line under an invented name would say whose it is.
        """
        visibility = board.visibility_of(line.visibility)
        if line.place.user_id == asked.me:
            return True
        return not line.excluded and (visibility == "public" or (visibility == "pseudonym" and asked.only is None))

    def teams(self, board: Board, period: Period, teams: Teams, mine: Sequence[str], now: datetime) -> LeaderboardPage:
        """A board of teams, those of the reader marked."""
        return LeaderboardPage(
            board=self.board(board, now),
            period=self.period(board, period, now),
            standings=[],
            me=None,
            ranked_users=teams.members,
            computed_at=now,
            next=None,
            teams=[
                TeamStanding(one.rank, one.name, _team_score(board, one), one.total, one.members, one.name in mine)
                for one in teams.lines
            ],
        )

    def moment(self, row: NotificationRow) -> NotificationMessage:
        """Something worth telling, with what stands in the catalog beside what was stored."""
        data, more = row.data, dict[str, Any]()
        kind, _, _ = row.type.partition(".")
        if kind == "badge":
            badge = self.catalog.badge(data["badge"])
            name, icon = (badge.name, badge.icon) if badge else (data["badge"], "")
            more["badge"] = NotificationBadge(id=data["badge"], name=name, icon=icon, points=data.get("points", 0))
        elif kind == "leaderboard":
            board = self.catalog.boards.get(data["board"])
            more["board"] = NotificationLeaderboard(id=data["board"], name=board.name if board else data["board"])
        more |= {name: data[name] for name in _TOLD.get(kind, ()) if name in data}
        place = f"{row.revision}-{row.position}"
        return NotificationMessage(id=place, type=row.type, at=row.at, data=dict(data), **more)

    def closing(self, board: Board, closing: ClosedPeriodRow) -> ClosedPeriod:
        """A closed period."""
        period = board.periods.named(closing.period)
        assert period is not None
        return ClosedPeriod(closing.period, period.start, period.end, closing.closed_at)

    def standing(self, board: Board, standing: Standing, reader: str | None = None) -> LeaderboardStanding:
        """One line of a board, as this reader sees it."""
        level = self.catalog.levels.read(standing.points).level
        user_id, name = self._named(board, standing, reader)
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

    def _cursor(self, place: Place) -> str:
        """Behind which place to go on, as a text that names nobody: whose place it is, only this database can read."""
        assert self.secret is not None, "a cursor needs the database's secret"
        packed = msgspec.msgpack.encode((place.sort_key, place.reached_at, place.user_id))
        return urlsafe_b64encode(encrypted(self.secret, packed)).decode().rstrip("=")

    def read_cursor(self, text: str) -> Place:
        """What `_cursor` wrote. Raises InvalidInput."""
        assert self.secret is not None, "a cursor needs the database's secret"
        try:
            packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            return Place(*_place.decode(decrypted(self.secret, packed)))
        except (ValueError, msgspec.MsgspecError):
            raise InvalidInput("after", "must be the 'next' of an answer before") from None

    def amnesty(self, row: AmnestyRow) -> Amnesty:
        """An amnesty as stored."""
        return Amnesty(
            id=row.amnesty_id,
            first=date.fromordinal(row.first_day),
            last=date.fromordinal(row.last_day),
            group=row.for_group,
            reason=row.reason,
            actor=row.actor,
            created_at=row.created_at,
            lifted_at=row.lifted_at,
            lifted_by=row.lifted_by,
            lift_reason=row.lift_reason,
        )

    def whole_catalog(self) -> CatalogSummary:
        """Everything that can be earned."""
        return CatalogSummary(
            name=self.catalog.name,
            levels=[
                CatalogLevel(level=one.number, title=one.title, points=one.points) for one in self.catalog.levels.all
            ],
            badges=[shape for _, shape in self._badges],
        )


def _team_score(board: Board, team: Team) -> float:
    return round(float(Fraction(team.total, team.members if board.team_score == "mean" else 1)), 2)


def _status(board: Board, period: Period, now: datetime) -> Literal["coming", "running", "ended", "closed"]:
    if period.start is not None and now < period.start:
        return "coming"
    if period.end is None or now < period.end:
        return "running"
    return "ended" if board.is_open(period, now) else "closed"


def history(page: HistoryRows, limit: int) -> History:
    """Some revisions of a user, one entry to each, newest first."""
    event_of = {row.revision: row for row in page.events}
    adjustment_of = {row.revision: row for row in page.adjustments}
    awards: dict[int, list[AwardRow]] = defaultdict(list)
    ledger: dict[int, list[LedgerRow]] = defaultdict(list)
    for award in page.awards:
        awards[award.revision].append(award)
    for entry in page.ledger:
        ledger[entry.revision].append(entry)
    revisions = sorted({*event_of, *adjustment_of, *awards, *ledger}, reverse=True)
    entries = [_entry(one, event_of.get(one), adjustment_of.get(one), awards[one], ledger[one]) for one in revisions]
    return History(entries=entries, next=revisions[-1] if len(revisions) == limit and revisions[-1] > 1 else None)


def _entry(
    revision: int, event: EventRow | None, act: AdjustmentRow | None, awards: list[AwardRow], ledger: list[LedgerRow]
) -> HistoryEntry:
    notifications = [row.recorded_at for row in [event] if row] + [row.at for row in [act, *ledger] if row]
    return HistoryEntry(
        revision=revision,
        at=[*notifications, *(row.awarded_at for row in awards)][0],
        event=_history_event(event) if event else None,
        act=history_adjustment(act) if act else None,
        awards=[HistoryAward(badge=row.badge, points=row.points) for row in awards],
        points=[HistoryPoints(amount=row.amount, reason=row.reason, ref=row.ref) for row in ledger],
    )


def history_adjustment(act: AdjustmentRow) -> HistoryAdjustment:
    """An act as the history shows it."""
    said = {key: value for key, value in act.data.items() if key not in ("asked", UNDONE)}
    undo = act.data.get(UNDONE) if act.undone_by is not None else None
    return HistoryAdjustment(
        id=act.adjustment_id,
        kind=act.kind,
        data=said,
        reason=act.reason,
        actor=act.actor,
        undone=act.undone_by is not None,
        undo=msgspec.convert(undo, Undone) if undo else msgspec.UNSET,
    )


def _history_event(row: EventRow) -> HistoryEvent:
    event = row.event
    assert event.occurred_at is not None
    assert event.day is not None
    return HistoryEvent(
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        day=date.fromordinal(event.day),
        quantity=event.quantity,
        data=event.data,
        reversed=row.reversed_by is not None,
    )


def _badge(badge: Badge) -> ProfileBadge:
    return ProfileBadge(
        id=badge.id,
        name=badge.name,
        description=badge.description,
        icon=badge.icon,
        category=badge.category,  # type: ignore[arg-type]  # the catalog's reader allows only these
        points=badge.points,
        condition=badge.condition_text,
    )


def _next_badge(badge: Badge, steps: list[Step]) -> NextBadge:
    farthest = min(steps, key=lambda step: step.share)
    single = all(step.target == 1 for step in steps)
    what = badge.condition_text if single else " and ".join(step.missing for step in steps)
    return NextBadge(
        id=badge.id,
        name=badge.name,
        icon=badge.icon,
        current=farthest.current,
        target=farthest.target,
        sentence=f"{what} to earn {badge.name}.",
    )


def _earned_because(badge: Badge, award: AwardRow, event: EventRow | None, checks: list[Check]) -> str:
    """As in 'Century Club was earned on 2026-03-01 with the event message-42: 100 messages'."""
    cause = f"with the event {event.event.id}" if event else "by an act of an admin, or by a change of rules"
    facts = " and ".join(check.text for check in checks if check.met)
    return f"{badge.name} was earned on {award.awarded_at:%Y-%m-%d} {cause}{': ' + facts if facts else ''}."


def _streak(streak: Streak, progress: Progress, now: datetime, count: int) -> UserStreak:
    zones, days = progress.zones, progress.days.get(streak.name, _NO_DAYS)
    today = zones.day(now)
    reading = read_streak_of(streak, progress, today)
    ends_at = first_instant(streak.first_day(reading.ends + 1), zones.at(now)) if reading.ends is not None else None
    marked = marks(streak, days, reading, calendar_of(streak, progress), today, count)
    return UserStreak(
        name=streak.name,
        unit="week" if streak.weekly else "day",
        length=reading.length,
        status=reading.status,
        since=_date(streak, reading.start),
        ends_at=ends_at,
        ends_at_local=ends_at.astimezone(zone(zones.at(now))) if ends_at else None,
        longest=reading.longest,
        longest_from=_date(streak, reading.longest_start),
        longest_to=_date(streak, reading.longest_end),
        total_days=reading.total,
        last_day=_date(streak, reading.last),
        freezes=reading.freezes,
        days=[StreakDay(day=date.fromordinal(streak.first_day(unit)), why=why) for unit, why in marked],
    )


def _date(streak: Streak, unit: int | None) -> date | None:
    return None if unit is None else date.fromordinal(streak.first_day(unit))
