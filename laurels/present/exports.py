"""An export: everything that is stored about one user, as JSON, made from the rows themselves so that no column is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from laurels.engine.instants import from_micros
from laurels.present.audit import AuditEntry
from laurels.present.base import Answer, SparseAnswer, UtcTime
from laurels.present.profiles import Profile
from laurels.present.users import User
from laurels.storage.columns import TABLES
from laurels.storage.contract import FormerAward
from laurels.storage.former import former_awards_of

SECTIONS: Mapping[str, str] = {
    "account": "users",
    "events": "events",
    "adjustments": "adjustments",
    "awards": "awards",
    "ledger": "ledger",
    "notifications": "outbox",
    "standings": "standings",
    "sessions": "sessions",
    "former": "former_states",
}
"""The lists of an export, and the table of each. All tables with rows of users are among them, but for unfinished erasures.

The list `audit` follows them: the rows of the audit about the user, and about what the user did.
"""

LEFT_OUT: Mapping[str, str] = {
    "user_id": "the same everywhere: it is given once",
    "progress": "follows from the events; the profile shows it",
    "earned": "follows from the events; the profile shows it",
    "token_hash": "a secret of the session",
}
"""Columns that an export does not have, and why."""

_JSON = ("zones", "data", "outcome")
"""Columns that are JSON."""


class EndedAward(SparseAnswer, frozen=True):
    """An award as it was until a former state ended it, with the fields of a row of `awards`.

    `earnedAt` is when the badge was earned, as far as that is stored. `renamed` is the id under which the award goes on, if the
    badge got another one.
    """

    badge: str
    revision: int
    awarded_at: UtcTime
    points: int
    event_id: str | None = None
    catalog: int | None = None
    earned_at: datetime | None = None
    renamed: str | None = None


class UserExport(Answer, frozen=True):
    """Everything that is stored about a user. Each list has the rows of a table, with a field for each column.

    `audit` has what was done to the user and by the user besides adjustments, as far as it was by hand. `account` is the user's
    row. `zones` in it has the first zone, [when, zone] of each change, and the default.
    `former` has what the user was before some changes. Its `data` has the awards that ended, each with the fields of `awards`,
    `earnedAt` as far as that is stored, and `renamed`: the id under which it goes on, if the badge got another one.
    """

    user_id: str
    exported_at: UtcTime
    user: User
    profile: Profile
    account: list[dict[str, Any]]
    events: list[dict[str, Any]]
    adjustments: list[dict[str, Any]]
    awards: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    notifications: list[dict[str, Any]]
    standings: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    former: list[dict[str, Any]]
    audit: list[AuditEntry]


def exported(table: str, row: Sequence[Any]) -> dict[str, Any]:
    """A row with a field for each column: times as RFC 3339, days as dates, JSON as it is."""
    shown = {
        _camel(name): _exported(name, value)
        for name, value in zip(TABLES[table].columns, row, strict=True)
        if name not in LEFT_OUT
    }
    if table == "former_states":
        stored = dict(zip(TABLES[table].columns, row, strict=True))
        shown["data"] = [_ended(one) for one in former_awards_of(stored["user_id"], stored["data"])]
    return shown


def _ended(former: FormerAward) -> EndedAward:
    row = former.award
    return EndedAward(
        badge=row.badge,
        revision=row.revision,
        awarded_at=row.awarded_at,
        points=row.points,
        event_id=row.event_id,
        catalog=row.catalog,
        earned_at=None if former.earned_at is None else from_micros(former.earned_at),
        renamed=former.renamed,
    )


def _exported(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column == "at" or column.endswith("_at"):
        return from_micros(value)
    if column == "day":
        return date.fromordinal(value)
    if column == "groups":
        return value.split("\n")
    if column in _JSON:
        return msgspec.Raw(value.encode())
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
