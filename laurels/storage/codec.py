"""How values of the engine become columns, the same for every engine of storage."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from laurels.engine.days import Days, Fold, Zones
from laurels.engine.progress import NO_MANUAL_STATE, ManualState, Progress

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_Sums = dict[str, int]
_Set = tuple[int, bytes]
_PackedFold = tuple[int, int, int, int, int, int, _Set | None]


class _PackedManualState(msgspec.Struct, array_like=True, frozen=True):
    """What was told, as a column holds it; a field that came later is not there in older rows."""

    adjusted: int
    granted: list[str]
    barred: list[str]
    awaited: list[str]
    pauses: dict[str, _Set]
    repairs: dict[str, _Set]
    grants: dict[str, list[tuple[int, int]]]
    amnesty: _Set
    excluded: bool = False


_ByDay = dict[str, list[tuple[int, int]]]
_PackedScores = dict[str, dict[str, tuple[int, int]]]


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """What the column holds; a field that came later is not there in older rows."""

    totals: _Sums
    days: dict[str, _Set]
    capped: _ByDay
    partial: _ByDay
    folds: dict[str, _PackedFold]
    badges: _Sums
    manual: _PackedManualState | None
    scores: _PackedScores = {}


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


def maybe_instant(micros: int | None) -> datetime | None:
    """`from_micros`, or None for None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def pack_progress(progress: Progress) -> bytes:
    """The sums and sets of a progress. Equal progress gives equal bytes, whatever order it grew in.

    Its points, reached_at, zones and joined_at have columns of their own.
    """
    folds = {name: _pack_fold(fold) for name, fold in progress.folds.items()}
    manual = progress.manual
    nothing_told = manual is NO_MANUAL_STATE or manual == NO_MANUAL_STATE
    return _pack(
        (
            progress.totals,
            _pack_sets(progress.days),
            _pack_by_day(progress.capped),
            _pack_by_day(progress.partial),
            folds,
            progress.badges,
            None if nothing_told else _pack_manual_state(manual),
            progress.scores,
        )
    )


def unpack_progress(
    packed: bytes, points: int, reached_at: datetime | None, zones: Zones, joined_at: datetime | None
) -> Progress:
    """The progress that these columns hold."""
    kept = _unpack(packed)
    return Progress(
        kept.totals,
        _unpack_sets(kept.days),
        {rule: dict(amounts) for rule, amounts in kept.capped.items()},
        {streak: dict(amounts) for streak, amounts in kept.partial.items()},
        {name: _unpack_fold(fold) for name, fold in kept.folds.items()},
        kept.badges,
        points,
        reached_at,
        zones,
        joined_at,
        NO_MANUAL_STATE if kept.manual is None else _unpack_manual_state(kept.manual),
        kept.scores,
    )


def _pack_by_day(amounts: Mapping[str, Mapping[int, int]]) -> _ByDay:
    """Pairs in the order of days, for the encoder sorts only keys that are texts."""
    return {name: sorted(of_days.items()) for name, of_days in amounts.items()}


def _pack_fold(fold: Fold) -> _PackedFold:
    frozen = _pack_set(fold.frozen) if fold.frozen.bits else None
    best = (fold.longest, fold.longest_start, fold.longest_end)
    return (fold.start, fold.length, fold.freezes, *best, frozen)


def _unpack_fold(packed: _PackedFold) -> Fold:
    start, length, freezes, longest, longest_start, longest_end, frozen = packed
    if frozen is None:
        return Fold(start, length, freezes, longest, longest_start, longest_end)
    return Fold(start, length, freezes, longest, longest_start, longest_end, _unpack_set(frozen))


def _pack_manual_state(manual: ManualState) -> _PackedManualState:
    return _PackedManualState(
        manual.adjusted,
        sorted(manual.granted),
        sorted(manual.barred),
        sorted(manual.awaited),
        _pack_sets(manual.pauses),
        _pack_sets(manual.repairs),
        {name: list(grants) for name, grants in manual.grants.items()},
        _pack_set(manual.amnesty),
        manual.excluded,
    )


def _unpack_manual_state(packed: _PackedManualState) -> ManualState:
    return ManualState(
        packed.adjusted,
        frozenset(packed.granted),
        frozenset(packed.barred),
        frozenset(packed.awaited),
        _unpack_sets(packed.pauses),
        _unpack_sets(packed.repairs),
        {name: tuple(given) for name, given in packed.grants.items()},
        _unpack_set(packed.amnesty),
        packed.excluded,
    )


def _pack_set(days: Days) -> _Set:
    return days.first, days.bits.to_bytes((days.bits.bit_length() + 7) // 8, "little")


def _unpack_set(packed: _Set) -> Days:
    return Days(packed[0], int.from_bytes(packed[1], "little"))


def _pack_sets(sets: Mapping[str, Days]) -> dict[str, _Set]:
    return {name: _pack_set(days) for name, days in sets.items()}


def _unpack_sets(packed: dict[str, _Set]) -> dict[str, Days]:
    return {name: Days(first, int.from_bytes(bits, "little")) for name, (first, bits) in packed.items()}


@lru_cache(maxsize=1024)
def pack_zones(zones: Zones) -> str | None:
    """The user's dated zones as JSON; None for a user of whom no zone is known, where UTC is the default."""
    if zones == _UNKNOWN_ZONES:
        return None
    changes = [(to_micros(since), name) for since, name in zones.changes]
    return _to_json((zones.first, changes, zones.default)).decode()


@lru_cache(maxsize=1024)
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


def seal(secret: bytes, user_id: str) -> bytes:
    """A hash from which an invented name is made: without the secret, nobody can tell whose it is."""
    return hmac.digest(secret, b"alias " + user_id.encode(), hashlib.sha256)


CIPHER_BLOCK = 64
CIPHER_MARK = 16


def encrypted(secret: bytes, plain: bytes) -> bytes:
    """What only `decrypted` under this secret can read; the same for the same, and of a length that says little.

    A mark made of the whole (HMAC) stands before it, begins the stream of bytes that hides it (SHAKE-256), and proves when
    it is read that it is ours.
    """
    padded = plain + b"\x80" + bytes(-(len(plain) + 1) % CIPHER_BLOCK)
    mark = _mark(secret, padded)
    return mark + _hidden(secret, mark, padded)


def decrypted(secret: bytes, sealed: bytes) -> bytes:
    """What was encrypted. Raises ValueError for what was not, or under another secret."""
    mark, hidden = sealed[:CIPHER_MARK], sealed[CIPHER_MARK:]
    padded = _hidden(secret, mark, hidden)
    if not hidden or not hmac.compare_digest(mark, _mark(secret, padded)):
        raise ValueError("this was not encrypted here")
    return padded.rstrip(b"\x00")[:-1]


def _mark(secret: bytes, padded: bytes) -> bytes:
    return hmac.digest(secret, b"cipher mark " + padded, hashlib.sha256)[:CIPHER_MARK]


def _hidden(secret: bytes, mark: bytes, text: bytes) -> bytes:
    """This text with the stream that begins with the mark laid over it; laid over it again, the text."""
    key = hmac.digest(secret, b"cipher stream", hashlib.sha256)
    stream = hashlib.shake_256(key + mark).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, stream, strict=True))


_UNKNOWN_ZONES = Zones()
