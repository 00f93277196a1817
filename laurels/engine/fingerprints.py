"""The fingerprint of a catalog: what of it decides. Users who were judged under another one are rebuilt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from laurels.engine.badges import KEEP, Badge
from laurels.engine.leaderboards import THE_POINTS, Board, is_all_time
from laurels.engine.levels import Levels
from laurels.engine.metrics import Metric, deciding
from laurels.engine.points import PointRule
from laurels.engine.policies import KEEP as KEEP_PAST
from laurels.engine.streaks import Streak


def fingerprint(
    levels: Levels,
    metrics: Mapping[str, Metric],
    streaks: Mapping[str, Streak],
    rules: tuple[PointRule, ...],
    badges: tuple[Badge, ...],
    boards: Mapping[str, Board],
    *,
    as_before: bool = False,
) -> str:
    """16 hex digits of everything that decides what is earned. Users whose progress has another one are rebuilt.

    The names of fields and conditions are part of it: renaming one would rebuild every user. `as_before` gives the one that
    versions without `_later_deciding` stored for the same catalog.
    """
    wordless = [_deciding_of_metric(metric) for metric in metrics.values()]
    deciding: dict[str, Any] = {
        "metrics": wordless,
        "streaks": [_deciding_streak(streak) for streak in streaks.values()],
        "rules": [_deciding_rule(rule) for rule in rules],
        "badges": [_deciding_badge(badge) for badge in badges],
        "levels": levels.thresholds,
    }
    scored = [
        {**_deciding(board), **({} if as_before else _later_deciding(board, metrics))}
        for board in boards.values()
        if _deciding(board) != _deciding(THE_POINTS)
    ]
    if scored:
        deciding["boards"] = scored
    text = json.dumps(deciding, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _deciding(board: Board) -> dict[str, Any]:
    """The settings of a leaderboard that decide ranks. The names are part of the fingerprint, so they never change."""
    fields = _renaming(asdict(board))
    del fields["notify_top"], fields["readers"], fields["closed_until"], fields["periods"]["reused"]
    del fields["scale"]  # the metric has it
    for name in (
        "weights",
        "except_groups",
        "within",
    ):  # newer than fingerprints: part of them only where they are used
        if not fields[name]:
            del fields[name]
    # A longer `late` reopens periods, and events that came too late before count then.
    late = None if is_all_time(board) else board.late
    unused = {"name": "", "ties": "", "tell_top": 0, "team_score": ""}
    return {**fields, **unused, "late": late, "visibility": board.visibility == "hidden"}


def _deciding_of_metric(metric: Metric) -> dict[str, Any]:
    """The settings of a metric that decide. Those that came later are left out where they have their default."""
    later = {key: value for key, value in (("not_self", metric.not_self), ("missing", metric.missing)) if value}
    fields = {key: value for key, value in deciding(metric).items() if key not in ("not_self", "missing")}
    return {**fields, **later} if metric.kind == "distinct" else fields


def _later_deciding(board: Board, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """What changed how some leaderboards are computed, since fingerprints were first stored: their users are rebuilt."""
    metric = metrics.get(board.of)
    found: dict[str, Any] = {"zeros": True} if board.ranks_zero and metric and metric.reads_data else {}
    if board.teams and board.visibility == "hidden":
        found["teams"] = "shown"  # without hidden members; migrations left out those who had chosen to be hidden
    return found


def _deciding_streak(streak: Streak) -> dict[str, Any]:
    """The settings of a streak that decide. One that is newer than fingerprints is part of them only where it is used."""
    fields = _renaming(asdict(streak))
    cadence = fields.pop("cadence")
    fields["weekly"] = cadence == "weekly"  # as before there were months
    if cadence == "monthly":
        fields["monthly"] = True
    del fields["title"]
    unused = {"day_starts": 0, "days": 1, "week_starts": "mon", "amounts": ()}
    return {name: value for name, value in fields.items() if name not in unused or unused[name] != value}


def _deciding_rule(rule: PointRule) -> dict[str, Any]:
    """The settings of a version of a point rule, with the period in which it counts if that has a limit."""
    later = ("since", "until", "amounts", "caps", "cap_per_week", "boosts", "kind")
    fields = {name: value for name, value in asdict(rule).items() if name not in ("past", "counter")}
    fields["boosts"] = sorted((boost.deciding for boost in rule.boosts), key=repr)
    return {name: value for name, value in fields.items() if name not in later or value}


def _deciding_badge(badge: Badge) -> list[Any]:
    holders = "" if badge.holders == KEEP else badge.holders
    supply = badge.supply and f"supply {badge.supply}"
    past = "" if badge.past == KEEP_PAST else badge.past
    later = filter(None, [badge.was, badge.retired, holders, supply, past, badge.also_pays])
    return [badge.id, badge.points, repr(badge.condition), *later]


def _renaming(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a noun without those that say it was renamed or retired, unless it was: the fingerprints of others stay."""
    return {name: value for name, value in fields.items() if name not in ("was", "retired") or value}
