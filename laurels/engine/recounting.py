"""Recounting: what of a user another catalog counts differently, counted again from the events that it concerns.

What both catalogs count alike is stored, and stays as it is. So only events of some types are read, and of them only what the
rules that differ need.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from laurels.engine.adding import add_event, calendar_of
from laurels.engine.badges import Badge
from laurels.engine.caps import pay_into
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import AtLeast, AtMost, StreakOf
from laurels.engine.counting import NOTHING_COUNTED, count
from laurels.engine.events import Event
from laurels.engine.fingerprints import fingerprint
from laurels.engine.leaderboards import Board
from laurels.engine.levels import Levels
from laurels.engine.metrics import Metric, deciding
from laurels.engine.points import PointRule
from laurels.engine.policies import KEEP
from laurels.engine.progress import Progress, limited
from laurels.engine.rule_index import RuleIndex, pays, rule_indexes_of
from laurels.engine.streaks import Streak, folded


@dataclass(frozen=True, slots=True)
class Recount:
    """What differs between two catalogs and is computed from events.

    types     the types of the events that are needed
    indexes   event type -> the metrics and streaks that are counted again
    metrics, streaks  the names of those that are new, gone or different
    before, after     the versions of point rules whose pay may differ
    badges    the badges whose conditions read what is counted again
    """

    types: frozenset[str]
    indexes: Mapping[str, RuleIndex]
    metrics: frozenset[str]
    streaks: frozenset[str]
    before: tuple[PointRule, ...]
    after: tuple[PointRule, ...]
    badges: tuple[Badge, ...]
    reads_data: bool
    reads_recording: bool
    reads_days: bool

    @property
    def is_of_totals(self) -> bool:
        """Whether only totals of metrics differ: then neither points of rules nor streaks do."""
        return not self.streaks and not self.before and not self.after

    @property
    def is_nothing(self) -> bool:
        """Whether nothing that a plan shows is counted differently."""
        return self.is_of_totals and not self.types and not self.metrics


def recount_of(present: Catalog, following: Catalog, paying: Collection[PointRule] = ()) -> Recount | None:
    """What must be counted again if a catalog follows the present one; None if that needs everything stored of a user.

    Everything is needed for names, leaderboards, copies of limited badges, badges for some days, kinds of points, conditions
    in order and retired streaks that differ. Metrics that no badge reads are left out: nothing shows them. `paying` are point
    rules whose events are needed, too.
    """
    metrics, streaks = _changed_metrics(present, following), _changed_streaks(present, following)
    if (
        present.renames != following.renames
        or present.limited
        or following.limited
        or any(badge.available for badge in (*present.badges, *following.badges))
        or any(rule.kind for rule in (*present.versions, *following.versions))
        or _ranking(present.boards) != _ranking(following.boards)
        or any(_is_fed(board, metrics, streaks) for board in following.boards.values())
        or not following.chains.keys() <= present.chains.keys()
        or any(one.name in metrics for chain in following.chains.values() for of in chain.metrics for one in of)
        or any(name in following.streaks and following.streaks[name].retired for name in streaks)
        or any(name in following.metrics and following.metrics[name].not_self for name in metrics)
    ):
        return None
    read = {
        part.metric
        for badge in following.badges
        for part in badge.condition.parts()
        if isinstance(part, AtLeast | AtMost)
    }
    metrics &= read
    counted = {name: following.metrics[name] for name in sorted(metrics) if name in following.metrics}
    credited = {name: following.streaks[name] for name in sorted(streaks) if name in following.streaks}
    before, after = _changed_rules(present.versions, following.versions)
    nouns: list[Metric | Streak | PointRule] = [*counted.values(), *credited.values(), *before, *after, *paying]
    return Recount(
        types=frozenset(event_type for noun in nouns for event_type in noun.events),
        indexes=rule_indexes_of(counted, credited, (), ()),
        metrics=metrics,
        streaks=streaks,
        before=before,
        after=after,
        badges=tuple(badge for badge in following.badges if _reads(badge, metrics, streaks)),
        reads_data=any(noun.where for noun in nouns) or any(metric.reads_data for metric in counted.values()),
        reads_recording=any(streak.day_starts for streak in credited.values()),
        reads_days=_reads_days(counted.values(), credited, (*before, *after, *paying)),
    )


def _reads_days(metrics: Iterable[Metric], streaks: Collection[str], rules: Iterable[PointRule]) -> bool:
    """Whether any of these depends on the days of events."""
    by_day = any(metric.kind == "distinct_days" or metric.stored == "tally" for metric in metrics)
    return bool(streaks) or by_day or any(rule.follows_days for rule in rules)


def _ranking(boards: Mapping[str, Board]) -> str:
    return fingerprint(Levels((), ()), {}, {}, (), (), boards)


def _is_fed(board: Board, metrics: Collection[str], streaks: Collection[str]) -> bool:
    """Whether a leaderboard ranks by something that is counted again."""
    names = [name for name, _ in board.weights] or [board.of]
    changed = streaks if board.by == "streak" else metrics if board.by == "metric" else ()
    return any(name in changed for name in names)


def _reads(badge: Badge, metrics: Collection[str], streaks: Collection[str]) -> bool:
    return any(
        (isinstance(part, AtLeast | AtMost) and part.metric in metrics)
        or (isinstance(part, StreakOf) and part.streak in streaks)
        for part in badge.condition.parts()
    )


def _changed_metrics(present: Catalog, following: Catalog) -> frozenset[str]:
    before = {name: repr(deciding(metric)) for name, metric in present.metrics.items()}
    after = {name: repr(deciding(metric)) for name, metric in following.metrics.items()}
    return frozenset(name for name in {**before, **after} if before.get(name) != after.get(name))


def _changed_streaks(present: Catalog, following: Catalog) -> frozenset[str]:
    before = {name: repr(replace(streak, title="")) for name, streak in present.streaks.items()}
    after = {name: repr(replace(streak, title="")) for name, streak in following.streaks.items()}
    return frozenset(name for name in {**before, **after} if before.get(name) != after.get(name))


def _changed_rules(
    before: Sequence[PointRule], after: Sequence[PointRule]
) -> tuple[tuple[PointRule, ...], tuple[PointRule, ...]]:
    """The versions of point rules of which one differs: all of a counter, because they share the sums of its days."""

    def of_counter(rules: Sequence[PointRule], counter: str) -> tuple[PointRule, ...]:
        return tuple(rule for rule in rules if rule.counter == counter)

    def paid(rules: Sequence[PointRule]) -> list[str]:
        return [repr(replace(rule, past=KEEP)) for rule in rules]

    counters = dict.fromkeys(rule.counter for rule in (*before, *after))
    changed = [one for one in counters if paid(of_counter(before, one)) != paid(of_counter(after, one))]
    return (
        tuple(rule for rule in before if rule.counter in changed),
        tuple(rule for rule in after if rule.counter in changed),
    )


def recounted_totals(recount: Recount, totals: Mapping[str, int], events: Iterable[Event]) -> Mapping[str, int]:
    """The totals of a user with the metrics that differ counted again, from all active events of the types that are needed."""
    counted, indexes = NOTHING_COUNTED, recount.indexes
    for event in events:
        if rules := indexes.get(event.type):
            counted = count(rules, counted, event)
    kept = {name: total for name, total in totals.items() if name not in recount.metrics}
    return {**kept, **counted.totals}


def recounted(recount: Recount, catalog: Catalog, progress: Progress, events: Sequence[Event]) -> Progress:
    """The progress with everything counted again that differs and that badges, levels or streaks read; badges stay as they are.

    `events` are all active ones of the types that are needed, on their days.
    """
    totals, days, folds = progress.totals, progress.days, progress.folds
    if recount.streaks:
        gone = recount.streaks | recount.metrics
        days = {name: of_name for name, of_name in days.items() if name not in gone}
        folds = {name: fold for name, fold in folds.items() if name not in recount.streaks}
        sums = Progress(zones=progress.zones, manual=progress.manual)
        for event in events:
            if rules := recount.indexes.get(event.type):
                sums, _ = add_event(rules, sums, event, folding=False)
        kept = {name: total for name, total in totals.items() if name not in recount.metrics}
        totals, days = {**kept, **sums.totals}, {**days, **sums.days}
        credited = [catalog.streaks[name] for name in recount.streaks if name in sums.days]
        folds |= {one.name: folded(one, sums.days[one.name], calendar_of(one, progress)) for one in credited}
    elif recount.metrics:
        totals = recounted_totals(recount, totals, events)
    more = _paid_by(recount.after, events) - _paid_by(recount.before, events)
    points, beyond = limited(progress.earned + more) if more else (progress.points, progress.beyond)
    return replace(progress, totals=totals, days=days, folds=folds, points=points, beyond=beyond)


def _paid_by(versions: Sequence[PointRule], events: Iterable[Event]) -> int:
    """What these versions of rules pay for these events."""
    total, sums = 0, dict[str, dict[int, int]]()
    for event in events if versions else ():
        for rule in versions:
            if event.type in rule.events and pays(rule, event):
                total += (
                    pay_into(sums.setdefault(rule.counter, {}), rule, event) if rule.is_capped else rule.worth(event)
                )
    return total
