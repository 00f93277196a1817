"""What both engines know of the tables that retention removes rows of."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.storage.columns import AUDIT, BYTES, NUMBER, OPERATOR_SESSIONS, OUTBOX, SESSIONS, TEXT, Kind, Table
from laurels.storage.contract import RetainedTable, RowKey

RETAINED: Mapping[RetainedTable, tuple[Table, str]] = {
    "sessions": (SESSIONS, "expires_at"),
    "operator_sessions": (OPERATOR_SESSIONS, "expires_at"),
    "outbox": (OUTBOX, "at"),
    "audit": (AUDIT, "at"),
}
"""Each table with the column of the time from which a row's age counts."""

_LEAST: Mapping[Kind, object] = {TEXT: "", NUMBER: -1, BYTES: b""}


def first_key(name: RetainedTable) -> RowKey:
    """A key before every row's."""
    table, _ = RETAINED[name]
    return tuple(_LEAST[table.kinds[column]] for column in table.key)
