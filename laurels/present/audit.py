"""The audit as it is shown and exported: adjustments and everything else that was done, one entry each."""

from __future__ import annotations

import csv
import io
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.instants import EPOCH, from_micros
from laurels.engine.instants import micros as to_micros
from laurels.engine.own_history import MAX_ADJUSTMENT_ID
from laurels.engine.values import plain
from laurels.errors import InvalidInput
from laurels.present.base import SparseAnswer, UtcTime
from laurels.present.history import history_adjustment
from laurels.storage.contract import AdjustmentRow, AuditRow, Principal

IDS_OF_ADJUSTMENT = 2
FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[ \"]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet would begin a cell that it runs as a formula, the full-width signs included.

A spreadsheet that separates cells by semicolons does not see our quotes, so that a semicolon, tab or line break in a text begins
a cell there.
"""

COLUMNS = (
    *("at", "kind", "principalKind", "principal", "actor", "user", "targetKind", "target", "reason", "detail"),
    *("undone", "address", "requestId", "times"),
)


@plain
class AuditPosition:
    """The place of an entry in the list: its instant, and its ids: of an adjustment user and id, else the id of the row."""

    at: datetime
    ids: tuple[str, ...]

    @property
    def of_adjustments(self) -> tuple[datetime, str, str]:
        """Where adjustments go on after this entry."""
        return (self.at, *self.ids) if len(self.ids) == IDS_OF_ADJUSTMENT else (self.at, "", "")  # type: ignore[return-value]

    @property
    def of_rows(self) -> tuple[datetime, str]:
        """Where the other rows go on: of one instant, they come after the adjustments."""
        if len(self.ids) == IDS_OF_ADJUSTMENT:
            return self.at + timedelta(microseconds=1), ""
        return self.at, self.ids[0]

    def text(self) -> str:
        """The position for an address; `position_from` reads it."""
        return urlsafe_b64encode(msgspec.json.encode((to_micros(self.at), self.ids))).decode().rstrip("=")


def position_from(text: str) -> AuditPosition:
    """The position that `text` gave. Raises InvalidInput."""
    position = AuditPosition(EPOCH, ())
    try:
        read = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        micros, ids = msgspec.json.decode(read, type=tuple[int, tuple[str, ...]])
        for one, longest in zip(ids, (MAX_USER_ID, MAX_ADJUSTMENT_ID), strict=False):
            check_text("before", one, longest)
        position = AuditPosition(from_micros(micros), ids)
        known = 1 <= len(ids) <= IDS_OF_ADJUSTMENT and position.of_rows[0] >= position.at
    except (ValueError, OverflowError, msgspec.DecodeError, InvalidInput):
        known = False
    if not known:
        raise InvalidInput("before", "The address does not belong to this list.")
    return position


class AuditEntry(SparseAnswer, frozen=True):
    """One thing that was done: an adjustment (`adjustment.grant`, ...), or another event such as `key.created`.

    `principal` is who was authenticated, missing if no one was or an earlier version did it; `actor` is who the principal of
    an adjustment says did it. `times` is how often it happened within the same minute, for failed sign-ins.
    """

    id: str
    at: UtcTime
    kind: str
    principal: Principal | None = None
    actor: str = ""
    user_id: str = ""
    target_kind: str = ""
    target: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = {}
    undone: bool = False
    address: str = ""
    request_id: str = ""
    times: int = 1

    @property
    def position(self) -> AuditPosition:
        """Its place in the list."""
        ids = (self.user_id, self.id) if self.target_kind == "" and self.kind.startswith("adjustment.") else (self.id,)
        return AuditPosition(self.at, ids)


def entry_of_adjustment(row: AdjustmentRow) -> AuditEntry:
    """An adjustment as an entry."""
    shown = history_adjustment(row)
    return AuditEntry(
        id=row.adjustment_id,
        at=row.at,
        kind=f"adjustment.{row.kind}",
        principal=row.principal,
        actor=row.actor,
        user_id=row.user_id,
        reason=row.reason,
        detail={name: value for name, value in shown.data.items() if value != "" and value is not False},
        undone=shown.undone,
        address=row.address or "",
        request_id=row.request_id or "",
    )


def entry_of_row(row: AuditRow) -> AuditEntry:
    """A row of the audit as an entry."""
    detail = dict(row.detail)
    reason, actor = str(detail.pop("reason", "")), str(detail.pop("actor", ""))
    return AuditEntry(
        id=row.audit_id,
        at=row.at,
        kind=row.kind,
        principal=row.principal,
        actor=actor,
        user_id=(row.target or "") if row.target_kind == "user" else "",
        target_kind=row.target_kind or "",
        target=row.target or "",
        reason=reason,
        detail=detail,
        address=row.address or "",
        request_id=row.request_id or "",
        times=row.times,
    )


def csv_of(entries: Iterable[AuditEntry]) -> str:
    """Entries as lines of CSV, under COLUMNS. No cell begins like a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([csv_cell(value) for value in _row(entry)] for entry in entries)
    return out.getvalue()


def csv_head() -> str:
    """The first line of the CSV."""
    return ",".join(COLUMNS) + "\r\n"


def _row(entry: AuditEntry) -> tuple[object, ...]:
    who = (entry.principal.kind, entry.principal.name) if entry.principal else ("", "")
    detail = msgspec.json.encode(entry.detail).decode() if entry.detail else ""
    what = (entry.user_id, entry.target_kind, entry.target, entry.reason, detail)
    return (
        *(entry.at.isoformat(), entry.kind, *who, entry.actor, *what),
        *("yes" if entry.undone else "", entry.address, entry.request_id, entry.times),
    )


def csv_cell(value: object) -> str:
    """A text without formulas; a number stays a number."""
    return str(value) if isinstance(value, int) else FORMULA.sub("'", str(value))
