"""Different values: what a metric of kind 'distinct' has counted for one user.

A value is kept as eight bytes of a hash, with the instant of the first event that had it. So the number, and when it was
reached, do not depend on the order in which events arrive.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left

from laurels.engine.events import MAX_NUMBER
from laurels.engine.values import plain

MOST_VALUES = 1000
"""How many different values of one user and metric are kept: the first ones by order of occurrence. The number stops there."""

_INSTANT, _HASH = 8, 8
_ENTRY = _INSTANT + _HASH


@plain
class DistinctValues:
    """The different values of one user and metric.

    entries     for each value its first instant and its hash, in this order, sorted
    unnamed     the sum of the quantities of events without a value, where these count
    unnamed_at  the latest instant of these events, in microseconds since 1970, UTC
    """

    entries: bytes = b""
    unnamed: int = 0
    unnamed_at: int = 0

    @property
    def number(self) -> int:
        """How many different values there are, and as many more as events without a value count for."""
        return min(len(self.entries) // _ENTRY + self.unnamed, MAX_NUMBER)

    @property
    def reached_at(self) -> int:
        """When the number was reached: the first instant of the newest value, in microseconds since 1970, UTC."""
        newest = int.from_bytes(self.entries[-_ENTRY:-_HASH], "big") if self.entries else 0
        return max(newest, self.unnamed_at)

    def with_value(self, value: str, at: int) -> DistinctValues:
        """The values with one more, or the same ones if it is known from an earlier instant, or too many came before it."""
        entries, hashed = (
            self.entries,
            hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=_HASH).digest(),
        )
        entry = at.to_bytes(_INSTANT, "big") + hashed
        known = _position(entries, hashed)
        if known is not None:
            if entries[known : known + _ENTRY] <= entry:
                return self
            entries = entries[:known] + entries[known + _ENTRY :]
        index = bisect_left(
            range(len(entries) // _ENTRY), entry, key=lambda number: entries[number * _ENTRY : (number + 1) * _ENTRY]
        )
        if index >= MOST_VALUES:
            return self
        entries = entries[: index * _ENTRY] + entry + entries[index * _ENTRY :]
        return DistinctValues(entries[: MOST_VALUES * _ENTRY], self.unnamed, self.unnamed_at)

    def with_unnamed(self, quantity: int, at: int) -> DistinctValues:
        """The values with those of an event that names none."""
        return DistinctValues(self.entries, min(self.unnamed + quantity, MAX_NUMBER), max(self.unnamed_at, at))


NO_VALUES = DistinctValues()


def _position(entries: bytes, hashed: bytes) -> int | None:
    """Where the entry with this hash begins; a hash may also be found across two entries, where it means nothing."""
    found = entries.find(hashed)
    while found >= 0 and found % _ENTRY != _INSTANT:
        found = entries.find(hashed, found + 1)
    return found - _INSTANT if found >= 0 else None
