"""How values of the engine become columns, the same for every engine of storage."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from laurels.engine.days import Days, Zones
from laurels.engine.progress import Progress

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_Sums = dict[str, int]
_Packed = tuple[_Sums, dict[str, tuple[int, bytes]], dict[str, list[tuple[int, int]]], _Sums, _Sums]

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode
_to_json = msgspec.json.Encoder(order="deterministic").encode
_zones_from_json = msgspec.json.Decoder(tuple[str | None, tuple[tuple[int, str], ...], str]).decode
_data_from_json = msgspec.json.Decoder(dict[str, Any]).decode


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def maybe_micros(moment: datetime | None) -> int | None:
    """`to_micros`, or None for None."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def maybe_moment(micros: int | None) -> datetime | None:
    """`from_micros`, or None for None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def pack_progress(progress: Progress) -> bytes:
    """The sums and sets of a progress. Equal progress gives equal bytes, whatever order it grew in.

    Its points, reached_at, zones and joined_at have columns of their own.
    """
    days = {name: (one.first, _bits_to_bytes(one.bits)) for name, one in progress.days.items()}
    capped = {
        rule: sorted(of_days.items()) for rule, of_days in progress.capped.items()
    }  # only text keys are sorted for us
    return _pack((progress.totals, days, capped, progress.longest, progress.badges))


def unpack_progress(
    packed: bytes, points: int, reached_at: datetime | None, zones: Zones, joined_at: datetime | None
) -> Progress:
    """The progress that these columns hold."""
    totals, days, capped, longest, badges = _unpack(packed)
    sets = {name: Days(first, int.from_bytes(bits, "little")) for name, (first, bits) in days.items()}
    of_rules = {rule: dict(of_days) for rule, of_days in capped.items()}
    return Progress(totals, sets, of_rules, longest, badges, points, reached_at, zones, joined_at)


def pack_zones(zones: Zones) -> str | None:
    """The user's dated zones as JSON; None for a user of whom no zone is known, where UTC is the default."""
    if zones == _UNKNOWN_ZONES:
        return None
    changes = [(to_micros(since), name) for since, name in zones.changes]
    return _to_json((zones.first, changes, zones.default)).decode()


def unpack_zones(packed: str | None) -> Zones:
    """The dated zones that this column holds."""
    if packed is None:
        return _UNKNOWN_ZONES
    first, changes, default = _zones_from_json(packed)
    return Zones(first, tuple((from_micros(since), name) for since, name in changes), default)


def pack_data(data: Mapping[str, Any] | None) -> str | None:
    """Free JSON with sorted keys: equal data gives equal text, and 1, 1.0 and true stay apart."""
    return None if data is None else _to_json(data).decode()


def unpack_data(packed: str | None) -> Mapping[str, Any] | None:
    """The free JSON that this column holds."""
    return None if packed is None else _data_from_json(packed)


def tombstone(secret: bytes, user_id: str) -> bytes:
    """What is kept of an erased user: without the secret, nobody can tell whose it is."""
    return hmac.digest(secret, user_id.encode(), hashlib.sha256)


def _bits_to_bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


_UNKNOWN_ZONES = Zones()
