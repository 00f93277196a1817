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


def pack_values(tallies: Mapping[str, Tally]) -> Values:
    """The different values among these tallies."""
    return {
        name: (one.entries, one.unnamed, one.unnamed_at)
        for name, one in tallies.items()
        if isinstance(one, DistinctValues)
    }


def pack_sums(tallies: Mapping[str, Tally]) -> Sums:
    """The sums of days among these tallies."""
    return {name: _pack(one) for name, one in tallies.items() if isinstance(one, DaySums)}


def pack_values_within(within: Mapping[str, Mapping[str, Tally]]) -> dict[str, Values]:
    """The different values within periods, by leaderboard."""
    packed = {board: (pack_values(tallies), tallies) for board, tallies in within.items()}
    return {board: values for board, (values, tallies) in packed.items() if values or not tallies}


def pack_sums_within(within: Mapping[str, Mapping[str, Tally]]) -> dict[str, Sums]:
    """The sums of days within periods, by leaderboard."""
    packed = {board: pack_sums(tallies) for board, tallies in within.items()}
    return {board: sums for board, sums in packed.items() if sums}


def unpack(values: Values, sums: Sums) -> dict[str, Tally]:
    """The tallies in these."""
    found: dict[str, Tally] = {name: DistinctValues(*one) for name, one in values.items()}
    for name, (first, bits, packed, number, reached) in sums.items():
        found[name] = DaySums(Days(first, int.from_bytes(bits, "little")), packed, number, reached)
    return found


def unpack_within(values: dict[str, Values], sums: dict[str, Sums]) -> dict[str, dict[str, Tally]]:
    """The tallies within periods in these, by leaderboard. All those of one leaderboard are of one kind."""
    return {board: unpack(values.get(board, {}), sums.get(board, {})) for board in (*values, *sums)}


def _pack(sums: DaySums) -> PackedSums:
    bits = sums.days.bits
    packed = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return sums.days.first, packed, sums.sums, sums.number, sums.reached
