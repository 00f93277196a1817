"""Which tables every engine has, for moving a database from one to another.

Left out are `tallies`, which are counted anew from the standings, and `migrations`, which are each engine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from laurels.storage.rows import (
    ACTS,
    AMNESTIES,
    AWARDS,
    CLOSINGS,
    EVENTS,
    KEYS,
    LEDGER,
    MOMENTS,
    STANDINGS,
    UPKEEP,
    USERS,
)

BATCH = 2000
"""How many rows are read or written together: some megabytes at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, in one order for all engines: those of its key first."""

    key: tuple[str, ...]
    columns: tuple[str, ...]


def _table(keys: int, columns: str) -> Table:
    names = tuple(columns.split(", "))
    return Table(names[:keys], names)


TABLES: Mapping[str, Table] = {
    "secrets": _table(1, "name, value"),
    "tombstones": _table(1, "user_hash, erased_at"),
    "api_keys": _table(1, KEYS),
    "signed_out": _table(1, "session_hash, expires_at"),
    "amnesties": _table(1, AMNESTIES),
    "upkeep": _table(1, UPKEEP),
    "sandbox": _table(1, "only_row, clock_offset"),
    "users": _table(1, USERS),
    "events": _table(2, EVENTS),
    "acts": _table(2, ACTS),
    "awards": _table(2, AWARDS),
    "ledger": _table(3, LEDGER),
    "outbox": _table(3, MOMENTS),
    "standings": _table(3, f"{STANDINGS}, ahead"),
    "closings": _table(2, CLOSINGS),
    "sessions": _table(2, "user_id, token_hash, created_at, expires_at"),
}
"""A migration that adds a table or a column adds it here; a test compares."""

OF_EACH = ("secrets", "upkeep")
"""What an empty database may hold already: it is replaced when another's rows move in."""
