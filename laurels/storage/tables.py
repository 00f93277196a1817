"""The tables that every engine has, for moving a database from one to another.

Left out are `tallies`, which are counted anew from the standings, and `migrations`, which are each engine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, in one order for all engines: those of its primary key first."""

    key: tuple[str, ...]
    columns: tuple[str, ...]


def _table(key: str, others: str) -> Table:
    return Table(tuple(key.split()), (*key.split(), *others.split()))


TABLES: Mapping[str, Table] = {
    "secrets": _table("name", "value"),
    "tombstones": _table("user_hash", "erased_at"),
    "api_keys": _table("key_hash", "name hint created_at revoked_at"),
    "amnesties": _table("amnesty_id", "first_day last_day for_group reason actor created_at lifted_at"),
    "sandbox": _table("only_row", "clock_offset"),
    "users": _table(
        "user_id", "name zones joined_at created_at revision rules points reached_at progress groups amnesties"
    ),
    "events": _table(
        "user_id event_id",
        "revision type occurred_at sent_at recorded_at day quantity data outcome rank_before rank_after late_by reversed_by",
    ),
    "acts": _table("user_id act_id", "revision at kind data reason actor undone_by"),
    "awards": _table("user_id badge", "revision awarded_at points event_id"),
    "ledger": _table("user_id revision position", "at amount reason ref event_id"),
    "outbox": _table("user_id revision position", "at type data"),
    "standings": _table("user_id board period", "sort_key reached_at"),
    "sessions": _table("user_id token_hash", "created_at expires_at"),
}
"""Every table that moves. A new migration that adds a table or a column adds it here; a test compares."""

OF_THE_ENGINE = ("secrets",)
"""What an empty database holds already; moving in replaces it."""
