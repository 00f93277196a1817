"""What a copy checks in each row before it writes it: that the row can be read at all. A backup may be damaged, or made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from laurels.engine.events import MAX_NAME, check_text
from laurels.engine.names import check_visible
from laurels.errors import LaurelsError, StoreError
from laurels.storage import codec
from laurels.storage.access import key_of
from laurels.storage.audit import audit_of
from laurels.storage.codec import Columns
from laurels.storage.columns import TABLES, Kind
from laurels.storage.former import former_state_of


def _check_key(row: Columns) -> None:
    """A key whose name hides itself or others in a list would go unseen."""
    name = key_of(row).name
    check_text("name", name, MAX_NAME)
    check_visible("name", name)


Reader = Callable[[Columns], object]
"""Reads a row. It raises if it cannot."""

READERS: Mapping[str, Reader] = {
    "api_keys": _check_key,
    "audit": audit_of,
    "amnesties": codec.amnesty_of,
    "catalog_revisions": codec.catalog_of,
    "maintenance_runs": codec.maintenance_run_of,
    "users": codec.user_of,
    "events": codec.event_of,
    "adjustments": codec.adjustment_of,
    "awards": codec.award_of,
    "former_states": former_state_of,
    "ledger": codec.entry_of,
    "outbox": codec.notification_of,
    "closings": codec.closing_of,
    "board_rules": codec.board_rule_of,
}
"""How the rows of a table are read. Those of other tables are plain numbers, texts and hashes."""

TYPES: Mapping[Kind, type] = {"text": str, "number": int, "bytes": bytes}

UNREADABLE = (
    *(msgspec.MsgspecError, LaurelsError, ValueError, TypeError),
    *(LookupError, ArithmeticError, AttributeError, RecursionError),
)
"""What the readers raise for a row that none of ours wrote."""


def check(table: str, rows: Sequence[Columns], readers: Mapping[str, Reader] = READERS) -> None:
    """Raise StoreError, which names the first row that cannot be read."""
    types = [TYPES[kind] for kind in TABLES[table].kinds.values()]
    reader = readers.get(table)
    for row in rows:
        try:
            if any(type(value) is not kind for value, kind in zip(row, types, strict=True) if value is not None):
                raise TypeError("a value is of another type than its column")
            if reader:
                reader(row)
        except UNREADABLE as error:
            raise StoreError(f"{_name(table, row)} is damaged: {error}; use another backup") from error


def _name(table: str, row: Columns) -> str:
    """How a row is named in an error: the table and the row's key."""
    key = ", ".join(repr(value)[:100] for value in row[: TABLES[table].key_length])
    return f"the row {key} of {table}"
