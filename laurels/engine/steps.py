"""Steps: what every condition says of how far a user is, as steps ("73 of 100") and as checks, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from laurels.engine.numbers import decimal_text
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
        """The condition itself."""
        yield self  # type: ignore[misc]  # each subclass is a Condition


def nearness(steps: list[Step]) -> float:
    """How nearly done a list of steps is, 0 to 1: the mean share."""
    return sum(step.share for step in steps) / len(steps)


def more(missing: int, one: str, many: str, scale: int = 1) -> str:
    """'27 more messages', or '87.66 more euros' for 8,766 units of which 100 make one."""
    return f"{decimal_text(missing, scale)} more {one if missing == scale else many}"


def amount(number: int, one: str, many: str, scale: int = 1) -> str:
    """'100 messages', or '12.34 euros' for 1,234 units of which 100 make one."""
    return f"{decimal_text(number, scale)} {one if number == scale else many}"
