"""How the tallies of metrics are packed: different values, and sums of days."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.engine.day_sums import DaySums
from laurels.engine.days import Days
from laurels.engine.distinct import DistinctValues
from laurels.engine.progress import Tally

PackedValues = tuple[bytes, int, int]
PackedSums = tuple[int, bytes, bytes, int, int]

Values = dict[str, PackedValues]
Sums = dict[str, PackedSums]


def pack(tallies: Mapping[str, Tally]) -> tuple[Values, Sums]:
    """The different values and the sums of days among these tallies."""
    values: Values = {}
    sums: Sums = {}
    for name, one in tallies.items():
        if isinstance(one, DistinctValues):
            values[name] = (one.entries, one.unnamed, one.unnamed_at)
        else:
            sums[name] = _pack(one)
    return values, sums


def pack_within(within: Mapping[str, Mapping[str, Tally]]) -> tuple[dict[str, Values], dict[str, Sums]]:
    """The same of tallies within periods, by leaderboard. Those of one leaderboard are of one kind."""
    values: dict[str, Values] = {}
    sums: dict[str, Sums] = {}
    for board, tallies in within.items():
        values[board], sums_of_board = pack(tallies)
        if sums_of_board:
            del values[board]
            sums[board] = sums_of_board
    return values, sums


def unpack(values: Values, sums: Sums) -> dict[str, Tally]:
    """The tallies in these."""
    found: dict[str, Tally] = {name: DistinctValues(*one) for name, one in values.items()}
    for name, one in sums.items():
        found[name] = _unpack(one)
    return found


def unpack_within(values: dict[str, Values], sums: dict[str, Sums]) -> dict[str, dict[str, Tally]]:
    """The tallies within periods in these, by leaderboard."""
    if not values and not sums:
        return {}
    found = {board: unpack(of_board, {}) for board, of_board in values.items()}
    for board, of_board in sums.items():
        found[board] = unpack({}, of_board)
    return found


def _pack(sums: DaySums) -> PackedSums:
    bits = sums.days.bits
    packed = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return sums.days.first, packed, sums.sums, sums.number, sums.reached


def _unpack(sums: PackedSums) -> DaySums:
    first, bits, packed, number, reached = sums
    return DaySums(Days(first, int.from_bytes(bits, "little")), packed, number, reached)
