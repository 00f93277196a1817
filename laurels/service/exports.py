"""Exporting everything about one user, in pieces, so that a long history needs little memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from laurels.present.exports import SECTIONS, exported
from laurels.service.laurels import Laurels

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
    yield b"}"
