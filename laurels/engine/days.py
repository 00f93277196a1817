"""Sets of days as bits, and the folded state of a streak.

A day is a plain number, `date.toordinal()`: the next day is always `day + 1`, however many hours it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator

from laurels.engine.values import plain


@plain
class Days:
    """A set of days, one bit each: bit i of `bits` is the day `first + i`.

    A bit set keeps ten years in 456 bytes whatever the gaps, and runs are found a machine word at a time.
    An empty set has first 0; otherwise bit 0 is set, so that equal sets are equal values.
    """

    first: int = 0
    bits: int = 0

    def __repr__(self) -> str:
        return f"Days({len(self)} from {self.first} to {self.last})"

    def __contains__(self, day: int) -> bool:
        return day >= self.first and self.bits >> (day - self.first) & 1 == 1

    def __iter__(self) -> Iterator[int]:
        bits, day = self.bits, self.first
        while bits:
            step = (bits & -bits).bit_length()
            yield day + step - 1
            bits >>= step
            day += step

    def __len__(self) -> int:
        return self.bits.bit_count()

    @property
    def last(self) -> int:
        """The newest day, or -1 for an empty set."""
        return self.first + self.bits.bit_length() - 1

    def with_day(self, day: int) -> Days:
        """This set with that day."""
        if not self.bits:
            return Days(day, 1)
        if day >= self.first:
            return Days(self.first, self.bits | 1 << (day - self.first))
        return Days(day, self.bits << (self.first - day) | 1)

    def shifted(self, first: int) -> int:
        """The bits as seen from another first day; days before it are left out."""
        return self.bits << (self.first - first) if self.first >= first else self.bits >> (first - self.first)

    def within(self, first: int, last: int) -> Days:
        """The days of this set from `first` to `last`, both included."""
        low, bits = max(first, self.first), self.bits
        if last < low or not bits:
            return Days()
        bits = bits >> (low - self.first) & (1 << (min(last, self.last) - low + 1)) - 1 if self.last >= low else 0
        if not bits:
            return Days()
        zeros = (bits & -bits).bit_length() - 1
        return Days(low + zeros, bits >> zeros)

    def without_day(self, day: int) -> Days:
        """This set without that day."""
        if day not in self:
            return self
        bits = self.bits ^ 1 << (day - self.first)
        if not bits:
            return Days()
        zeros = (bits & -bits).bit_length() - 1
        return Days(self.first + zeros, bits >> zeros)

    def __and__(self, other: Days) -> Days:
        first = max(self.first, other.first)
        bits = self.shifted(first) & other.shifted(first)
        if not bits:
            return Days()
        zeros = (bits & -bits).bit_length() - 1
        return Days(first + zeros, bits >> zeros)

    def __or__(self, other: Days) -> Days:
        if not self.bits or not other.bits:
            return self if self.bits else other
        first = min(self.first, other.first)
        return Days(first, self.shifted(first) | other.shifted(first))

    @staticmethod
    def span(first: int, last: int) -> Days:
        """Every day from `first` to `last`, both included."""
        return Days(first, (1 << (last - first + 1)) - 1) if last >= first else Days()


@plain
class Fold:
    """The state of a streak after its newest credited unit (`streaks.py` computes it): current run, freezes, longest run.

    frozen  the units that freezes covered so far
    """

    start: int = 0
    length: int = 0
    freezes: int = 0
    longest: int = 0
    longest_start: int = 0
    longest_end: int = 0
    frozen: Days = Days()  # a frozen value, so it can be shared
