"""Conditions: what a badge requires, decided by `Condition.met`.

A condition is data: it is read from the catalog, checked, and shown as steps ("73 of 100"). Adding events can only change a
condition from unmet to met, so the order of arrival does not matter. KINDS lists all conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from laurels.engine.events import MAX_NUMBER
from laurels.engine.numbers import decimal_text
from laurels.engine.parsing import Table, closest, nearest, printable
from laurels.engine.progress import Progress


@dataclass(frozen=True, slots=True)
class Step:
    """One countable part of a condition: the current number, the target, and what is missing ("27 more messages").

    `scale` units of both numbers make one.
    """

    current: int
    target: int
    missing: str
    scale: int = 1

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        return min(1.0, self.current / self.target)


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of a condition: its text, the current number, the target, and whether it is met.

    `at_most`: the number must come down to the target; then `current` is None before there is one. `scale` units of both
    numbers make one.
    """

    text: str
    current: int | None
    target: int
    met: bool
    at_most: bool = False
    scale: int = 1


class Condition(Protocol):
    """What a badge requires."""

    def met(self, progress: Progress) -> bool:
        """Whether the condition is met."""
        ...

    def parts(self) -> Iterator[Condition]:
        """This condition and all conditions inside it."""
        ...

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        """The unmet parts; `streaks` are the current lengths. Empty if it is met, or can no longer be met."""
        ...

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        """Every requirement, met or not; `streaks` are the current lengths."""
        ...


class Single:
    """A condition without conditions inside."""

    __slots__ = ()

    def parts(self) -> Iterator[Condition]:
        yield self  # type: ignore[misc]  # each subclass is a Condition


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
class PointsOf(Single):
    """The points have reached a number."""

    target: int

    def met(self, progress: Progress) -> bool:
        return progress.points >= self.target

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        if self.met(progress):
            return []
        return [Step(progress.points, self.target, more(self.target - progress.points, "point", "points"))]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        return [Check(amount(self.target, "point", "points"), progress.points, self.target, self.met(progress))]


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


def nearness(steps: list[Step]) -> float:
    """How nearly done a list of steps is, 0 to 1: the mean share."""
    return sum(step.share for step in steps) / len(steps)


def more(missing: int, one: str, many: str, scale: int = 1) -> str:
    """'27 more messages', or '87.66 more euros' for 8,766 units of which 100 make one."""
    return f"{decimal_text(missing, scale)} more {one if missing == scale else many}"


def amount(number: int, one: str, many: str, scale: int = 1) -> str:
    """'100 messages', or '12.34 euros' for 1,234 units of which 100 make one."""
    return f"{decimal_text(number, scale)} {one if number == scale else many}"


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
    retired_badges     the ids of retired badges
    earlier_streaks, earlier_badges  the current id of each earlier one
    """

    metrics: Mapping[str, MetricWords]
    streaks: Mapping[str, StreakWords]
    badges: Mapping[str, str]
    retired_badges: frozenset[str] = frozenset()
    earlier_streaks: Mapping[str, str] = field(default_factory=dict[str, str])
    earlier_badges: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def kinds_of_names(self) -> Mapping[str, str]:
        """What each name in the file is the name of."""
        return {
            **dict.fromkeys(self.badges, "badge"),
            **dict.fromkeys(self.streaks, "streak"),
            **dict.fromkeys(self.metrics, "metric"),
        }


MOST_LEVELS = 50
"""How many conditions one may be inside of. Python's limit would end the reading somewhat later, without a place."""


_NAMING = {"metric": "at_least = 10", "streak": "streak_of = 7"}
"""The keys that name what a condition is about, and what may be next to each."""

_LEVEL = re.compile(r"\.(?:all|any)_of\[")


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
    "points_of": lambda table, _: PointsOf(table.integer("points_of", least=1)),
    "all_of": _read_all_of,
    "any_of": _read_any_of,
}
