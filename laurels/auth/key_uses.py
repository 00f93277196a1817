"""When keys were last used: remembered by each process, and stored now and then, so that no request waits for it."""

from __future__ import annotations

from time import monotonic

from laurels.service.laurels import Laurels

STORE_SECONDS = 60
"""How often a process looks for uses to store."""

LEAST_SECONDS = 300
"""How long a process stores no further use of the same key."""


class KeyUses:
    """The keys that this process saw in use."""

    def __init__(self, laurels: Laurels) -> None:
        self._laurels = laurels
        self._used = set[str]()
        self._stored: dict[str, float] = {}
        self.add = self._used.add
        """Remember that the key of this name was used."""

    async def save(self) -> None:
        """Store the uses since the last time, of each key at most one in LEAST_SECONDS."""
        now = monotonic()
        due = [name for name in self._used if now - self._stored.get(name, -LEAST_SECONDS) >= LEAST_SECONDS]
        if due:
            await self._laurels.store.use_keys(due, self._laurels.clock())
        self._stored = {name: at for name, at in self._stored.items() if now - at < LEAST_SECONDS}
        self._stored |= dict.fromkeys(due, now)
        self._used.difference_update(due)

    async def close(self) -> None:
        """Store what is left."""
        await self.save()
