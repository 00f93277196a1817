"""A meter of writes: how many in the last minute, and how long each took. It costs less than a microsecond per write."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

WINDOW = 60
"""How many seconds the meter looks back."""

STEPS = 8
"""Durations are counted in logarithmic steps, this many for each doubling: 9 percent each."""

SHORTEST = 1e-6
"""The shortest measured duration, in seconds."""


@dataclass(slots=True)
class WriteRate:
    """Writes of the last minute: how many per second, and the median and 99th percentile of their duration."""

    per_second: float
    median_ms: float | None
    slow_ms: float | None


@dataclass(slots=True)
class _Second:
    number: int
    writes: int = 0
    durations: Counter[int] = field(default_factory=Counter[int])


class WriteMeter:
    """Counts writes by second. The caller passes the time, from one monotonic clock."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._seconds: deque[_Second] = deque(maxlen=WINDOW + 1)

    def add(self, now: float, writes: int, durations: Iterable[float]) -> None:
        """Count a batch of writes that was just finished. `durations`: how long each caller waited, in seconds."""
        number = int(now)
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        second = self._seconds[-1]
        second.writes += writes
        second.durations.update([_step(seconds) for seconds in durations])

    def read(self, now: float) -> WriteRate:
        """The last minute, or the time since the meter began."""
        recent = [second for second in self._seconds if second.number > now - WINDOW]
        durations = sum((second.durations for second in recent), Counter[int]())
        seconds = min(float(WINDOW), max(1.0, now - self._began))
        writes = sum(second.writes for second in recent)
        return WriteRate(writes / seconds, _percentile(durations, 0.5), _percentile(durations, 0.99))


def _step(seconds: float) -> int:
    return int(STEPS * math.log2(seconds / SHORTEST)) if seconds > SHORTEST else 0


def _percentile(durations: Counter[int], share: float) -> float | None:
    """The duration, in milliseconds, that this share of all durations does not exceed: the middle of its step."""
    left = math.ceil(share * durations.total())
    for step, count in sorted(durations.items()):
        left -= count
        if left <= 0:
            return 1000 * SHORTEST * 2 ** ((step + 0.5) / STEPS)
    return None
