"""Conditions: what a badge requires, decided by `Condition.met`.

A condition is data: it is read from the catalog, checked, and shown as steps ("73 of 100"). Adding events and time can only
change a condition from unmet to met, so the order of arrival does not matter. KINDS lists all conditions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from laurels.engine.events import MAX_NUMBER
from laurels.engine.parsing import Table, closest, nearest, printable
from laurels.engine.point_kinds import PointKind, read_points_of
from laurels.engine.progress import NO_STAGE, Progress
from laurels.engine.steps import Check, Condition, Single, Step, amount, more, nearness


@dataclass(frozen=True, slots=True)
class AtLeast(Single):
    """A metric has reached a number. Its words are not in `repr`, because they decide nothing (see Catalog.rules)."""

    metric: str
    target: int
    one: str = field(repr=False)
    many: str = field(repr=False)
    scale: int = field(default=1, repr=False)

    def met(self, progress: Progress) -> bool:
        return progress.totals.get(self.metric, 0) >= self.target

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        current = progress.totals.get(self.metric, 0)
        if current >= self.target:
            return []
        missing = more(self.target - current, self.one, self.many, self.scale)
        return [Step(current, self.target, missing, self.scale)]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        current = progress.totals.get(self.metric, 0)
        text = amount(self.target, self.one, self.many, self.scale)
        return [Check(text, current, self.target, self.met(progress), scale=self.scale)]


@dataclass(frozen=True, slots=True)
class AtMost(Single):
    """A metric of kind 'min' has come down to a number. Before its first event it has none."""

    metric: str
    target: int
    one: str = field(repr=False)
    many: str = field(repr=False)
    scale: int = field(default=1, repr=False)

    def met(self, progress: Progress) -> bool:
        return self.metric in progress.totals and progress.totals[self.metric] <= self.target

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        # One step, because a part of the way to less is not a number of things that are still missing.
        return [] if self.met(progress) else [Step(0, 1, self._text)]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        best = progress.totals.get(self.metric)
        return [Check(self._text, best, self.target, self.met(progress), at_most=True, scale=self.scale)]

    @property
    def _text(self) -> str:
        return f"{amount(self.target, self.one, self.many, self.scale)} or less"


@dataclass(frozen=True, slots=True)
class StreakOf(Single):
    """The longest run of a streak has reached a number of units. A retired streak grows no more.

    What is not in `repr` decides nothing here (see Catalog.rules).
    """

    streak: str
    target: int
    retired: bool = field(default=False, repr=False)
    unit: str = field(default="day", repr=False)

    def met(self, progress: Progress) -> bool:
        return progress.longest(self.streak) >= self.target

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        if self.met(progress) or self.retired:
            return []
        current = streaks.get(self.streak, 0)
        return [Step(current, self.target, more(self.target - current, *self._words))]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        text = amount(self.target, *self._words)
        met = self.met(progress)
        # What is missing is counted from the run that goes on; the longest one may have ended.
        current = progress.longest(self.streak) if met else streaks.get(self.streak, 0)
        return [Check(text, current, self.target, met)]

    @property
    def _words(self) -> tuple[str, str]:
        return f"{self.unit} in a row", f"{self.unit}s in a row"


@dataclass(frozen=True, slots=True)
class JoinedBefore(Single):
    """The user joined before an instant. It has no steps, because a user cannot change it.

    The name of its field is part of fingerprints (see Catalog.rules).
    """

    moment: datetime

    def is_as_early_as(self, other: JoinedBefore) -> bool:
        """Whether everyone who joined before this instant also joined before that of another one."""
        return self.moment <= other.moment

    def met(self, progress: Progress) -> bool:
        return progress.joined_at is not None and progress.joined_at < self.moment

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        return []

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        met = self.met(progress)
        return [Check(f"joined before {self.moment:%Y-%m-%d %H:%M} UTC", int(met), 1, met)]


@dataclass(frozen=True, slots=True)
class HasBadge(Single):
    """Another badge was earned. What is not in `repr` decides nothing here (see Catalog.rules)."""

    badge: str
    name: str = field(repr=False)
    retired: bool = field(default=False, repr=False)

    def met(self, progress: Progress) -> bool:
        return self.badge in progress.badges

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        return [] if self.met(progress) or self.retired else [Step(0, 1, f"the badge {self.name}")]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        met = self.met(progress)
        return [Check(f"the badge {self.name}", int(met), 1, met)]


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these are met."""

    of: tuple[Condition, ...]

    def met(self, progress: Progress) -> bool:
        return all(condition.met(progress) for condition in self.of)

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.of:
            yield from condition.parts()

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        missing = [condition for condition in self.of if not condition.met(progress)]
        steps = [condition.steps(progress, streaks) for condition in missing]
        return [step for group in steps for step in group] if all(steps) else []

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        return [check for condition in self.of for check in condition.checks(progress, streaks)]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these is met. Its steps are those of the nearest one."""

    of: tuple[Condition, ...]

    def met(self, progress: Progress) -> bool:
        return any(condition.met(progress) for condition in self.of)

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.of:
            yield from condition.parts()

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        if self.met(progress):
            return []
        ways = [condition.steps(progress, streaks) for condition in self.of]
        within_reach = [steps for steps in ways if steps]
        return max(within_reach, key=nearness) if within_reach else []

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        return [check for condition in self.of for check in condition.checks(progress, streaks)]


@dataclass(frozen=True, slots=True)
class MemberFor(Single):
    """The user joined this many days ago, each of 24 hours. Time alone lets it hold; `Progress.as_of` is up to when."""

    days: int

    def met(self, progress: Progress) -> bool:
        joined, as_of = progress.joined_at, progress.as_of
        return joined is not None and as_of is not None and as_of - joined >= timedelta(days=self.days)

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        if self.met(progress) or progress.joined_at is None:
            return []
        current = self._current(progress)
        return [Step(current, self.days, more(self.days - current, "day of membership", "days of membership"))]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        text = f"member for {amount(self.days, 'day', 'days')}"
        return [Check(text, self._current(progress), self.days, self.met(progress))]

    def _current(self, progress: Progress) -> int:
        """The whole days of membership, at most as many as it takes."""
        if progress.joined_at is None or progress.as_of is None:
            return 0
        return min(self.days, max(0, (progress.as_of - progress.joined_at).days))


@dataclass(frozen=True, slots=True)
class NoneOf(Single):
    """None of these is met, of conditions that are decided for good as soon as it is known when the user joined.

    It has no steps, because a user cannot change it.
    """

    of: tuple[Condition, ...]

    def met(self, progress: Progress) -> bool:
        return progress.joined_at is not None and not any(condition.met(progress) for condition in self.of)

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        return []

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        texts = [check.text for condition in self.of for check in condition.checks(progress, streaks)]
        met = self.met(progress)
        return [Check(f"not {' or '.join(texts)}", int(met), 1, met)]


@dataclass(frozen=True, slots=True)
class InOrder:
    """These are met one after the other: each counts only events that occurred after the one that met the condition before it.

    So events can only bring each of them forward. `key` follows from the conditions: the name under which `Progress.stages` has
    how far the user is.
    """

    of: tuple[Condition, ...]
    key: str = field(repr=False)

    def met(self, progress: Progress) -> bool:
        return progress.stages.get(self.key, NO_STAGE).done >= len(self.of)

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.of:
            yield from condition.parts()

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        stage = progress.stages.get(self.key, NO_STAGE)
        return [] if self.met(progress) else self.of[stage.done].steps(stage.sums or Progress(), streaks)

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        stage, found = progress.stages.get(self.key, NO_STAGE), list[Check]()
        for number, condition in enumerate(self.of):
            sums = stage.sums if number == stage.done and stage.sums else Progress()
            for check in condition.checks(sums, streaks):
                text = f"then {check.text}" if number else check.text
                done = number < stage.done
                current = check.target if done else check.current
                found.append(replace(check, text=text, current=current, met=done or check.met))
        return found


class MetricWords(NamedTuple):
    """What conditions know of a metric: its words for one and for several, its kind, the largest number it reaches, its scale."""

    one: str
    many: str
    kind: str
    most: int
    scale: int = 1


class StreakWords(NamedTuple):
    """What conditions know of a streak: whether it is retired, and what one unit of it is called."""

    retired: bool = False
    unit: str = "day"


_UNKNOWN = MetricWords("", "", "", MAX_NUMBER)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What conditions may refer to: metrics with their words, streaks, and badges with their names.

    streaks, badges    by their current ids
    kinds              the kinds of points in addition to the contract's
    retired_badges     the ids of retired badges
    earlier_streaks, earlier_badges  the current id of each earlier one
    """

    metrics: Mapping[str, MetricWords]
    streaks: Mapping[str, StreakWords]
    badges: Mapping[str, str]
    retired_badges: frozenset[str] = frozenset()
    earlier_streaks: Mapping[str, str] = field(default_factory=dict[str, str])
    earlier_badges: Mapping[str, str] = field(default_factory=dict[str, str])
    kinds: Mapping[str, PointKind] = field(default_factory=dict[str, PointKind])

    @property
    def kinds_of_names(self) -> Mapping[str, str]:
        """What each name in the file is the name of."""
        return {
            **dict.fromkeys(self.badges, "badge"),
            **dict.fromkeys(self.streaks, "streak"),
            **dict.fromkeys(self.metrics, "metric"),
        }


MOST_DAYS = 36_500
"""The most days of membership that a condition can ask for."""

_DAYS = re.compile(r"([0-9]{1,5}) days?")

MOST_LEVELS = 50
"""How many conditions one may be inside of. Python's limit would end the reading somewhat later, without a place."""


_NAMING = {"metric": "at_least = 10", "streak": "streak_of = 7"}
"""The keys that name what a condition is about, and what may be next to each."""

_LEVEL = re.compile(r"\.(?:all_of|any_of|none_of|in_order)\[")


def read_condition(table: Table, vocabulary: Vocabulary) -> Condition:
    """A condition: exactly one of KINDS, by its key."""
    if len(_LEVEL.findall(table.where)) > MOST_LEVELS:
        table.fault("", f"is inside {MOST_LEVELS} other conditions", "write it with fewer levels")
        return AllOf(())
    kinds = [key for key in KINDS if table.has(key)]
    if len(kinds) != 1:
        _refuse(table, kinds)
        return AllOf(())
    condition = KINDS[kinds[0]](table, vocabulary)
    table.done()
    return condition


def _refuse(table: Table, kinds: Sequence[str]) -> None:
    """Add a fault for a condition that has not exactly one of KINDS."""
    misspelled = [key for key in table.raw if key not in _NAMING and nearest(key, KINDS)]
    incomplete = [key for key in _NAMING if table.has(key)]
    if kinds:
        table.fault("", f"has {' and '.join(kinds)}", f"write exactly one of {', '.join(KINDS)}")
    elif misspelled:
        for key in misspelled:
            table.fault(key, f"unknown key '{printable(key)}'", closest(key, KINDS))
    elif incomplete:
        table.fault("", f"names a {incomplete[0]} and requires nothing of it", f"add {_NAMING[incomplete[0]]}")
    else:
        table.fault("", "has no condition", f"write exactly one of {', '.join(KINDS)}")


def _read_at_least(table: Table, vocabulary: Vocabulary) -> Condition:
    name, metric = _read_metric(table, vocabulary)
    if metric.kind == "min":
        table.fault("at_least", f"the metric '{name}' only goes down, so it would hold too soon", "write at_most")
    target = table.integer("at_least", least=1)
    if target > metric.most:
        table.fault("at_least", f"the metric '{name}' stops at {metric.most}", f"write at_least = {metric.most}")
    return AtLeast(name, target, metric.one, metric.many, metric.scale)


def _read_at_most(table: Table, vocabulary: Vocabulary) -> Condition:
    name, metric = _read_metric(table, vocabulary)
    if metric.kind not in ("", "min", "last"):
        table.fault("at_most", f"the metric '{name}' starts at 0 and goes up", "write at_least, or use kind 'min'")
    return AtMost(name, table.integer("at_most"), metric.one, metric.many, metric.scale)


def _read_metric(table: Table, vocabulary: Vocabulary) -> tuple[str, MetricWords]:
    """The name of a condition's metric, and what conditions know of it."""
    name = table.choice("metric", vocabulary.metrics, "metric", others=vocabulary.kinds_of_names)
    metric = vocabulary.metrics.get(name, _UNKNOWN)
    if metric.kind == "last":
        # A badge for a number that was reached once would depend on the order in which events arrive.
        table.fault(
            "metric", f"'{name}' has the kind 'last', which goes up and down", "use a metric of kind 'max' or 'min'"
        )
    return name, metric


def _read_streak_of(table: Table, vocabulary: Vocabulary) -> Condition:
    others = vocabulary.kinds_of_names
    streak = table.choice("streak", vocabulary.streaks, "streak", renamed=vocabulary.earlier_streaks, others=others)
    return StreakOf(streak, table.integer("streak_of", least=1), *vocabulary.streaks.get(streak, StreakWords()))


def _read_has_badge(table: Table, vocabulary: Vocabulary) -> Condition:
    others = vocabulary.kinds_of_names
    badge = table.choice("has_badge", vocabulary.badges, "badge", renamed=vocabulary.earlier_badges, others=others)
    return HasBadge(badge, vocabulary.badges.get(badge, ""), badge in vocabulary.retired_badges)


def _read_all_of(table: Table, vocabulary: Vocabulary) -> Condition:
    return AllOf(_read_several("all_of", table, vocabulary))


def _read_any_of(table: Table, vocabulary: Vocabulary) -> Condition:
    return AnyOf(_read_several("any_of", table, vocabulary))


def _read_member_for(table: Table) -> Condition:
    text = table.text("member_for")
    found = _DAYS.fullmatch(text)
    days = int(found[1]) if found else 0
    if text and not 1 <= days <= MOST_DAYS:
        table.fault("member_for", f"must be from 1 to {MOST_DAYS:,} days, not '{text}'", 'write member_for = "30 days"')
    return MemberFor(days)


def _read_none_of(table: Table, vocabulary: Vocabulary) -> Condition:
    found = _read_several("none_of", table, vocabulary)
    parts = [part for condition in found for part in condition.parts()]
    if not all(isinstance(part, JoinedBefore | AllOf | AnyOf) for part in parts):
        table.fault(
            "none_of",
            "may hold now and not later, so whether a badge is awarded would depend on when events arrive",
            "use joined_before in it only, or let a metric count what is wanted with its 'where'",
        )
    return NoneOf(found)


def _read_in_order(table: Table, vocabulary: Vocabulary) -> Condition:
    found = _read_several("in_order", table, vocabulary)
    if len(found) == 1:
        table.fault("in_order", "has one condition", "write at least two")
    parts = [part for condition in found for part in condition.parts()]
    if not all(isinstance(part, AtLeast | AtMost | AllOf | AnyOf) for part in parts):
        table.fault(
            "in_order",
            "has a condition that is not about metrics, so it cannot begin to count after the one before it",
            "use metrics with at_least or at_most in it, and write the others next to it in all_of",
        )
    return in_order(found)


def in_order(conditions: tuple[Condition, ...]) -> InOrder:
    """These conditions in order."""
    return InOrder(conditions, hashlib.sha256(repr(conditions).encode()).hexdigest()[:12])


def _read_several(key: str, table: Table, vocabulary: Vocabulary) -> tuple[Condition, ...]:
    inner = table.list_of_tables(key)
    if table.raw.get(key) == []:
        table.fault(key, "is empty", "write at least one condition, or remove it")
    return tuple(read_condition(entry, vocabulary) for entry in inner)


KINDS: Mapping[str, Callable[[Table, Vocabulary], Condition]] = {
    "at_least": _read_at_least,
    "at_most": _read_at_most,
    "streak_of": _read_streak_of,
    "joined_before": lambda table, _: JoinedBefore(table.instant("joined_before")),
    "has_badge": _read_has_badge,
    "points_of": lambda table, vocabulary: read_points_of(table, vocabulary.kinds),
    "all_of": _read_all_of,
    "any_of": _read_any_of,
    "member_for": lambda table, _: _read_member_for(table),
    "none_of": _read_none_of,
    "in_order": _read_in_order,
}
