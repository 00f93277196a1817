"""How former states become rows, and rows former states, the same for every engine."""

from __future__ import annotations

import msgspec

from laurels.storage import codec
from laurels.storage.codec import Columns
from laurels.storage.contract import AwardRow, FormerAward, FormerState

_PackedAward = tuple[str, int, int, int, str | None, int | None, int | None, str | None]

_to_json = msgspec.json.Encoder().encode
_of_json = msgspec.json.Decoder(list[_PackedAward]).decode


def former_state_columns(state: FormerState) -> Columns:
    """FORMER_STATES of a former state."""
    return (
        state.user_id,
        state.revision,
        codec.to_micros(state.at),
        codec.pack_zones(state.zones),
        codec.maybe_micros(state.joined_at),
        codec.GROUP_SEPARATOR.join(state.groups) or None,
        state.rules,
        _to_json([_packed(former) for former in state.awards]).decode(),
    )


def former_state_of(row: Columns) -> FormerState:
    """A former state, from FORMER_STATES."""
    user_id, revision, at, zones, joined_at, groups, rules, awards = row
    return FormerState(
        user_id,
        revision,
        codec.from_micros(at),
        codec.unpack_zones(zones),
        codec.maybe_instant(joined_at),
        tuple(groups.split(codec.GROUP_SEPARATOR)) if groups else (),
        rules,
        former_awards_of(user_id, awards),
    )


def former_awards_of(user_id: str, data: str) -> tuple[FormerAward, ...]:
    """The awards in a user's former state, from its column `data`."""
    return tuple(_unpacked(user_id, award) for award in _of_json(data))


def _packed(former: FormerAward) -> _PackedAward:
    row = former.award
    at = codec.to_micros(row.awarded_at)
    return (row.badge, row.revision, at, row.points, row.event_id, row.catalog, former.earned_at, former.renamed)


def _unpacked(user_id: str, packed: _PackedAward) -> FormerAward:
    badge, revision, at, points, event_id, catalog, earned_at, renamed = packed
    award = AwardRow(user_id, badge, revision, codec.from_micros(at), points, event_id, catalog)
    return FormerAward(award, earned_at, renamed)
