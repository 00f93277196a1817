"""What a copy checks in each row besides what storage reads: that whatever reads the row later can read it.

A backup may be damaged, or made up. A row that would only fail when it is needed is refused here, before anything is copied.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from ipaddress import ip_network
from typing import Any, get_args

import msgspec

from laurels.commands.lost_badges import LOST
from laurels.commands.outcomes import unpack
from laurels.engine.adjustments import KINDS, Freezes
from laurels.engine.catalog import Catalog
from laurels.engine.closings import Closing, closes_at, doubts, own_scores, with_rule
from laurels.engine.fields import Field
from laurels.engine.instants import EPOCH, from_micros, micros
from laurels.engine.leaderboards import Visibility
from laurels.engine.progress import ManualState
from laurels.engine.rule_versions import read_past
from laurels.engine.zones import zone
from laurels.errors import CatalogError, StoreError
from laurels.present.amnesties import amnesty
from laurels.present.audit import entry_of_adjustment, entry_of_row
from laurels.present.history import history_event
from laurels.present.notifications import notification_message
from laurels.service.clock import utc_now
from laurels.service.revisions import parsed
from laurels.storage import codec
from laurels.storage.access import key_of, second_factor_of
from laurels.storage.audit import audit_of
from laurels.storage.checking import READERS, Reader
from laurels.storage.codec import Columns
from laurels.storage.columns import TABLES
from laurels.storage.contract import Store


async def check_catalog(source: Store) -> None:
    """Raise StoreError if the newest revision of the catalog cannot be read: nothing of the copy could be used.

    Earlier revisions are only shown as text, and an earlier version may have allowed them.
    """
    name = "the newest row"
    try:
        newest = (await source.catalog_state()).newest
        if newest:
            name = f"the row {newest.number}"
            parsed(newest)
    except (CatalogError, ValueError, TypeError, OverflowError) as error:
        why = error.faults[0] if isinstance(error, CatalogError) else error
        raise StoreError(f"{name} of catalog_revisions is damaged: {why}; use another backup") from error


def _check_user(row: Columns) -> None:
    user = codec.user_of(row)
    zones = user.progress.zones
    names = (zones.first, zones.default, *(name for _, name in zones.changes), *(one[2] for one in zones.corrections))
    for name in filter(None, names):
        zone(name)
    if user.visibility is not None and user.visibility not in get_args(Visibility):
        raise ValueError(f"the visibility '{user.visibility[:100]}' is unknown")


def _check_event(row: Columns) -> None:
    event = codec.event_of(row)
    unpack(event)
    history_event(event)


def _check_adjustment(row: Columns) -> None:
    """Its data must be what its kind stores, because the user's state is computed from it again and again."""
    stored = codec.adjustment_of(row)
    if stored.kind not in KINDS:
        raise ValueError(f"the kind '{stored.kind[:100]}' is unknown")
    kind, data = KINDS[stored.kind], stored.data
    for field in kind.fields():
        if field.name in data and not _is_of_type(field, data[field.name]):
            raise ValueError(f"'{field.name}' is not a {field.type}")
    day = {} if kind is not Freezes or "day" in data else {"day": "2026-03-01"}  # filled in when it is read
    kind.fold(ManualState(), {**data, **day})
    for item in data.get(LOST, ()):
        _check_loss(item)
    entry_of_adjustment(stored)


def _is_of_type(field: Field, value: object) -> bool:
    match field.type:
        case "number":
            return type(value) is int
        case "flag":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and bool(date.fromisoformat(value))
        case "zone":
            return isinstance(value, str) and bool(zone(value))
        case _:
            return isinstance(value, str)


LONG = 100 * 366 * 86400 * 10**6
"""A hundred years, in microseconds."""


class _Loss(msgspec.Struct, rename="camel"):
    """A badge that an adjustment took away, as `lost_badges.py` stores it."""

    badge: str
    points: int
    event: str | None
    awarded_at: datetime
    met: bool
    earned_at: datetime | None = None


def _check_loss(item: Any) -> None:
    loss = msgspec.convert(item, _Loss)
    if any(at is not None and at.tzinfo is None for at in (loss.awarded_at, loss.earned_at)):
        raise ValueError("a time has no time zone")


class _Rule(msgspec.Struct, rename="camel"):
    """The parts of the rule of a closed period that are read again; older ones lack some."""

    by: str = ""
    of: str = ""
    order: str = ""
    period: str | None = None
    teams: str = ""
    groups: list[str] = []
    late_seconds: int = 0
    shown: dict[str, str] = {}
    doubt: list[str] = []
    source: dict[str, Any] | None = None


def _check_closing(row: Columns) -> None:
    closed = codec.closing_of(row)
    if not closed.rule:
        return
    msgspec.convert(json.loads(closed.rule), _Rule)
    board = Catalog.default().boards["points"]
    with_rule(board, closed.rule)
    closes_at(closed.rule, closed.ends_at or EPOCH)
    doubts(closed.rule)
    own_scores(Closing(EPOCH, EPOCH, closed.rule, closed.closed_at), (), ())


def _check_revision(row: Columns) -> None:
    """That the text is TOML, and the earlier rules are some: our own versions stored nothing else."""
    revision = codec.catalog_of(row)
    tomllib.loads(revision.text)
    read_past(revision.past)


def _check_key(row: Columns) -> None:
    for network in key_of(row).addresses:
        ip_network(network)


def _check_clock(row: Columns) -> None:
    """The clock of a sandbox must be in the years that times can have, for a while."""
    _, offset = row
    from_micros(micros(utc_now()) + offset + LONG)


def _times(table: str) -> Reader:
    """A reader that reads all columns that are times; the others are plain texts, numbers and hashes."""
    places = [place for place, name in enumerate(TABLES[table].columns) if name.endswith("_at") or name == "at"]

    def check(row: Columns) -> None:
        for place in places:
            if row[place] is not None:
                from_micros(row[place])

    return check


DEEP: Mapping[str, Reader] = {
    "users": _check_user,
    "events": _check_event,
    "adjustments": _check_adjustment,
    "outbox": lambda row: msgspec.json.encode(notification_message(Catalog.default(), codec.notification_of(row))),
    "closings": _check_closing,
    "catalog_revisions": _check_revision,
    "amnesties": lambda row: amnesty(codec.amnesty_of(row)),
    "audit": lambda row: entry_of_row(audit_of(row)).to_json(),
    "api_keys": _check_key,
    "second_factors": second_factor_of,
    "sandbox": _check_clock,
    **{table: _times(table) for table in ("sessions", "tombstones", "unfinished_erasures", "standings")},
}


def _both(first: Reader, then: Reader) -> Reader:
    def check(row: Columns) -> None:
        first(row)
        then(row)

    return check


ALL_READERS: Mapping[str, Reader] = {
    table: _both(READERS[table], DEEP[table]) if table in READERS and table in DEEP else {**READERS, **DEEP}[table]
    for table in {**READERS, **DEEP}
}
"""How the rows of each table are read, here and in storage."""
