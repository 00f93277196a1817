"""A meter of what is written: how much in the last minute, and how long writers waited. It costs next to nothing."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

SPAN = 60
"""How many seconds back it reads."""

STEPS = 8
"""Waits are counted in steps of an eighth of a doubling, 9 percent each."""

LEAST = 1e-6


@dataclass(slots=True)
class Flow:
    """How many acts were written in a second, and within how many milliseconds half of the writes, and 99 of 100, were done."""

    per_second: float
    median_ms: float | None
    slow_ms: float | None


@dataclass(slots=True)
class _Second:
    number: int
    adjustments: int = 0
    waits: Counter[int] = field(default_factory=Counter[int])


class Meter:
    """Counts by seconds; whoever asks brings the time, from one clock that only goes on."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._seconds: deque[_Second] = deque(maxlen=SPAN + 1)

    def note(self, now: float, adjustments: int, waits: Iterable[float]) -> None:
        """So many acts were written just now; their writers waited so many seconds each."""
        number = int(now)
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        second = self._seconds[-1]
        second.adjustments += adjustments
        second.waits.update([int(STEPS * math.log2(wait / LEAST)) if wait > LEAST else 0 for wait in waits])

    def read(self, now: float) -> Flow:
        """The last minute, or what there is of it."""
        recent = [second for second in self._seconds if second.number > now - SPAN]
        waits = sum((second.waits for second in recent), Counter[int]())
        seconds = min(float(SPAN), max(1.0, now - self._began))
        return Flow(sum(second.adjustments for second in recent) / seconds, _within(waits, 0.5), _within(waits, 0.99))


def _within(waits: Counter[int], share: float) -> float | None:
    """Within how many milliseconds this share of the waits was over, at the middle of its step."""
    left = math.ceil(share * waits.total())
    for step, count in sorted(waits.items()):
        left -= count
        if left <= 0:
            return 1000 * LEAST * 2 ** ((step + 0.5) / STEPS)
    return None
