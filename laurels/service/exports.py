"""Exporting everything about one user, in pieces, so that a long history needs little memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from laurels.present.audit import entry_of_row
from laurels.present.exports import SECTIONS, exported
from laurels.service.laurels import Laurels
from laurels.storage.contract import AuditFilter, AuditRow

ROWS = 500
"""How many rows are read and encoded at once."""

_encode = msgspec.json.encode


async def export(laurels: Laurels, user_id: str) -> AsyncIterator[bytes]:
    """The JSON of a UserExport in pieces; see Admin.export_user."""
    overview = await laurels.overview(user_id, refresh=False)
    head = {
        "userId": overview.user.user_id,
        "exportedAt": await laurels.now(),
        "user": overview.user,
        "profile": overview.profile,
    }
    yield _encode(head)[:-1]
    for section, table in SECTIONS.items():
        yield b',"%s":[' % section.encode()
        page = await laurels.store.user_rows(table, user_id, None, ROWS)
        separator = b""
        while page:
            yield separator + b",".join(_encode(exported(table, row)) for row in page)
            page = await laurels.store.user_rows(table, user_id, page[-1], ROWS) if len(page) == ROWS else ()
            separator = b","
        yield b"]"
    yield b',"audit":['
    separator = b""
    async for rows in _audit_of(laurels, user_id):
        yield separator + b",".join(entry_of_row(row).to_json() for row in rows)
        separator = b","
    yield b"]}"


async def _audit_of(laurels: Laurels, user_id: str) -> AsyncIterator[Sequence[AuditRow]]:
    """The rows of the audit about a user, and then those of what the user did to others, some at a time, each newest first."""
    for only in (AuditFilter(user_id=user_id), AuditFilter(principal=user_id)):
        page = await laurels.store.audit(ROWS, None, only)
        while page:
            rows = page if only.user_id else [row for row in page if _is_by_user(row, user_id)]
            if rows:
                yield rows
            page = await laurels.store.audit(ROWS, (page[-1].at, page[-1].audit_id), only) if len(page) == ROWS else ()


def _is_by_user(row: AuditRow, user_id: str) -> bool:
    """Whether a user did this, and not an operator or a key of the same name, to something else than the user."""
    by_session = row.principal is not None and row.principal.kind == "session"
    return by_session and (row.target_kind, row.target) != ("user", user_id)
