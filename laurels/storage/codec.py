"""How values become rows and rows become values, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from laurels.engine.days import Days, Fold
from laurels.engine.events import Event
from laurels.engine.instants import EPOCH, MICROSECOND, from_micros
from laurels.engine.instants import micros as to_micros
from laurels.engine.progress import NO_MANUAL_STATE, UNKNOWN, ManualState, Progress, Stage
from laurels.engine.ranking import Place, Ranks
from laurels.engine.zones import Zones
from laurels.storage import tallies
from laurels.storage.contract import (
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    BoardRuleRow,
    CatalogRow,
    ClosedPeriodRow,
    EventRow,
    LedgerRow,
    MaintenanceRun,
    NotificationRow,
    PendingErasure,
    Standing,
    UserRow,
)
from laurels.storage.principals import principal_columns, principal_of

Columns = Sequence[Any]
"""The values of a row, in the order of its columns in `columns.py`."""

GROUP_SEPARATOR = "\n"  # no name of a group may contain a control character

_UNKNOWN_ZONES = Zones()

_Sums = dict[str, int]
_Set = tuple[int, bytes]
_PackedStage = tuple[int, int, str, bytes]
_PackedFold = tuple[int, int, int, int, int, int, _Set | None]


def maybe_micros(at: datetime | None) -> int | None:
    """`to_micros`, or None for None."""
    return None if at is None else (at - EPOCH) // MICROSECOND


def maybe_instant(micros: int | None) -> datetime | None:
    """`from_micros`, or None for None."""
    return None if micros is None else from_micros(micros)


class _PackedManualState(msgspec.Struct, array_like=True, frozen=True):
    """A user's manual state as stored. Later fields are missing in older rows."""

    adjusted: int
    granted: list[str]
    barred: list[str]
    awaited: list[str]
    pauses: dict[str, _Set]
    repairs: dict[str, _Set]
    grants: dict[str, list[tuple[int, int]]]
    amnesty: _Set
    excluded: bool = False
    corrections: list[tuple[int, int, str]] = []
    spent: int = 0
    kinds: dict[str, tuple[int, int]] = {}


_ByDay = dict[str, list[tuple[int, int]]]
_PackedScores = dict[str, dict[str, tuple[int, int]]]


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """A user's progress as stored. Later fields are missing in older rows."""

    totals: _Sums
    days: dict[str, _Set]
    capped: _ByDay
    partial: _ByDay
    folds: dict[str, _PackedFold]
    badges: _Sums
    manual: _PackedManualState | None
    scores: _PackedScores = {}
    latest: _Sums = {}
    values: tallies.Values = {}
    values_within: dict[str, tallies.Values] = {}
    board_days: dict[str, dict[str, _Set]] | None = None
    newest: datetime | None = UNKNOWN
    beyond: bytes = b""
    cap_reached: _Sums = {}
    day_sums: tallies.Sums = {}
    day_sums_within: dict[str, tallies.Sums] = {}
    stages: dict[str, _PackedStage] = {}
    kinds: dict[str, tuple[int, int]] = {}


_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode
_unpack_earned = msgspec.msgpack.Decoder(dict[str, int]).decode
_to_json = msgspec.json.Encoder(order="deterministic").encode
_zones_from_json = msgspec.json.Decoder(tuple[str | None, tuple[tuple[int, str], ...], str]).decode
_data_from_json = msgspec.json.Decoder(dict[str, Any]).decode


def pack_progress(progress: Progress) -> bytes:
    """The sums and sets of a progress. Equal progress gives equal bytes, in whatever order it was made.

    Its points, reached_at, zones and joined_at have columns of their own; corrections of zones are in the manual state.
    """
    manual = progress.manual
    empty = manual is NO_MANUAL_STATE or manual == NO_MANUAL_STATE
    values, sums = tallies.pack(progress.values) if progress.values else ({}, {})
    within, sums_within = tallies.pack_within(progress.values_within) if progress.values_within else ({}, {})
    fields = (
        progress.totals,
        _pack_sets(progress.days),
        _pack_by_day(progress.capped),
        _pack_by_day(progress.partial),
        {name: _pack_fold(fold) for name, fold in progress.folds.items()},
        progress.badges,
        None if empty else _pack_manual_state(manual),
        progress.scores,
        progress.latest,
        values,
        within,
        None if progress.board_days is None else {name: _pack_sets(sets) for name, sets in progress.board_days.items()},
        progress.newest,
    )
    rare = (progress.beyond, progress.cap_reached, sums, sums_within, _pack_stages(progress.stages), progress.kinds)
    while any(rare) and not rare[-1]:  # most users have none of these
        rare = rare[:-1]
    return _pack((*fields, _pack_large(progress.beyond), *rare[1:]) if any(rare) else fields)


def unpack_progress(
    packed: bytes, points: int, reached_at: datetime | None, zones: Zones, joined_at: datetime | None
) -> Progress:
    """The progress in these columns."""
    stored = _unpack(packed)
    manual = NO_MANUAL_STATE if stored.manual is None else _unpack_manual_state(stored.manual)
    return Progress(
        stored.totals,
        _unpack_sets(stored.days),
        {rule: dict(amounts) for rule, amounts in stored.capped.items()},
        {streak: dict(amounts) for streak, amounts in stored.partial.items()},
        {name: _unpack_fold(fold) for name, fold in stored.folds.items()},
        stored.badges,
        points,
        reached_at,
        zones.corrected(manual.corrections) if manual.corrections else zones,
        joined_at,
        manual,
        stored.scores,
        stored.latest,
        tallies.unpack(stored.values, stored.day_sums) if stored.values or stored.day_sums else {},
        tallies.unpack_within(stored.values_within, stored.day_sums_within),
        None if stored.board_days is None else {name: _unpack_sets(sets) for name, sets in stored.board_days.items()},
        stored.newest,
        int.from_bytes(stored.beyond, "little", signed=True),
        stored.cap_reached,
        {key: _unpack_stage(*stage) for key, stage in stored.stages.items()} if stored.stages else {},
        stored.kinds,
    )


def head_of_days(streak: str) -> bytes:
    """Bytes that a packed progress contains wherever it has days of this streak: the name, and how a set of days begins."""
    return _pack(streak) + _pack((0, b""))[:1]


def has_days(packed: bytes, streak: str) -> bool:
    """Whether a packed progress has days of this streak."""
    return streak in _unpack(packed).days


def _pack_stages(stages: Mapping[str, Stage]) -> dict[str, _PackedStage]:
    return {key: (one.done, *one.since, pack_progress(one.sums) if one.sums else b"") for key, one in stages.items()}


def _unpack_stage(done: int, at: int, event_id: str, sums: bytes) -> Stage:
    return Stage(done, (at, event_id), unpack_progress(sums, 0, None, _UNKNOWN_ZONES, None) if sums else None)


def _pack_large(number: int) -> bytes:
    """A whole number that may need more than 64 bits."""
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)


def _pack_by_day(amounts: Mapping[str, Mapping[int, int]]) -> _ByDay:
    """Pairs sorted by day: the encoder sorts only keys that are strings."""
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


def _pack_manual_state(manual: ManualState) -> tuple[Any, ...]:
    fields = (
        manual.adjusted,
        sorted(manual.granted),
        sorted(manual.barred),
        sorted(manual.awaited),
        _pack_sets(manual.pauses),
        _pack_sets(manual.repairs),
        {name: list(grants) for name, grants in manual.grants.items()},
        _pack_set(manual.amnesty),
        manual.excluded,
        [(to_micros(since), to_micros(until), name) for since, until, name in manual.corrections],
        manual.spent,
    )
    return (*fields, manual.kinds) if manual.kinds else fields


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
        tuple((from_micros(since), from_micros(until), name) for since, until, name in packed.corrections),
        packed.spent,
        packed.kinds,
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
    """The user's dated zones as JSON, without corrections; None for a user without a known zone, if the default is UTC."""
    if zones.corrected(()) == _UNKNOWN_ZONES:
        return None
    changes = [(to_micros(since), name) for since, name in zones.changes]
    return _to_json((zones.first, changes, zones.default)).decode()


@lru_cache(maxsize=1024)
def unpack_zones(packed: str | None) -> Zones:
    """The dated zones in this column."""
    if packed is None:
        return _UNKNOWN_ZONES
    first, changes, default = _zones_from_json(packed)
    return Zones(first, tuple((from_micros(since), name) for since, name in changes), default)


def pack_data(data: Mapping[str, Any] | None) -> str | None:
    """Free JSON with sorted keys: equal data gives equal text, and 1, 1.0 and true stay different."""
    return None if data is None else _to_json(data).decode()


def unpack_data(packed: str | None) -> Mapping[str, Any] | None:
    """The free JSON in this column."""
    return None if packed is None else _data_from_json(packed)


# ---- rows -------------------------------------------------------------------------------------


def user_of(row: Columns) -> UserRow:
    """A user, from USERS."""
    user_id, name, zones, joined_at, created_at, revision, rules, points, reached_at, progress, *rest = row
    groups, amnesties, visibility, _, earned, erase_at = rest
    unpacked = unpack_progress(
        progress, points, maybe_instant(reached_at), unpack_zones(zones), maybe_instant(joined_at)
    )
    of_groups = tuple(groups.split(GROUP_SEPARATOR)) if groups else ()
    when = _unpack_earned(earned) if earned else {}
    created = from_micros(created_at)
    until = maybe_instant(erase_at)
    return UserRow(user_id, name, created, revision, rules, unpacked, of_groups, amnesties, visibility, when, until)


def user_columns(user: UserRow) -> Columns:
    """USERS of a user."""
    progress = user.progress
    return (
        user.user_id,
        user.name,
        pack_zones(progress.zones),
        maybe_micros(progress.joined_at),
        to_micros(user.created_at),
        user.revision,
        user.rules,
        progress.points,
        maybe_micros(progress.reached_at),
        pack_progress(progress),
        GROUP_SEPARATOR.join(user.groups) or None,
        user.amnesties,
        user.visibility,
        int(progress.manual.excluded or user.erase_at is not None),
        _pack(user.earned) if user.earned else None,
        maybe_micros(user.erase_at),
    )


def pending_of(row: Columns) -> PendingErasure:
    """A pending erasure, from the id, the name and the time."""
    user_id, name, erase_at = row
    return PendingErasure(user_id, name, from_micros(erase_at))


def event_of(row: Columns) -> EventRow:
    """An event, from EVENTS."""
    user_id, event_id, revision, kind, occurred_at, sent_at, recorded_at, day, quantity, data, *rest = row
    outcome, before, after, late_by, reversed_by = rest
    recorded = from_micros(recorded_at)
    return EventRow(
        event=Event(
            user_id, event_id, kind, from_micros(occurred_at), quantity, unpack_data(data), day, late_by, recorded
        ),
        sent_at=maybe_instant(sent_at),
        recorded_at=recorded,
        revision=revision,
        outcome=outcome.encode() if outcome else None,
        rank_before=before,
        rank_after=after,
        reversed_by=reversed_by,
    )


def event_columns(row: EventRow, ranks: Mapping[str, Ranks]) -> Columns:
    """EVENTS of an event, with the ranks that its transaction computed."""
    event = row.event
    assert event.occurred_at is not None
    moved = ranks.get(event.user_id) if row.outcome else None
    return (
        event.user_id,
        event.id,
        row.revision,
        event.type,
        to_micros(event.occurred_at),
        maybe_micros(row.sent_at),
        to_micros(row.recorded_at),
        event.day,
        event.quantity,
        pack_data(event.data),
        row.outcome.decode() if row.outcome else None,
        moved.before if moved else None,
        moved.after if moved else None,
        event.late_by,
        row.reversed_by,
    )


def mark_columns(row: EventRow) -> Columns:
    """What can change in a recorded event, and its key."""
    event = row.event
    return (row.reversed_by, event.day, event.late_by, pack_data(event.data), event.user_id, event.id)


def adjustment_of(row: Columns) -> AdjustmentRow:
    """An adjustment, from ADJUSTMENTS."""
    user_id, adjustment_id, revision, at, kind, data, reason, actor, undone_by, by_kind, by_name, *request = row
    what = (user_id, adjustment_id, revision, from_micros(at), kind, unpack_data(data) or {})
    return AdjustmentRow(*what, reason, actor, undone_by, principal_of(by_kind, by_name), *request)


def adjustment_columns(row: AdjustmentRow) -> Columns:
    """ADJUSTMENTS of an adjustment."""
    at, data, who = to_micros(row.at), pack_data(row.data), (row.reason, row.actor)
    what = (row.user_id, row.adjustment_id, row.revision, at, row.kind, data)
    return (*what, *who, row.undone_by, *principal_columns(row.principal), row.address, row.request_id)


def amnesty_of(row: Columns) -> AmnestyRow:
    """An amnesty, from AMNESTIES."""
    amnesty_id, first, last, group, reason, actor, created_at, lifted_at, by, why, *principals = row
    made, lifted = from_micros(created_at), maybe_instant(lifted_at)
    both = principal_of(*principals[:2]), principal_of(*principals[2:])
    return AmnestyRow(amnesty_id, first, last, group, reason, actor, made, lifted, by, why, *both)


def amnesty_columns(row: AmnestyRow) -> Columns:
    """AMNESTIES of an amnesty."""
    made, lifted = to_micros(row.created_at), maybe_micros(row.lifted_at)
    days, lifting = (row.first_day, row.last_day), (lifted, row.lifted_by, row.lift_reason)
    principals = (*principal_columns(row.principal), *principal_columns(row.lift_principal))
    return (row.amnesty_id, *days, row.for_group, row.reason, row.actor, made, *lifting, *principals)


def award_of(row: Columns) -> AwardRow:
    """An award, from AWARDS."""
    user_id, badge, revision, awarded_at, points, event_id, catalog = row
    return AwardRow(user_id, badge, revision, from_micros(awarded_at), points, event_id, catalog)


def award_columns(award: AwardRow) -> Columns:
    """AWARDS of an award."""
    at = to_micros(award.awarded_at)
    return (award.user_id, award.badge, award.revision, at, award.points, award.event_id, award.catalog)


def entry_of(row: Columns) -> LedgerRow:
    """A ledger entry, from LEDGER."""
    user_id, revision, position, at, amount, reason, ref, event_id, counts_at, catalog = row
    counted = maybe_instant(counts_at)
    return LedgerRow(user_id, revision, position, from_micros(at), amount, reason, ref, event_id, counted, catalog)


def entry_columns(entry: LedgerRow) -> Columns:
    """LEDGER of an entry."""
    at, counts_at, what = to_micros(entry.at), maybe_micros(entry.counts_at), (entry.reason, entry.ref, entry.event_id)
    return (entry.user_id, entry.revision, entry.position, at, entry.amount, *what, counts_at, entry.catalog)


def catalog_of(row: Columns) -> CatalogRow:
    """A revision of the catalog, from CATALOG_REVISIONS."""
    number, text, digest, rules, applied_at, actor, reason, kind, name, silent, filled, filled_at, past = row
    by, policies = (actor, reason, principal_of(kind, name)), (bool(silent), filled, maybe_instant(filled_at))
    return CatalogRow(number, text, digest, rules, from_micros(applied_at), *by, *policies, past or "")


def catalog_columns(row: CatalogRow) -> Columns:
    """CATALOG_REVISIONS of a revision."""
    what, by = (row.number, row.text, row.digest, row.rules), (row.applied_by, row.reason)
    policies = (int(row.silent) or None, row.filled, maybe_micros(row.filled_at), row.past or None)
    return (*what, to_micros(row.applied_at), *by, *principal_columns(row.principal), *policies)


def standings_of(rows: Iterable[Columns]) -> dict[tuple[str, str], Place]:
    """A user's places by leaderboard and period, from PLACE."""
    return {(board, period): Place(sort_key, at, user_id) for user_id, board, period, sort_key, at in rows}


def closing_of(row: Columns) -> ClosedPeriodRow:
    """A closed period, from CLOSINGS."""
    board, period, closed_at, notified_at, starts_at, ends_at, rule = row
    bounds = maybe_instant(starts_at), maybe_instant(ends_at)
    return ClosedPeriodRow(board, period, from_micros(closed_at), maybe_instant(notified_at), *bounds, rule)


def board_rule_of(row: Columns) -> BoardRuleRow:
    """The rule of a leaderboard, from BOARD_RULES."""
    board, rule, recomputed_at = row
    return BoardRuleRow(board, rule, maybe_instant(recomputed_at))


def standing_of(row: Sequence[Any], rank: int) -> Standing:
    """A line of a leaderboard, from LINE."""
    user_id, name, points, sort_key, reached_at, visibility, excluded = row
    return Standing(rank, Place(sort_key, reached_at, user_id), name, points, visibility, bool(excluded))


def notification_of(row: Columns) -> NotificationRow:
    """A notification, from OUTBOX."""
    user_id, revision, position, at, kind, data = row
    return NotificationRow(user_id, revision, position, from_micros(at), kind, unpack_data(data) or {})


def notification_columns(row: NotificationRow) -> Columns:
    """OUTBOX of a notification."""
    return (row.user_id, row.revision, row.position, to_micros(row.at), row.type, pack_data(row.data))


def maintenance_run_of(row: Columns) -> MaintenanceRun:
    """The last run of a maintenance task, from MAINTENANCE_RUNS."""
    task, at, outcome = row
    return MaintenanceRun(task, from_micros(at), unpack_data(outcome) or {})


def maintenance_run_columns(run: MaintenanceRun) -> Columns:
    """MAINTENANCE_RUNS of a run."""
    return (run.task, to_micros(run.at), pack_data(run.outcome))
