"""Kinds of points in addition to the contract's, such as coins: users earn and spend them, and they make no levels.

What a user earned of a kind is a fold of facts that are stored anyway, and it has no ledger entries of its own: what its
point rules pay for the user's events, what the badges that the user has pay now, and the adjustments of it in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from laurels.engine.events import MAX_NUMBER
from laurels.engine.numbers import whole
from laurels.engine.parsing import Table, closest
from laurels.engine.progress import Progress, limited
from laurels.engine.steps import Check, Condition, Single, Step, amount, more

MOST_KINDS = 10
"""How many kinds a catalog may have."""

CONTRACT = "points"
"""What no kind may be called: the points of the contract."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class PointKind:
    """A kind of points, with the words for one and for several.

    paid_by  the badges that pay it, each with how many, sorted. What is not in `repr` decides nothing (see Catalog.rules)
    """

    name: str
    one: str = field(repr=False)
    many: str = field(repr=False)
    paid_by: tuple[tuple[str, int], ...] = ()

    def earned(self, progress: Progress) -> int:
        """How many the user earned, whether or not they were spent."""
        by_events, by_hand = progress.kinds.get(self.name), progress.manual.kinds.get(self.name)
        by_badges = sum(number for badge, number in self.paid_by if badge in progress.badges)
        total = by_badges + (by_events[0] if by_events else 0) + (by_hand[0] if by_hand else 0)
        return limited(total)[0]

    def balance(self, progress: Progress) -> int:
        """How many the user can spend. Below 0 if some that were spent are taken back."""
        return self.earned(progress) - progress.manual.kinds.get(self.name, (0, 0))[1]


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
class KindPointsOf(Single):
    """The points of a kind have reached a number."""

    kind: PointKind
    target: int

    def met(self, progress: Progress) -> bool:
        return self.kind.earned(progress) >= self.target

    def steps(self, progress: Progress, streaks: Mapping[str, int]) -> list[Step]:
        current = self.kind.earned(progress)
        if current >= self.target:
            return []
        return [Step(current, self.target, more(self.target - current, self.kind.one, self.kind.many))]

    def checks(self, progress: Progress, streaks: Mapping[str, int]) -> list[Check]:
        text = amount(self.target, self.kind.one, self.kind.many)
        return [Check(text, self.kind.earned(progress), self.target, self.met(progress))]


def read_points_of(table: Table, kinds: Mapping[str, PointKind]) -> Condition:
    """A condition with the key `points_of`."""
    target = table.integer("points_of", least=1)
    table.asked.add("kind")
    kind = kinds.get(table.choice("kind", kinds, "kind of points")) if table.has("kind") else None
    return KindPointsOf(kind, target) if kind else PointsOf(target)


def read_kinds(tables: Iterable[tuple[str, Table]], badges: Iterable[Mapping[str, Any]]) -> dict[str, PointKind]:
    """The [kinds.NAME] tables. `badges` are the tables of all badges as they are in the file."""
    paid_by: dict[str, list[tuple[str, int]]] = {}
    for badge in badges:
        for name, number in _numbers(badge.get("also_pays")).items():
            paid_by.setdefault(name, []).append((str(badge.get("id")), number))
    found: dict[str, PointKind] = {}
    for name, table in tables:
        if not _PLAIN.fullmatch(name):
            table.fault("", "may have only letters, digits, '_' and '-' in its name", "write it as in [kinds.coins]")
        if name == CONTRACT:
            table.fault("", "is what the points of all rules without a kind are called", "give the kind another name")
        if len(found) == MOST_KINDS:
            table.fault("", f"is one kind of points more than {MOST_KINDS}", "take one out")
        found[name] = PointKind(
            name, table.text("one", name), table.text("many", name), tuple(sorted(paid_by.get(name, ())))
        )
        table.done()
    return found


def raw_tables(raw: Any) -> list[Mapping[str, Any]]:
    """The tables in a list that was not read yet."""
    entries = cast(list[Any], raw) if isinstance(raw, list) else []
    return [cast(Mapping[str, Any], one) for one in entries if isinstance(one, Mapping)]


def _numbers(pays: Any) -> dict[str, int]:
    """How many of each kind a key `also_pays` names that was not read yet; what is wrong in it is reported when it is read."""
    raw = cast(Mapping[str, Any], pays).items() if isinstance(pays, Mapping) else ()
    numbers = {name: whole(number) for name, number in raw}
    return {name: number for name, number in numbers.items() if number}


def read_pays(table: Table, kinds: Mapping[str, PointKind]) -> tuple[tuple[str, int], ...]:
    """The key `also_pays` of a badge: how many points of each kind it pays, sorted by kind."""
    inner = table.table("also_pays") if table.has("also_pays") else None
    found: list[tuple[str, int]] = []
    for name in sorted(inner.raw) if inner else ():
        assert inner is not None
        number = inner.integer(name, least=1)
        if name == CONTRACT:
            inner.fault(name, "is no kind of points", "write points = ... next to 'also_pays'")
        elif name not in kinds:
            inner.fault(name, f"there is no kind of points '{name}'", closest(name, kinds))
        found.append((name, number))
    return tuple(found)


def with_payment(
    kinds: Mapping[str, tuple[int, int]], kind: str, number: int, at: int
) -> Mapping[str, tuple[int, int]]:
    """What events paid of each kind, with one more payment of an event. Commutative, also at the largest number."""
    before, newest = kinds.get(kind, (0, at))
    return {**kinds, kind: (min(MAX_NUMBER, before + number), max(newest, at))}
