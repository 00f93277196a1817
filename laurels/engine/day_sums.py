"""Sums of days: what a metric with a cap per day, or of the best days within a window, has counted for one user.

The sum of each day is stored, because a late event may come on any of them. So the number, and the day on which it was reached,
do not depend on the order in which events arrive.
"""

from __future__ import annotations

from collections.abc import Iterator

from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER
from laurels.engine.instants import midnight
from laurels.engine.values import plain

_WIDTHS = (1, 2, 4, 8)
_ORDER = "little"


@plain
class DaySums:
    """The sums of the days of one user and metric.

    days     the days with an event that counts, one with a sum of 0 too
    sums     the sum of each of them, oldest first, in as many bytes each as the largest needs: 1, 2, 4 or 8
    number   what they give: all of them added up, or the largest sum of the days of any window
    reached  the day on which the number was reached: the last one with a sum, or the last of the earliest such window
    """

    days: Days = Days()
    sums: bytes = b""
    number: int = 0
    reached: int = 0

    @property
    def reached_at(self) -> int:
        """The beginning of the day on which the number was reached, in UTC, in microseconds since 1970."""
        return midnight(self.reached)

    def with_amount(self, day: int, amount: int, cap: int | None, window: int | None) -> DaySums:
        """The sums with one more amount, or the same ones if it changes nothing.

        cap     the largest sum of a day; None: MAX_NUMBER
        window  of how many consecutive days the largest sum counts; None: all days count
        """
        index, known = self._index(day), day in self.days
        before = self._at(index) if known else 0
        after = min(before + amount, MAX_NUMBER if cap is None else cap)
        if known and after == before:
            return self
        days = self.days if known else self.days.with_day(day)
        grown = DaySums(days, self._with(index, after, known=known), self.number, self.reached)
        if window is not None:
            return grown._with_best(day, window, first=not self.sums)
        number = min(self.number + after - before, MAX_NUMBER)
        if self.number:
            reached = max(self.reached, day) if after > before else self.reached
        else:
            reached = day if after or not self.sums else min(self.reached, day)
        return DaySums(days, grown.sums, number, reached)

    def _with_best(self, day: int, window: int, *, first: bool) -> DaySums:
        """The same sums with the number of the best window, after that of a day has grown; only windows with it can be better."""
        number, reached = (-1, 0) if first else (self.number, self.reached)
        near = [*self._between(day - window + 1, day + window - 1)]
        total = oldest = 0
        for last, amount in near:
            total += amount
            while near[oldest][0] <= last - window:
                total -= near[oldest][1]
                oldest += 1
            shown = min(total, MAX_NUMBER)
            if last >= day and (shown > number or (shown == number and last < reached)):
                number, reached = shown, last
        return DaySums(self.days, self.sums, number, reached)

    @property
    def _width(self) -> int:
        return len(self.sums) // len(self.days) if self.sums else 1

    def _index(self, day: int) -> int:
        """How many of the days come before this one."""
        days = self.days
        return (days.bits & (1 << (day - days.first)) - 1).bit_count() if day > days.first else 0

    def _at(self, index: int) -> int:
        width = self._width
        return int.from_bytes(self.sums[index * width : (index + 1) * width], _ORDER)

    def _between(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The days from `first` to `last`, both included, each with its sum."""
        days = self.days.within(first, last)
        for index, day in enumerate(days, start=self._index(days.first)):
            yield day, self._at(index)

    def _with(self, index: int, amount: int, *, known: bool) -> bytes:
        """The packed sums with this one in place of the one at the index, or before it."""
        sums, width = self.sums, self._width
        needed = next(width for width in _WIDTHS if amount < 1 << 8 * width)
        if needed > width:
            parts = (sums[start : start + width] for start in range(0, len(sums), width))
            sums, width = b"".join(part.ljust(needed, b"\0") for part in parts), needed
        start = index * width
        return sums[:start] + amount.to_bytes(width, _ORDER) + sums[start + (width if known else 0) :]


NO_SUMS = DaySums()
