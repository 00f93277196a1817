"""The index of rules: what an event of each type can change, and which leaderboards it feeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from laurels.engine.availability import metric_of
from laurels.engine.badges import Badge
from laurels.engine.conditions import AtLeast, AtMost, StreakOf
from laurels.engine.events import Event
from laurels.engine.leaderboards import Board, is_all_time
from laurels.engine.metrics import Metric, Stored
from laurels.engine.points import PointRule
from laurels.engine.sequences import Chain, chains_of
from laurels.engine.streaks import Streak
from laurels.engine.where import DAYS, WhereWithin


@dataclass(frozen=True, slots=True)
class RuleIndex:
    """Everything that an event of one type can change.

    rules    the point rules of the contract's points, each with its earlier versions; of_kinds: those of other kinds
    numbers  the metrics of which a number or a set of days is stored; tallied: those of which a tally is
    reading  the metrics that read something in its data
    naming   the keys of its data under which it names other users, see `Metric.not_self`
    chains   the conditions in order for which it may count
    repeatable  the badges among `badges` that users may have several times
    """

    metrics: tuple[Metric, ...]
    streaks: tuple[Streak, ...]
    rules: tuple[PointRule, ...]
    badges: tuple[Badge, ...]
    reading: tuple[Metric, ...]
    naming: tuple[str, ...] = ()
    numbers: tuple[Metric, ...] = ()
    tallied: tuple[Metric, ...] = ()
    chains: tuple[Chain, ...] = ()
    of_kinds: tuple[PointRule, ...] = ()
    repeatable: tuple[Badge, ...] = ()

    def may_pay(self, event: Event) -> bool:
        """Whether a rule of the contract's points counts for an event of this type when it occurred."""
        return _any_in_force(self.rules, event)

    def counts(self, event: Event) -> bool:
        """Whether anything but an earlier version of a point rule counts for an event of this type."""
        return bool(self.metrics or self.streaks) or _any_in_force((*self.rules, *self.of_kinds), event)


def _any_in_force(rules: Iterable[PointRule], event: Event) -> bool:
    return any(not rule.is_dated or rule.is_in_force(event) for rule in rules)


def pays(rule: PointRule, event: Event) -> bool:
    """Whether this version of a rule pays for an event of one of its types. All that pays or explains asks here."""
    if (rule.since is not None or rule.until is not None) and not rule.is_in_force(event):
        return False
    return not rule.where or rule.where.matches(event)


def within_periods(boards: Iterable[Board]) -> list[Board]:
    """The leaderboards that count within periods."""
    return [board for board in boards if not is_all_time(board)]


def fed_boards_of(
    boards: Iterable[Board], metrics: Mapping[str, Metric], stored: Stored
) -> dict[str, tuple[Board, ...]]:
    """Event type -> the leaderboards by a metric of which this is stored that it changes."""
    fed: dict[str, tuple[Board, ...]] = {}
    for board in boards:
        names = [name for name, _ in board.weights] or ([board.of] if board.by == "metric" else [])
        found = [metrics[name] for name in names if name in metrics and metrics[name].stored == stored]
        for event_type in dict.fromkeys(event_type for metric in found for event_type in metric.events):
            fed[event_type] = (*fed.get(event_type, ()), board)
    return fed


def day_boards_of(
    boards: Iterable[Board], metrics: Mapping[str, Metric], streaks: Mapping[str, Streak]
) -> dict[str, tuple[Board, ...]]:
    """Event type -> the leaderboards within periods whose days it adds to."""
    fed: dict[str, tuple[Board, ...]] = {}
    for board in boards:
        metric = metrics.get(board.of) if board.by == "metric" else None
        streak = streaks.get(board.of) if board.by == "streak" else None
        source = metric if metric and metric.stored == "days" else streak
        for event_type in source.events if source and not is_all_time(board) else ():
            fed[event_type] = (*fed.get(event_type, ()), board)
    return fed


def counted_metrics(metrics: Mapping[str, Metric], badges: Iterable[Badge]) -> dict[str, Metric]:
    """The metrics, and those that count only events of the days in which a badge is available, by the names in its condition."""
    found = dict(metrics)
    for badge in badges:
        window = badge.available
        for part in badge.condition.parts() if window else ():
            if window and isinstance(part, AtLeast | AtMost) and (metric := metrics.get(metric_of(part.metric))):
                where = WhereWithin({**metric.where, DAYS: (window.first, window.end)})
                found[part.metric] = replace(metric, name=part.metric, where=where)
    return found


def rule_indexes_of(
    metrics: Mapping[str, Metric],
    streaks: Mapping[str, Streak],
    rules: tuple[PointRule, ...],
    badges: tuple[Badge, ...],
) -> dict[str, RuleIndex]:
    """Event type -> what an event of it can change."""
    chains = chains_of((badge.condition for badge in badges), metrics)
    rule_indexes: dict[str, RuleIndex] = {}
    for event_type in _event_types([*metrics.values(), *streaks.values(), *rules]):
        fed = tuple(metric for metric in metrics.values() if event_type in metric.events)
        fed_streaks = tuple(streak for streak in streaks.values() if event_type in streak.events and not streak.retired)
        touched = {metric.name for metric in fed} | {streak.name for streak in fed_streaks}
        rule_indexes[event_type] = RuleIndex(
            metrics=fed,
            streaks=fed_streaks,
            rules=tuple(rule for rule in rules if event_type in rule.events and not rule.kind),
            of_kinds=tuple(rule for rule in rules if event_type in rule.events and rule.kind),
            badges=tuple(badge for badge in badges if _touches(badge, touched)),
            repeatable=tuple(badge for badge in badges if badge.repeatable and _touches(badge, touched)),
            reading=tuple(metric for metric in fed if metric.reads_data and DAYS not in metric.where),
            naming=tuple(dict.fromkeys(metric.of for metric in fed if metric.not_self)),
            numbers=tuple(metric for metric in fed if metric.stored != "tally"),
            tallied=tuple(metric for metric in fed if metric.stored == "tally"),
            chains=tuple(chain for chain in chains.values() if chain.is_fed_by(event_type)),
        )
    return rule_indexes


def _event_types(nouns: Iterable[Metric | Streak | PointRule]) -> dict[str, None]:
    return dict.fromkeys(event_type for noun in nouns for event_type in noun.events)


def _touches(badge: Badge, names: set[str]) -> bool:
    return any(
        (isinstance(part, AtLeast | AtMost) and part.metric in names)
        or (isinstance(part, StreakOf) and part.streak in names)
        for part in badge.condition.parts()
    )


def depends_on(badge: Badge, *kinds: type) -> bool:
    """Whether a condition of one of these kinds is in the badge's condition."""
    return any(isinstance(part, kinds) for part in badge.condition.parts())
