"""Scoring: the scores of a user on each leaderboard, in each open period.

Scores from events and points are stored in `Progress.scores`, tallies in `Progress.values_within`, and the days that the
events of each period fed in `Progress.board_days`. `counted` adds to them; after something was taken back, `recounted`
computes them again from all events and the whole ledger. A closed period is never counted again.

An event belongs to one period, by its instant in the leaderboard's zone, whatever the leaderboard counts. The days it counts
are the user's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from laurels.engine.adding import calendar_of
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.instants import micros, midnight
from laurels.engine.leaderboards import Board, Visibility, is_all_time
from laurels.engine.metrics import Metric
from laurels.engine.periods import ALL_TIME, Period
from laurels.engine.progress import (
    NO_SCORES,
    NO_VALUES_WITHIN,
    UNKNOWN,
    BoardDays,
    Progress,
    Scores,
    Tally,
    ValuesWithin,
)
from laurels.engine.ranking import WITHIN, Place
from laurels.engine.streaks import folded
from laurels.engine.values import plain
from laurels.engine.zones import Zones

T = TypeVar("T")

Key = tuple[str, str]
"""A partition of a leaderboard, and a period."""

FARTHEST_EAST = timedelta(hours=26)
"""How much earlier than in a leaderboard's zone a day may begin elsewhere."""

CLOCKS_APART = timedelta(hours=1)
"""How far the clocks of two processes may differ before they disagree about the end of a period."""

_NO_DAYS = Days()


@plain
class Earned:
    """Points, and the instant at which they count."""

    amount: int
    at: datetime


def counted(catalog: Catalog, scores: Scores, event: Event | None, earned: Iterable[Earned], now: datetime) -> Scores:
    """The scores with an event and its earned points added. Commutative, so the order of arrival does not matter.

    Points may be taken away only in `recounted`, because a score stops at MAX_NUMBER.
    """
    grown: dict[str, dict[str, tuple[int, int]]] = {}
    for points in earned:
        for board in catalog.points_boards:
            _add(grown, scores, board, points.at, now, points.amount)
    for board in catalog.fed_boards.get(event.type, ()) if event else ():
        assert event is not None
        assert event.occurred_at is not None
        for name, weight in board.weights or ((board.of, 1),):
            metric = catalog.metrics[name]
            if board.weights and event.type not in metric.events:
                continue
            if not metric.where or metric.where.matches(event):
                _count(grown, scores, board, metric, event, now, weight)
    if not grown:
        return scores
    until = now - CLOCKS_APART  # a process whose clock is behind may still add to these periods
    open_scores = {
        **scores,
        **{name: _open_scores(catalog.boards[name], of_board, until) for name, of_board in grown.items()},
    }
    return {name: of_board for name, of_board in open_scores.items() if of_board}


def values_counted(catalog: Catalog, within: ValuesWithin, event: Event, now: datetime) -> ValuesWithin:
    """The tallies within periods with an event added. Commutative."""
    assert event.occurred_at is not None
    grown: dict[str, Mapping[str, Tally]] = {}
    for board in catalog.tally_boards.get(event.type, ()):
        metric, period = catalog.metrics[board.of], board.periods.at(event.occurred_at)
        if period is None or not board.is_open(period, now) or not metric.where.matches(event):
            continue
        of_board = within.get(board.id, {})
        before = of_board.get(period.key, metric.nothing)
        after = metric.grown_tally(before, event, micros(event.occurred_at))
        if after is not before:
            grown[board.id] = _open(board, {**of_board, period.key: after}, now - CLOCKS_APART)
    return {**within, **grown} if grown else within


def values_recounted(catalog: Catalog, events: Iterable[Event], now: datetime) -> ValuesWithin:
    """The tallies within open periods, from all active events."""
    within = NO_VALUES_WITHIN
    for event in events if catalog.tally_boards else ():
        within = values_counted(catalog, within, event, now)
    return within


def _values_still_open(catalog: Catalog, within: ValuesWithin, now: datetime) -> ValuesWithin:
    """The tallies within periods that are open at this time."""
    found = {
        name: _open(catalog.boards[name], of_board, now) for name, of_board in within.items() if name in catalog.boards
    }
    return {name: of_board for name, of_board in found.items() if of_board}


def days_counted(catalog: Catalog, progress: Progress, event: Event, now: datetime) -> BoardDays | None:
    """The days of leaderboards with an event added: to the period in which it occurred, in the leaderboard's zone.

    `progress` is from after the event. A user whom an earlier version stored gets the days that were read from their own dates.
    """
    boards = catalog.day_boards.get(event.type)
    if boards is None:
        return progress.board_days
    assert event.occurred_at is not None
    grown = progress.board_days
    if grown is None:
        grown = _days_by_dates(catalog, progress, now)
    for board in boards:
        period, day = board.periods.at(event.occurred_at), _day_on(catalog, board, event, progress.zones)
        if period is None or day is None or not board.is_open(period, now):
            continue
        of_board: Mapping[str, Days] = grown.get(board.id, {})
        of_period = of_board.get(period.key, _NO_DAYS)
        if day not in of_period:
            added = {**of_board, period.key: of_period.with_day(day)}
            grown = {**grown, board.id: _open(board, added, now - CLOCKS_APART)}
    return grown


def days_recounted(catalog: Catalog, events: Iterable[Event], zones: Zones, now: datetime) -> BoardDays:
    """The days of leaderboards, counted again from all active events of a user with these zones."""
    progress = Progress(board_days={}, zones=zones)
    for event in events:
        if event.type in catalog.day_boards:
            progress = replace(progress, board_days=days_counted(catalog, progress, event, now))
    return progress.board_days or {}


def _day_on(catalog: Catalog, board: Board, event: Event, zones: Zones) -> int | None:
    """The day, or the unit of a streak, that an event adds to a leaderboard; None if it adds none."""
    assert event.day is not None
    if board.by == "metric":
        return event.day if catalog.metrics[board.of].where.matches(event) else None
    streak = catalog.streaks[board.of]
    too_late = streak.late_days is not None and streak.late_by(event, zones) > streak.late_days
    return None if too_late or not streak.where.matches(event) else streak.unit(streak.day_of(event, zones))


def _days_by_dates(catalog: Catalog, progress: Progress, now: datetime) -> BoardDays:
    """The days of leaderboards by the dates of the user alone, as earlier versions read them."""
    boards = {board.id: board for fed in catalog.day_boards.values() for board in fed}
    found: dict[str, dict[str, Days]] = {}
    for board in boards.values():
        for period in open_periods(board, now):
            days = _within(catalog, board, progress, period)
            if days.bits:
                found.setdefault(board.id, {})[period.key] = days
    return found


def _within(catalog: Catalog, board: Board, progress: Progress, period: Period) -> Days:
    days = progress.days.get(board.of, _NO_DAYS)
    if board.by == "metric":
        return days.within(period.first_day, period.last_day)
    streak = catalog.streaks[board.of]
    for key in progress.partial.get(board.of, ()):
        days = days.with_day(streak.unit(key) if streak.days > 1 else key)  # fed, and not yet credited
    return days.within(streak.unit(max(1, period.first_day)), streak.unit(period.last_day))


def recounted(catalog: Catalog, events: Iterable[Event], earned: Iterable[Earned], now: datetime) -> Scores:
    """The scores computed again from all active events and the whole ledger.

    Entries at one instant that add up to 0 are points that were paid and taken back: they do not count.
    """
    scores = counted(catalog, NO_SCORES, None, still_counting(earned), now)
    for event in events:
        scores = counted(catalog, scores, event, (), now)
    return scores


def still_counting(earned: Iterable[Earned]) -> list[Earned]:
    """What was earned at each instant; what was paid and taken back, or moved, is left out."""
    sums: dict[datetime, int] = defaultdict(int)
    for points in earned:
        sums[points.at] += points.amount
    return [Earned(amount, at) for at, amount in sums.items() if amount]


def reached_at(
    catalog: Catalog, progress: Progress, events: Iterable[Event], earned: Iterable[Earned]
) -> datetime | None:
    """When a user's points were reached: the newest instant at which the ledger has points that still count.

    What a new catalog pays for the past counts at no instant, so that it changes no order of equal points. A user who has
    only such points reached them with the newest event that pays.
    """
    counting = still_counting(earned)
    if counting or not progress.points:
        return max((points.at for points in counting), default=None)
    indexes = catalog.rule_indexes
    paying = [event.occurred_at for event in events if event.type in indexes and indexes[event.type].may_pay(event)]
    return max((at for at in paying if at), default=progress.reached_at)


def still_open(catalog: Catalog, scores: Scores, now: datetime) -> Scores:
    """The scores of periods that are open at this time."""
    open_scores = {
        name: _open_scores(catalog.boards[name], of_board, now)
        for name, of_board in scores.items()
        if name in catalog.boards
    }
    return {name: of_board for name, of_board in open_scores.items() if of_board}


def open_part(catalog: Catalog, progress: Progress, now: datetime) -> Progress:
    """The progress with what leaderboards have in periods that are open at this time, and not in others."""
    scores = still_open(catalog, progress.scores, now)
    values = _values_still_open(catalog, progress.values_within, now)
    stored = progress.board_days
    if stored is None:
        stored = _days_by_dates(catalog, progress, now)
    boards = catalog.boards
    days = {name: _open(boards[name], of_board, now) for name, of_board in stored.items() if name in boards}
    board_days = {name: of_board for name, of_board in days.items() if of_board}
    return replace(progress, scores=scores, values_within=values, board_days=board_days)


def comparable(catalog: Catalog, stored: Progress, truth: Progress, now: datetime) -> Progress:
    """The open part of a stored progress, as it is compared with the one that a rebuild makes.

    What an earlier version did not store is taken from there, unless it would change a score.
    """
    part = open_part(catalog, stored, now)
    if stored.board_days is None and _day_scores(catalog, part) == _day_scores(catalog, truth):
        part = replace(part, board_days=truth.board_days)
    known = {**truth.cap_reached, **stored.cap_reached}
    return replace(part, newest=truth.newest if stored.newest == UNKNOWN else stored.newest, cap_reached=known)


def _day_scores(catalog: Catalog, progress: Progress) -> dict[Key, tuple[int, int]]:
    scores = {
        (name, key): _score_of_days(catalog, catalog.boards[name], progress, days)
        for name, of_board in (progress.board_days or {}).items()
        for key, days in of_board.items()
    }
    return {key: score for key, score in scores.items() if score[0]}


def is_closed(catalog: Catalog, partition: str, period_key: str, now: datetime) -> bool:
    """Whether a period of a leaderboard takes no more events; False for leaderboards and periods that are not in the catalog."""
    board = catalog.boards.get(partition.partition(WITHIN)[0])
    if board and board.retired:
        return True
    period = board.periods.named(period_key) if board else None
    return bool(board and period and not board.is_open(period, now))


def may_be_closed(catalog: Catalog, partition: str, period_key: str, now: datetime) -> bool:
    """Whether a period may have been closed by a process whose clock is ahead, or under an older catalog."""
    board = catalog.boards.get(partition.partition(WITHIN)[0])
    period = board.periods.named(period_key) if board else None
    if period is None or board is None or not board.is_open(period, now):
        return True
    return period.end is not None and period.end - CLOCKS_APART <= now


def places(
    catalog: Catalog,
    user_id: str,
    progress: Progress,
    groups: Collection[str],
    visibility: Visibility | None,
    now: datetime,
) -> dict[Key, Place]:
    """The places of a user: one for each partition and open period in which they have a score."""
    found: dict[Key, Place] = {}
    for board in () if progress.manual.excluded else catalog.boards.values():
        if board.retired:
            continue
        partitions = board.partitions(groups, visibility)
        for key, (score, reached_at) in _scores(catalog, board, progress, now) if partitions else ():
            place = board.place(score, reached_at, user_id)
            found |= {(partition, key): place for partition in partitions if place}
    return found


def _scores(catalog: Catalog, board: Board, progress: Progress, now: datetime) -> Iterable[tuple[str, tuple[int, int]]]:
    """A user's scores on one leaderboard, by the keys of its open periods."""
    if board.by == "points" and board.periods.kind == ALL_TIME:
        reached_at = progress.reached_at
        return [(ALL_TIME, (progress.points, micros(reached_at)))] if reached_at else []
    if catalog.is_scored_by_tallies(board):
        return [(key, (tally.number, tally.reached_at)) for key, tally in _tallies(board, progress, now).items()]
    if not catalog.is_scored_by_days(board):
        return _open(board, progress.scores.get(board.id, {}), now).items()
    if is_all_time(board):
        return _scores_of_all_days(catalog, board, progress)
    board_days = progress.board_days
    if board_days is None:
        board_days = _days_by_dates(catalog, progress, now)
    of_board = _open(board, board_days.get(board.id, {}), now)
    scores = {key: _score_of_days(catalog, board, progress, days) for key, days in of_board.items()}
    return [(key, score) for key, score in scores.items() if score[0]]


def _tallies(board: Board, progress: Progress, now: datetime) -> Mapping[str, Tally]:
    """A user's tallies on one leaderboard, by the keys of its open periods."""
    if board.periods.kind != ALL_TIME:
        return _open(board, progress.values_within.get(board.id, {}), now)
    tally = progress.values.get(board.of)
    return {ALL_TIME: tally} if tally else {}


def _scores_of_all_days(catalog: Catalog, board: Board, progress: Progress) -> list[tuple[str, tuple[int, int]]]:
    """The number of days, or the longest run, of all time, and its last day as an instant; nothing without any day."""
    days, fold = progress.days.get(board.of), progress.folds.get(board.of)
    if board.by == "metric":
        return [(ALL_TIME, (len(days), midnight(days.last)))] if days else []
    return [(ALL_TIME, (fold.longest, midnight(catalog.streaks[board.of].first_day(fold.longest_end))))] if fold else []


def _score_of_days(catalog: Catalog, board: Board, progress: Progress, days: Days) -> tuple[int, int]:
    """The number of days, or the longest run, within a period whose events fed these days, and its last day."""
    if board.by == "metric":
        return len(days), midnight(days.last)
    streak = catalog.streaks[board.of]
    credited = days & progress.days.get(board.of, _NO_DAYS)
    if not credited.bits:
        return 0, 0
    fold = folded(streak, credited, calendar_of(streak, progress))
    return fold.longest, midnight(streak.first_day(fold.longest_end))


def open_periods(board: Board, now: datetime) -> list[Period]:
    """The open periods of which a day has begun somewhere on Earth, newest first."""
    periods = board.periods
    if periods.kind == "season":
        begun = [one for one in periods.all_seasons() if one.start and one.start <= now + FARTHEST_EAST]
        return [one for one in reversed(begun) if board.is_open(one, now)]
    found: list[Period] = []
    period = periods.at(now + FARTHEST_EAST)
    while period and board.is_open(period, now):
        found.append(period)
        period = periods.before(period)
    return found


def _add(
    grown: dict[str, dict[str, tuple[int, int]]], scores: Scores, board: Board, at: datetime, now: datetime, amount: int
) -> None:
    """Add points to the score of the period in which they count, if it is open."""
    period = board.periods.at(at)
    if not amount or period is None or not board.is_open(period, now):
        return
    of_board = grown.setdefault(board.id, dict(scores.get(board.id, {})))
    before, reached_at = of_board.get(period.key, (0, 0))
    of_board[period.key] = (before + amount, max(reached_at, micros(at)))


def _count(
    grown: dict[str, dict[str, tuple[int, int]]],
    scores: Scores,
    board: Board,
    metric: Metric,
    event: Event,
    now: datetime,
    weight: int,
) -> None:
    """Count an event in the score of the period in which it occurred, if that is open."""
    assert event.occurred_at is not None
    period = board.periods.at(event.occurred_at)
    if period is None or not board.is_open(period, now):
        return
    before = grown.get(board.id, scores.get(board.id, {})).get(period.key)
    after = metric.scored(before, event, micros(event.occurred_at), weight)
    if after is None or after == before or not (after[0] or board.ranks_zero or metric.keeps_zero):
        return
    grown.setdefault(board.id, dict(scores.get(board.id, {})))[period.key] = after


def _open_scores(board: Board, of_board: Mapping[str, tuple[int, int]], now: datetime) -> dict[str, tuple[int, int]]:
    """The scores of a leaderboard in its open periods, none above MAX_NUMBER."""
    return {key: (min(score, MAX_NUMBER), at) for key, (score, at) in _open(board, of_board, now).items()}


def _open(board: Board, of_board: Mapping[str, T], now: datetime) -> dict[str, T]:
    """What is stored for the periods that are open."""
    found: dict[str, T] = {}
    for key, stored in of_board.items():
        period = board.periods.named(key)
        if period and board.is_open(period, now):
            found[key] = stored
    return found
