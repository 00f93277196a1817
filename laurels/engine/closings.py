"""Closed periods: each keeps its own bounds and rule, whatever the catalog has under the same key later.

The rule is stored as JSON: what was counted (with the metric's definition), in which order and with which ties. With it a
closed period is read, and the lines in it are compared with what its users did before it closed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, cast

from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.instants import micros
from laurels.engine.leaderboards import Board
from laurels.engine.metrics import DAILY, TALLIED, Metric, deciding
from laurels.engine.periods import Period
from laurels.engine.scoring import CLOCKS_APART, Earned, still_counting
from laurels.engine.values import plain
from laurels.engine.where import Where

SHOWN = "shown"
"""The part of a rule that decides only what is shown, so that a change of it needs no recomputing."""

DOUBT = "doubt"
"""The part of a rule that says what is not certain, because an older version closed the period without storing its rule."""

ANY_DAY = timedelta(hours=38)
"""How far the midnight (UTC) of a user's day may lie from an event of that day."""


def board_rule(catalog: Catalog, board: Board) -> dict[str, Any]:
    """Everything that decides the standings of a leaderboard, and what is shown of them."""
    source: Any = None
    if board.weights:
        source = [deciding(catalog.metrics[name]) for name, _ in board.weights]
    elif board.by == "metric":
        source = deciding(catalog.metrics[board.of])
    elif board.by == "streak":
        source = {key: value for key, value in asdict(catalog.streaks[board.of]).items() if key != "amounts" or value}
    periods = board.periods
    rule: dict[str, Any] = {
        "by": board.by,
        "of": board.of,
        "source": source,
        "order": "highest" if board.highest else "lowest",
        "period": periods.kind,
        "zone": periods.zone,
        "weekStart": periods.week_start,
        "seasons": periods.seasons,
        "groups": board.groups,
        "lateSeconds": int(board.late.total_seconds()),
        "teams": board.teams,
        "hidden": board.visibility == "hidden",
        SHOWN: {"ties": board.ties, "teamScore": board.team_score},
    }
    # These came later: without them, the rule of a leaderboard is the one that earlier versions stored.
    later = {"weights": dict(board.weights), "exceptGroups": board.except_groups, "within": board.within}
    rule |= {key: value for key, value in later.items() if value}
    return json.loads(json.dumps(rule, default=_plain))


def _plain(value: Any) -> Any:
    return sorted(cast(frozenset[Any], value)) if isinstance(value, frozenset) else str(value)


def rule_text(rule: dict[str, Any]) -> str:
    """A rule as it is stored: equal rules give equal texts."""
    return json.dumps(rule, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def standings_rule(catalog: Catalog, board: Board) -> str:
    """What decides the open standings of a leaderboard: they are recomputed when it changes."""
    rule = board_rule(catalog, board)
    del rule[SHOWN]
    if not board.periods.seasons:
        del rule["seasons"]
    return rule_text(rule)


def with_rule(board: Board, text: str | None) -> Board:
    """A leaderboard as it was when a period of it closed. What the rule does not say is as the catalog has it."""
    rule: dict[str, Any] = json.loads(text) if text else {}
    shown: dict[str, Any] = rule.get(SHOWN, {})
    return replace(
        board,
        by=rule.get("by", board.by),
        of=rule.get("of", board.of),
        highest=rule.get("order", "highest" if board.highest else "lowest") == "highest",
        ties=shown.get("ties", board.ties),
        teams=rule.get("teams", board.teams),
        team_score=shown.get("teamScore", board.team_score),
        groups=tuple(rule.get("groups", board.groups)),
        scale=max((source.get("scale", 1) for source, _ in weighted_sources(rule)), default=1) if rule else board.scale,
        except_groups=tuple(rule.get("exceptGroups", () if rule else board.except_groups)),
        within=rule.get("within", "" if rule else board.within),
        weights=tuple(rule.get("weights", {} if rule else dict(board.weights)).items()),
    )


def closes_at(text: str | None, end: datetime | None) -> datetime | None:
    """When a period with this rule and end stops taking events; None if that is not known."""
    rule: dict[str, Any] = json.loads(text) if text else {}
    return end + timedelta(seconds=rule["lateSeconds"]) if end and "lateSeconds" in rule else None


def is_of_kind(text: str | None, key: str, board: Board) -> bool:
    """Whether a period with this rule and key is of the kind of periods that a leaderboard has now."""
    kind = json.loads(text).get("period") if text else None
    return board.periods.named(key) is not None if kind is None else kind == board.periods.kind


# ---- closed by an older version ---------------------------------------------------------------


@plain
class Completed:
    """The bounds and the rule of a period that an older version closed; see `completed`."""

    start: datetime | None
    end: datetime | None
    rule: str


def completed(
    catalog: Catalog, board: Board | None, key: str, closed_at: datetime, sort_keys: tuple[int, int] | None
) -> Completed:
    """The bounds and the rule of a period that was closed without storing them.

    They are those of the catalog, as far as they can be: a period that could not have been closed at that time has other bounds,
    which are unknown, and the sort keys of its lines show the order. What the catalog contradicts is noted as a doubt.
    """
    rule = board_rule(catalog, board) if board else {}
    period = board.periods.named(key) if board else None
    closes_at = board.closes_at(period) if board and period else None
    doubts: list[str] = []
    if board and (closes_at is None or closes_at > closed_at + CLOCKS_APART):
        doubts.append("bounds")
        period = None
    if sort_keys and (sort_keys[0] >= 0 or sort_keys[1] <= 0) and sort_keys != (0, 0):
        order = "lowest" if sort_keys[0] >= 0 else "highest"
        if rule and rule["order"] != order:
            doubts.append("order")
        rule["order"] = order
    if doubts:
        rule[DOUBT] = doubts
    return Completed(period.start if period else None, period.end if period else None, rule_text(rule))


def doubts(text: str | None) -> list[str]:
    """What is not certain about the rule of a closed period: its bounds, its order."""
    return json.loads(text).get(DOUBT, []) if text else []


def without_doubts(text: str) -> str:
    """The rule, taken as certain."""
    rule = json.loads(text)
    rule.pop(DOUBT, None)
    return rule_text(rule)


@plain
class Closed:
    """A closed period: its bounds (None: unknown), and when it closed."""

    board: str
    key: str
    start: datetime | None
    end: datetime | None
    closed_at: datetime


def reused_keys(catalog: Catalog, closed: Iterable[Closed]) -> dict[str, tuple[frozenset[str], datetime | None]]:
    """Leaderboard -> the keys of periods that closed with other bounds than the catalog has, and until when all is closed.

    That is the end of the newest of them, or of the newest period that closed sooner than it would under this catalog.
    """
    found: dict[str, tuple[frozenset[str], datetime | None]] = {}
    for one in closed:
        board = catalog.boards.get(one.board)
        period = replace(board.periods, reused=frozenset()).named(one.key) if board else None
        if not board or not period or period.key != one.key:
            continue
        differs = (period.start, period.end) != (one.start, one.end)
        if differs or (period.end and one.closed_at < period.end + board.late):
            keys, until = found.get(one.board, (frozenset[str](), None))
            keys |= {one.key} if differs else frozenset()
            found[one.board] = keys, max(filter(None, (until, one.end)), default=None)
    return found


# ---- before another catalog is in force ---------------------------------------------------------

BOUNDS = ("period", "zone", "weekStart", "seasons", "lateSeconds")
"""The parts of a rule that only say when its periods begin and end, and how long they take events."""

TEXTS = ("name", "was", "retired")
"""The parts of what is counted that decide no score."""


@plain
class Ended:
    """A period that has to be closed before another catalog is in force, with the rule under which its lines are."""

    board: str
    period: Period
    rule: str


def ended_before(
    present: Catalog, following: Catalog, periods: Iterable[tuple[str, str]], now: datetime
) -> Iterator[Ended]:
    """Which of these (leaderboard, key) have ended and must be closed before `following` is in force.

    They are those whose lines it would count, order or name in another way, and those that are due. What ended is over: a
    period that still takes late events is closed, too, rather than counted again under another rule.
    """
    for board_id, key in periods:
        board = present.boards.get(board_id)
        period = board.periods.named(key) if board else None
        if not board or not period or not period.end or period.end > now:
            continue
        other = following.boards.get(following.renames.boards.get(board_id, board_id))
        same = other is not None and _counts_alike(present, board, following, other, period)
        if board.retired and (same or not other or other.retired):
            continue  # no period of a retired leaderboard closes
        if not same or (other and _is_due(board, period, now) and _is_due(other, period, now)):
            rule = board_rule(present, board)
            rule["lateSeconds"] = min(rule["lateSeconds"], int((now - period.end).total_seconds()))
            yield Ended(board_id, period, rule_text(rule))


def _is_due(board: Board, period: Period, now: datetime) -> bool:
    return not replace(board, retired=False).is_open(period, now)


def _counts_alike(present: Catalog, board: Board, following: Catalog, other: Board, period: Period) -> bool:
    """Whether a period has the same bounds and the same lines under both catalogs."""
    named = other.periods.named(period.key)
    if named is None or (named.start, named.end) != (period.start, period.end):
        return False
    return _counting(present, board, following) == _counting(following, other, following)


def _counting(catalog: Catalog, board: Board, following: Catalog) -> dict[str, Any]:
    """What decides the lines of a period with given bounds. Streaks have their ids of the catalog that follows."""
    rule = board_rule(catalog, board)
    rule["source"] = [
        {key: value for key, value in source.items() if key not in TEXTS} for source, _ in weighted_sources(rule)
    ]
    if board.by == "streak":
        rule["of"] = following.renames.streaks.get(board.of, board.of)
    return {key: value for key, value in rule.items() if key not in (*BOUNDS, SHOWN)}


# ---- comparing lines with what users did ----------------------------------------------------------


@plain
class Closing:
    """A closed period as its lines are compared: its bounds (None: unknown), its rule, and when it closed."""

    start: datetime | None
    end: datetime | None
    rule: str
    closed_at: datetime


@plain
class Deed:
    """An active event, and when it was recorded."""

    event: Event
    recorded_at: datetime


@plain
class Entry:
    """A ledger entry, and when it was booked."""

    earned: Earned
    booked_at: datetime


Score = tuple[int, int]
"""A score, and when it was reached in microseconds since 1970."""


def is_possible(closing: Closing, sort_key: int, reached_at: int) -> bool:
    """Whether a line can be of this period at all: by the sign of its sort key, and by the time at which it was reached."""
    rule: dict[str, Any] = json.loads(closing.rule)
    if sort_key > 0 if rule.get("order", "highest") == "highest" else sort_key < 0:
        return False
    slack = micros(closing.closed_at + ANY_DAY) - micros(closing.closed_at) if _by_days(rule) else 0
    if closing.start and reached_at < micros(closing.start) - slack:
        return False
    return reached_at < micros(closing.end or closing.closed_at) + slack


def _by_days(rule: dict[str, Any]) -> bool:
    return rule.get("by") == "streak" or any(
        source.get("kind") == "distinct_days" or DAILY & source.keys() for source, _ in weighted_sources(rule)
    )


def weighted_sources(rule: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """The settings of the metrics or of the streak that a leaderboard counts, with their weights; empty by points."""
    source: Any = rule.get("source") or {}
    if "weights" in rule:
        return list(zip(source, rule["weights"].values(), strict=True))
    return [(source, 1)] if source else []


def own_scores(closing: Closing, deeds: Sequence[Deed], entries: Sequence[Entry]) -> list[Score] | None:
    """The scores that a user can have had when the period closed, the likeliest first; None if they cannot be computed again.

    There are several because a period is closed by the clock of the first process that notices.
    """
    rule: dict[str, Any] = json.loads(closing.rule)
    if closing.start is None or closing.end is None or "lateSeconds" not in rule:
        return None
    due = closing.end + timedelta(seconds=rule["lateSeconds"])
    cuts = (due, due + CLOCKS_APART, due - CLOCKS_APART, closing.closed_at)
    if rule["by"] == "points":
        return [_points(closing, entries, cut) for cut in cuts]
    sources = weighted_sources(rule)
    if rule["by"] != "metric" or not all(_is_a_number(source) for source, _ in sources):
        return None
    metrics = [(_metric(source), weight) for source, weight in sources]
    return [_number(closing, metrics, deeds, cut) for cut in cuts]


def _metric(source: dict[str, Any]) -> Metric:
    """The metric with these stored settings."""
    fields: dict[str, Any] = {**source, "events": tuple(source["events"]), "one": "", "many": ""}
    fields["where"] = Where(source["where"])
    return Metric(**fields)


def _is_a_number(source: dict[str, Any]) -> bool:
    """Whether the score by a metric with these settings is a number that can be computed again from events alone."""
    return source.get("kind") in ("count", "sum", "max") and not TALLIED & source.keys()


def _within(closing: Closing, instant: datetime | None) -> bool:
    assert closing.start
    assert closing.end
    return instant is not None and closing.start <= instant < closing.end


def _points(closing: Closing, entries: Iterable[Entry], cut: datetime) -> Score:
    booked = (entry.earned for entry in entries if entry.booked_at < cut and _within(closing, entry.earned.at))
    counting = still_counting(booked)
    score = sum(points.amount for points in counting)
    return min(score, MAX_NUMBER), max((micros(points.at) for points in counting), default=0)


def _number(closing: Closing, metrics: Sequence[tuple[Metric, int]], deeds: Iterable[Deed], cut: datetime) -> Score:
    """The score of metrics with their weights; several are only added, so one of kind `max` is alone."""
    score = reached_at = 0
    for deed in deeds:
        event = deed.event
        if deed.recorded_at >= cut or not _within(closing, event.occurred_at):
            continue
        assert event.occurred_at is not None
        at = micros(event.occurred_at)
        for metric, weight in metrics:
            amount = _amount(metric, event)
            if not amount:
                continue
            if metric.kind != "max":
                score, reached_at = min(score + amount * weight, MAX_NUMBER), max(reached_at, at)
            elif amount > score or (amount == score and at < reached_at):
                score, reached_at = amount, at
    return score, reached_at


def _amount(metric: Metric, event: Event) -> int | None:
    """The number that an event adds to a metric; None if it adds none."""
    if event.type not in metric.events or not metric.where.matches(event):
        return None
    return 1 if metric.kind == "count" else metric.amount(event)
