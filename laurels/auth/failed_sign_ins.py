"""Failed sign-ins: one row of the audit for each address and minute, and each key or operator there, however many there are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from laurels.auth.networks import network_of
from laurels.service.audit import audit_row
from laurels.service.laurels import Laurels
from laurels.service.security_log import named_in
from laurels.storage.contract import LIBRARY, AuditRow

ADDRESSES = 10
"""How many addresses have a row of their own in a minute, in each process; all others share one.

Keys and operators that are named do not count: of a key, who tries it has the whole, so there are few.
"""

SAVE_SECONDS = 10
MINUTE = 60


Place = tuple[str, str]
"""The network of the address, and the name of the key or operator; both may be empty."""


class FailedSignIns:
    """The failed sign-ins of the last minute. The first at a place is stored at once, the others are counted first."""

    def __init__(self, laurels: Laurels) -> None:
        self._laurels = laurels
        self._minute = -1
        self._rows: dict[Place, AuditRow] = {}
        self._counted: dict[Place, int] = {}

    async def add(self, address: str | None, request_id: str, detail: Mapping[str, str]) -> None:
        """Note a failed sign-in, in the security log too. `detail` may say which key it was, never the key."""
        minute = int(self._laurels.clock().timestamp()) // MINUTE
        if minute != self._minute:
            await self.save()
            self._minute, self._rows = minute, {}
        named, network = named_in(detail), network_of(address)
        place = (network, named)
        if not named and place not in self._rows and sum(not name for _, name in self._rows) >= ADDRESSES:
            place = ("", "")
        row = audit_row(LIBRARY, await self._laurels.now(), "operator.sign_in_failed", None, **detail)
        hashed = hashlib.sha256(f"{minute} {json.dumps(place)}".encode()).hexdigest()[:32].upper()
        row = replace(row, audit_id=hashed, principal=None, address=place[0] or None, request_id=request_id)
        await self._laurels.core.security.note(replace(row, address=address))
        if place in self._rows:
            self._counted[place] = self._counted.get(place, 0) + 1
            return
        self._rows[place] = row
        await self._laurels.store.add_audit(row)

    async def save(self) -> None:
        """Store how many there were since the last time."""
        counted, self._counted = self._counted, {}
        for place, times in counted.items():
            await self._laurels.store.add_audit(replace(self._rows[place], times=times))

    async def close(self) -> None:
        """Store what is left."""
        await self.save()
