"""From rows to shapes: what people and programs read of a user, a board, a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from laurels.acts import Recorded
from laurels.engine.badges import Badge, Step, nearness
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days, Zones, first_moment
from laurels.engine.progress import Progress
from laurels.engine.streaks import Reading, length, read
from laurels.shapes import (
    AwardShape,
    BadgeShape,
    CatalogShape,
    EventResult,
    HistoryAward,
    HistoryEntry,
    HistoryEvent,
    HistoryPoints,
    HistoryShape,
    LeaderShape,
    LevelChange,
    LevelShape,
    NextBadgeShape,
    NumberChange,
    ProfileShape,
    RankChange,
    StandingShape,
    StreakShape,
    UserShape,
    ZoneChange,
)
from laurels.storage.base import AwardRow, EventRow, LedgerRow, Standing, UserRow

ANONYMOUS = "Anonymous"
LEADERS = 5
RANKED_IN_PROFILE = 10
NEAREST = 3

_NO_DAYS = Days()


class Views:
    """Shows what is stored under one catalog. Pure: the moment of reading comes in."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._badges = [(badge.id, _badge(badge)) for badge in catalog.badges]
        self._leaders: tuple[Sequence[Standing], list[LeaderShape]] = ((), [])

    # ---- the profile --------------------------------------------------------------------------

    def profile(self, user: UserRow, top: Sequence[Standing], now: datetime, badge_awarded: str | None) -> ProfileShape:
        """The contract's eleven fields. `top` holds the first ten of the points board."""
        progress = user.progress
        level = self.catalog.levels.read(progress.points)
        earned = progress.badges
        return ProfileShape(
            badges=[shape for badge_id, shape in self._badges if badge_id in earned],
            points=progress.points,
            level=level.level.number,
            title=level.level.title,
            next_level=level.next_level,
            progress=level.progress,
            streak=self.streak_length(progress, self.catalog.login_streak, progress.zones.day(now)),
            badge_awarded=badge_awarded,
            leaderboard=self._leaders_of(top),
            user_rank=next((standing.rank for standing in top if standing.user_id == user.user_id), None),
            available_badges=[shape for badge_id, shape in self._badges if badge_id not in earned],
        )

    def _leaders_of(self, top: Sequence[Standing]) -> list[LeaderShape]:
        """The first lines as shapes; made once for each new reading of the board."""
        if self._leaders[0] is not top:
            self._leaders = (top, [self._leader(standing) for standing in top[:LEADERS]])
        return self._leaders[1]

    def _leader(self, standing: Standing) -> LeaderShape:
        level = self.catalog.levels.read(standing.score).level
        return LeaderShape(
            user_id=standing.user_id,
            name=standing.name or ANONYMOUS,
            points=standing.score,
            level=level.number,
            title=level.title,
        )

    def streak_badge(self, recorded: Recorded) -> str | None:
        """Of the streak badges that this event awarded, the one with the most points."""
        if recorded.duplicate or not recorded.kept.awards:
            return None
        awarded = dict(recorded.kept.awards)
        won = [badge for badge in self.catalog.badges if badge.id in awarded and badge.streaks]
        return max(won, key=lambda badge: badge.points).id if won else None

    def next_badges(self, progress: Progress, now: datetime, limit: int = NEAREST) -> list[NextBadgeShape]:
        """The badges nearest to being earned, nearest first, at most `limit`."""
        today = progress.zones.day(now)
        streaks = {name: self.streak_length(progress, name, today) for name in self.catalog.streaks}
        open_badges = [badge for badge in self.catalog.badges if badge.id not in progress.badges]
        steps = [(badge, badge.condition.steps(progress, streaks)) for badge in open_badges]
        within_reach = [(badge, of_badge) for badge, of_badge in steps if of_badge]
        within_reach.sort(key=lambda pair: -nearness(pair[1]))
        return [_next_badge(badge, of_badge) for badge, of_badge in within_reach[:limit]]

    def streak_length(self, progress: Progress, name: str, today: int) -> int:
        """The current length of a streak."""
        return length(progress.days.get(name, _NO_DAYS), today, progress.zones.skipped())

    def streaks(self, progress: Progress, now: datetime) -> list[StreakShape]:
        """Every streak of the catalog, as it reads now."""
        zones = progress.zones
        today = zones.day(now)
        shapes: list[StreakShape] = []
        for name in self.catalog.streaks:
            reading = read(progress.days.get(name, _NO_DAYS), today, zones.skipped())
            shapes.append(
                StreakShape(
                    name=name,
                    length=reading.length,
                    status=reading.status,
                    longest=progress.longest.get(name, 0),
                    total_days=reading.total_days,
                    last_day=date.fromordinal(reading.last_day) if reading.last_day else None,
                    ends_at=_ends_at(reading, today, zones, now),
                )
            )
        return shapes

    # ---- events -------------------------------------------------------------------------------

    def event_result(self, recorded: Recorded) -> EventResult:
        """The answer for an event that was recorded, now or before."""
        event, kept = recorded.event, recorded.kept
        status = "duplicate" if recorded.duplicate else "recorded"
        if not kept.awards and not kept.streaks and kept.points is None:
            return EventResult(id=event.id, user_id=event.user_id, status=status)
        changes: dict[str, object] = {}
        if kept.awards:
            changes["awards"] = [self._award(badge, points) for badge, points in kept.awards]
        if kept.points:
            changes["points"] = NumberChange(before=kept.points[0], after=kept.points[1])
            changes["rank"] = RankChange(before=recorded.rank_before, after=recorded.rank_after)
        if kept.level:
            title = self.catalog.levels.all[min(kept.level[1], len(self.catalog.levels.all)) - 1].title
            changes["level"] = LevelChange(before=kept.level[0], after=kept.level[1], title=title)
        if kept.streaks:
            changes["streaks"] = {
                name: NumberChange(before=old, after=new) for name, (old, new) in kept.streaks.items()
            }
        return EventResult(id=event.id, user_id=event.user_id, status=status, **changes)  # type: ignore[arg-type]

    def _award(self, badge_id: str, points: int) -> AwardShape:
        """An award, also of a badge that the catalog has since lost."""
        badge = self.catalog.badge(badge_id)
        return AwardShape(
            id=badge_id, name=badge.name if badge else badge_id, icon=badge.icon if badge else "", points=points
        )

    # ---- users, boards, catalog ---------------------------------------------------------------

    def user(self, user: UserRow, now: datetime) -> UserShape:
        """A user as stored."""
        progress = user.progress
        zones = progress.zones
        level = self.catalog.levels.read(progress.points).level
        return UserShape(
            user_id=user.user_id,
            name=user.name,
            time_zone=zones.at(now),
            time_zones=[
                ZoneChange(since=None, time_zone=zones.first or zones.default),
                *(ZoneChange(since=since, time_zone=name) for since, name in zones.changes),
            ],
            joined_at=progress.joined_at,
            created_at=user.created_at,
            points=progress.points,
            level=level.number,
            title=level.title,
        )

    def standing(self, standing: Standing) -> StandingShape:
        """One line of the points board."""
        level = self.catalog.levels.read(standing.score).level
        return StandingShape(
            rank=standing.rank,
            user_id=standing.user_id,
            name=standing.name or ANONYMOUS,
            points=standing.score,
            level=level.number,
            title=level.title,
        )

    def whole_catalog(self) -> CatalogShape:
        """Everything that can be earned."""
        return CatalogShape(
            name=self.catalog.name,
            levels=[
                LevelShape(level=one.number, title=one.title, points=one.points) for one in self.catalog.levels.all
            ],
            badges=[shape for _, shape in self._badges],
        )


def history(
    events: Sequence[EventRow], awards: Sequence[AwardRow], ledger: Sequence[LedgerRow], limit: int
) -> HistoryShape:
    """The rows of some revisions, one entry to a revision, newest first."""
    event_of = {row.revision: row for row in events}
    revisions = sorted({*event_of, *(row.revision for row in awards), *(row.revision for row in ledger)}, reverse=True)
    entries: list[HistoryEntry] = []
    for revision in revisions:
        event = event_of.get(revision)
        won = [row for row in awards if row.revision == revision]
        paid = [row for row in ledger if row.revision == revision]
        at = event.recorded_at if event else (won[0].awarded_at if won else paid[0].at)
        entries.append(
            HistoryEntry(
                revision=revision,
                at=at,
                event=_history_event(event) if event else None,
                awards=[HistoryAward(badge=row.badge, points=row.points) for row in won],
                points=[HistoryPoints(amount=row.amount, reason=row.reason, ref=row.ref) for row in paid],
            )
        )
    return HistoryShape(entries=entries, next=revisions[-1] if len(revisions) == limit and revisions[-1] > 1 else None)


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
    )


def _badge(badge: Badge) -> BadgeShape:
    return BadgeShape(
        id=badge.id,
        name=badge.name,
        description=badge.description,
        icon=badge.icon,
        category=badge.category,  # type: ignore[arg-type]  # the catalog's reader allows only these
        points=badge.points,
        condition=badge.condition_text,
    )


def _next_badge(badge: Badge, steps: list[Step]) -> NextBadgeShape:
    farthest = min(steps, key=lambda step: step.share)
    single = all(step.target == 1 for step in steps)
    what = badge.condition_text if single else " and ".join(step.missing for step in steps)
    return NextBadgeShape(
        id=badge.id,
        name=badge.name,
        icon=badge.icon,
        current=farthest.current,
        target=farthest.target,
        sentence=f"{what} to earn {badge.name}.",
    )


def _ends_at(reading: Reading, today: int, zones: Zones, now: datetime) -> datetime | None:
    """The instant at which the streak would end: the close of the first day that still needs an event."""
    if not reading.length or reading.last_day is None:
        return None
    needed = max(reading.last_day + 1, today)
    skipped = zones.skipped()
    while needed in skipped:
        needed += 1
    return first_moment(needed + 1, zones.at(now))
