"""The columns of every table, once for all engines: in SQL, in packing rows, and in copying a database.

A migration that adds a table or a column adds it here, and `codec.py` gives it a meaning; a test compares this list with the
schema. Left out of TABLES are `tallies`, which are counted from the standings, `migrations`, which belongs to each engine, and
`operator_sessions`: a session in a copy that someone else made could be theirs, under the key of another operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["text", "number", "bytes"]
TEXT: Kind = "text"
NUMBER: Kind = "number"
BYTES: Kind = "bytes"


@dataclass(frozen=True)
class Table:
    """A table: its columns with their kinds, those of the primary key first. Written into SQL it is its list of columns."""

    name: str
    key_length: int
    kinds: Mapping[str, Kind]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, in the order of the values of a row."""
        return tuple(self.kinds)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return self.columns[: self.key_length]

    def __str__(self) -> str:
        return ", ".join(self.kinds)


USERS = Table(
    "users",
    1,
    {
        "user_id": TEXT,
        "name": TEXT,
        "zones": TEXT,
        "joined_at": NUMBER,
        "created_at": NUMBER,
        "revision": NUMBER,
        "rules": TEXT,
        "points": NUMBER,
        "reached_at": NUMBER,
        "progress": BYTES,
        "groups": TEXT,
        "amnesties": NUMBER,
        "visibility": TEXT,
        "excluded": NUMBER,
        "earned": BYTES,
        "erase_at": NUMBER,
    },
)
EVENTS = Table(
    "events",
    2,
    {
        "user_id": TEXT,
        "event_id": TEXT,
        "revision": NUMBER,
        "type": TEXT,
        "occurred_at": NUMBER,
        "sent_at": NUMBER,
        "recorded_at": NUMBER,
        "day": NUMBER,
        "quantity": NUMBER,
        "data": TEXT,
        "outcome": TEXT,
        "rank_before": NUMBER,
        "rank_after": NUMBER,
        "late_by": NUMBER,
        "reversed_by": NUMBER,
    },
)
ADJUSTMENTS = Table(
    "adjustments",
    2,
    {
        "user_id": TEXT,
        "adjustment_id": TEXT,
        "revision": NUMBER,
        "at": NUMBER,
        "kind": TEXT,
        "data": TEXT,
        "reason": TEXT,
        "actor": TEXT,
        "undone_by": NUMBER,
        "principal_kind": TEXT,
        "principal_name": TEXT,
        "address": TEXT,
        "request_id": TEXT,
    },
)
WHO_ADJUSTED = ("actor", "principal_kind", "principal_name", "address", "request_id")
"""Who made an adjustment: nothing changes it later, except erasing the actor. An undo that was computed from an older copy of the
row must not write the erased id back."""

FORMER_STATES = Table(
    "former_states",
    2,
    {
        "user_id": TEXT,
        "revision": NUMBER,
        "at": NUMBER,
        "zones": TEXT,
        "joined_at": NUMBER,
        "groups": TEXT,
        "rules": TEXT,
        "data": TEXT,
    },
)
AWARDS = Table(
    "awards",
    2,
    {
        "user_id": TEXT,
        "badge": TEXT,
        "revision": NUMBER,
        "awarded_at": NUMBER,
        "points": NUMBER,
        "event_id": TEXT,
        "catalog": NUMBER,
    },
)
LEDGER = Table(
    "ledger",
    3,
    {
        "user_id": TEXT,
        "revision": NUMBER,
        "position": NUMBER,
        "at": NUMBER,
        "amount": NUMBER,
        "reason": TEXT,
        "ref": TEXT,
        "event_id": TEXT,
        "counts_at": NUMBER,
        "catalog": NUMBER,
    },
)
OUTBOX = Table(
    "outbox",
    3,
    {"user_id": TEXT, "revision": NUMBER, "position": NUMBER, "at": NUMBER, "type": TEXT, "data": TEXT},
)
PLACE = Table(
    "standings",
    3,
    {"user_id": TEXT, "board": TEXT, "period": TEXT, "sort_key": NUMBER, "reached_at": NUMBER},
)
"""A standing without `ahead`, which changes only in closed periods."""

STANDINGS = Table("standings", 3, {**PLACE.kinds, "ahead": NUMBER})
CLOSINGS = Table(
    "closings",
    2,
    {
        "board": TEXT,
        "period": TEXT,
        "closed_at": NUMBER,
        "notified_at": NUMBER,
        "starts_at": NUMBER,
        "ends_at": NUMBER,
        "rule": TEXT,
    },
)
BOARD_RULES = Table("board_rules", 1, {"board": TEXT, "rule": TEXT, "recomputed_at": NUMBER})
AMNESTIES = Table(
    "amnesties",
    1,
    {
        "amnesty_id": TEXT,
        "first_day": NUMBER,
        "last_day": NUMBER,
        "for_group": TEXT,
        "reason": TEXT,
        "actor": TEXT,
        "created_at": NUMBER,
        "lifted_at": NUMBER,
        "lifted_by": TEXT,
        "lift_reason": TEXT,
        "principal_kind": TEXT,
        "principal_name": TEXT,
        "lift_principal_kind": TEXT,
        "lift_principal_name": TEXT,
    },
)
CATALOG_REVISIONS = Table(
    "catalog_revisions",
    1,
    {
        "number": NUMBER,
        "text": TEXT,
        "digest": TEXT,
        "rules": TEXT,
        "applied_at": NUMBER,
        "applied_by": TEXT,
        "reason": TEXT,
        "principal_kind": TEXT,
        "principal_name": TEXT,
        "silent": NUMBER,
        "filled": NUMBER,
        "filled_at": NUMBER,
        "past": TEXT,
    },
)
SUPPLIES = Table("supplies", 1, {"badge": TEXT, "taken": NUMBER})
AUDIT = Table(
    "audit",
    1,
    {
        "audit_id": TEXT,
        "at": NUMBER,
        "kind": TEXT,
        "principal_kind": TEXT,
        "principal_name": TEXT,
        "target_kind": TEXT,
        "target": TEXT,
        "detail": TEXT,
        "address": TEXT,
        "request_id": TEXT,
        "times": NUMBER,
    },
)
API_KEYS = Table(
    "api_keys",
    1,
    {
        "key_hash": BYTES,
        "name": TEXT,
        "hint": TEXT,
        "created_at": NUMBER,
        "revoked_at": NUMBER,
        "last_used_at": NUMBER,
        "scopes": TEXT,
        "role": TEXT,
        "expires_at": NUMBER,
        "addresses": TEXT,
    },
)
SESSIONS = Table("sessions", 2, {"user_id": TEXT, "token_hash": BYTES, "created_at": NUMBER, "expires_at": NUMBER})
OPERATOR_SESSIONS = Table(
    "operator_sessions",
    1,
    {
        "token_hash": BYTES,
        "key_hash": BYTES,
        "created_at": NUMBER,
        "last_seen_at": NUMBER,
        "expires_at": NUMBER,
        "second_factor": NUMBER,
    },
)
SECOND_FACTORS = Table(
    "second_factors",
    1,
    {
        "key_hash": BYTES,
        "secret": BYTES,
        "last_step": NUMBER,
        "recovery": BYTES,
        "failed": NUMBER,
        "failed_at": NUMBER,
        "created_at": NUMBER,
        "version": NUMBER,
    },
)
TOMBSTONES = Table("tombstones", 1, {"user_hash": BYTES, "erased_at": NUMBER})
UNFINISHED_ERASURES = Table("unfinished_erasures", 1, {"user_id": TEXT, "erased_at": NUMBER, "rows_left": NUMBER})
MAINTENANCE_RUNS = Table("maintenance_runs", 1, {"task": TEXT, "at": NUMBER, "outcome": TEXT})
SANDBOX = Table("sandbox", 1, {"only_row": NUMBER, "clock_offset": NUMBER})
SECRETS = Table("secrets", 1, {"name": TEXT, "value": BYTES})

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        *(
            SECRETS,
            TOMBSTONES,
            API_KEYS,
            SECOND_FACTORS,
            AMNESTIES,
            CATALOG_REVISIONS,
            SUPPLIES,
            MAINTENANCE_RUNS,
            SANDBOX,
            AUDIT,
        ),
        *(USERS, EVENTS, ADJUSTMENTS, AWARDS, LEDGER, OUTBOX, STANDINGS, CLOSINGS, BOARD_RULES, SESSIONS),
        FORMER_STATES,
        UNFINISHED_ERASURES,
    )
}
"""The tables of a copy, in its order."""

REPLACED = ("secrets", "catalog_revisions", "supplies", "maintenance_runs", "board_rules")
"""Tables in which an empty database may have rows: a copy replaces them."""

CREDENTIALS = frozenset({"secrets", "api_keys", "second_factors", "sessions"})
"""Tables that authenticate someone, or protect what does: a copy without credentials leaves them out."""

ERASED_AT_ONCE = ("users", "sessions", "adjustments", "awards", "standings", "former_states")
"""The tables of a user that one transaction erases, because their rows are seen without the user's: everything that adds rows of
a user locks the user's row first."""

ERASED_IN_PARTS = ("events", "ledger", "outbox")
"""The tables of a user that may have very many rows, which are seen only where the user's row is."""

TABLES_OF_USERS = (*ERASED_AT_ONCE, *ERASED_IN_PARTS, "unfinished_erasures")
"""All tables with rows of one user, in the order of erasing."""

TABLES_OF_BOARDS = ("closings", "standings", "tallies")
"""All tables with the id of a leaderboard, or of a partition of one, in `board`."""

BATCH = 2000
"""The number of rows read or written at once in a copy: a few megabytes at most."""

LINE = "s.user_id, u.name, u.points, s.sort_key, s.reached_at, u.visibility, u.excluded"
"""The columns of a line of a leaderboard, from a standing `s` and its user `u`."""

COUNTED_EVENT = "user_id, event_id, revision, type, occurred_at, recorded_at, day, quantity, late_by, reversed_by"
"""The columns of an event that rules read, without its data."""

_DAY = 86_400_000_000
DAY_OF_ENTRY = f"(at + {date(1970, 1, 1).toordinal() * _DAY}) / {_DAY}"
"""The day (UTC) of a ledger entry, as an ordinal: the numbers are positive, because engines divide negative ones differently."""
