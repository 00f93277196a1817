"""Failed sign-ins: one row of the audit for each address and minute, however many there are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from laurels.auth.networks import network_of
from laurels.service.audit import audit_row
from laurels.service.laurels import Laurels
from laurels.storage.contract import LIBRARY, AuditRow

ADDRESSES = 10
"""How many addresses have a row of their own in a minute, in each process; all others share one."""

SAVE_SECONDS = 10
MINUTE = 60


class FailedSignIns:
    """The failed sign-ins of the last minute. The first of an address is stored at once, the others are counted first."""

    def __init__(self, laurels: Laurels) -> None:
        self._laurels = laurels
        self._minute = -1
        self._rows: dict[str, AuditRow] = {}
        self._counted: dict[str, int] = {}

    async def add(self, address: str | None, request_id: str, detail: Mapping[str, str]) -> None:
        """Note a failed sign-in, in the security log too. `detail` may say which key it was, never the key."""
        minute = int(self._laurels.clock().timestamp()) // MINUTE
        if minute != self._minute:
            await self.save()
            self._minute, self._rows = minute, {}
        place = network_of(address)
        if place not in self._rows and len(self._rows) >= ADDRESSES:
            place = ""
        row = audit_row(LIBRARY, await self._laurels.now(), "operator.sign_in_failed", None, **detail)
        named = hashlib.sha256(f"{minute} {place}".encode()).hexdigest()[:32].upper()
        row = replace(row, audit_id=named, principal=None, address=place or None, request_id=request_id)
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
