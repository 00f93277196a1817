"""Sessions of operators: browsers that signed in to the console with an admin key.

A token is 'laurels_operator_' + 32 random bytes in base64url; the browser keeps it in a cookie. Only a SHA-256 of it is stored,
so nothing in the database signs anyone in. A session ends when it is not used for a while, after a fixed time, when the
operator signs out, and with its key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from laurels.auth.scopes import is_usable
from laurels.engine.values import plain
from laurels.storage.contract import OperatorSession, OperatorSessionRow, Store

PREFIX = "laurels_operator_"
MAX_TOKEN = 100

SEEN = timedelta(minutes=1)
"""How often, at most, it is stored that a session is used."""


@plain
class Operator:
    """Who is signed in to the console. `name` is that of the admin key, used as the actor of every change."""

    name: str
    role: str


@plain
class OperatorSessions:
    """Starts, verifies and ends the sessions of the console.

    clock     the current time; the real one, also in a sandbox
    idle      how long a session may be unused
    lifetime  how long it may last in all
    """

    store: Store
    clock: Callable[[], datetime]
    idle: timedelta
    lifetime: timedelta

    async def start(self, key_hash: bytes) -> str:
        """The token of a new session of the admin key with this hash. It cannot be read again."""
        token, now = PREFIX + secrets.token_urlsafe(32), self.clock()
        row = OperatorSessionRow(_hash(token), key_hash, now, now, now + self.lifetime)
        await self.store.add_operator_session(row)
        return token

    async def operator(self, token: str, address: str | None) -> Operator | None:
        """Who is signed in with this token, from this address; None if the session or its key has ended, or never was."""
        if not token.startswith(PREFIX) or len(token) > MAX_TOKEN:
            return None
        found, now = await self.store.operator_session(_hash(token)), self.clock()
        if found is None or not self._lives(found, now) or not is_usable(found.key, now, address):
            return None
        if now - found.last_seen_at >= min(SEEN, self.idle / 10):
            await self.store.operator_seen(_hash(token), now)
        return Operator(found.key.name, found.key.role)

    def _lives(self, session: OperatorSession, now: datetime) -> bool:
        """Whether the session is valid now. One from what is now the future is not: the clock has been moved back."""
        return session.created_at <= now < session.expires_at and now - session.last_seen_at < self.idle

    async def end(self, token: str) -> None:
        """End a session, at once for all processes. Harmless if it has ended."""
        await self.store.end_operator_session(_hash(token))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
