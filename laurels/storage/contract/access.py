"""Access: API keys, sessions of users and operators, and the database's secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from laurels.engine.values import plain
from laurels.storage.contract.audit import AuditRow


@plain
class KeyRow:
    """An API key as stored: a hash, never the key itself. `hint` is its beginning, enough to recognise it.

    `last_used_at` is a few minutes late at most; None: not since this is stored.
    """

    key_hash: bytes
    name: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = None


@plain
class OperatorSessionRow:
    """A session of the console as stored: the hash of its token, and that of the admin key it belongs to."""

    token_hash: bytes
    key_hash: bytes
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@plain
class OperatorSession:
    """A session of the console with its admin key, which is active."""

    key: KeyRow
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class Access(Protocol):
    """Keys, sessions and the secret."""

    async def secret(self) -> bytes:
        """The database's own secret, used for pseudonyms and sealed cursors. It never leaves the process."""
        ...

    async def add_key(self, key: KeyRow, audit: AuditRow | None = None) -> None:
        """Store an API key, with a row of the audit. Raises InvalidInput if an active key has the same name."""
        ...

    async def key_name(self, key_hash: bytes) -> str | None:
        """The name of the active key with this hash; None for unknown and revoked keys."""
        ...

    async def keys(self) -> Sequence[KeyRow]:
        """All keys, revoked ones included, oldest first."""
        ...

    async def revoke_key(self, name: str, at: datetime, audit: AuditRow | None = None) -> bool:
        """Revoke the active key of this name, at once for all processes, with a row of the audit. False if there is none."""
        ...

    async def use_keys(self, names: Sequence[str], at: datetime) -> None:
        """Store that the active keys of these names were used, unless a later use is stored."""
        ...

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        """Store a session of an existing user, and delete the user's expired ones. Raises UserNotFound without the user."""
        ...

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        """Whether this session exists and has not expired."""
        ...

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        """Delete a session, at once for all processes. Harmless if it does not exist."""
        ...

    async def add_operator_session(self, session: OperatorSessionRow) -> None:
        """Store a session of the console, and delete those that expired before it was created."""
        ...

    async def operator_session(self, token_hash: bytes) -> OperatorSession | None:
        """A session of the console, expired or not; None if it does not exist, or if its key was revoked."""
        ...

    async def operator_seen(self, token_hash: bytes, at: datetime) -> None:
        """Store that a session of the console was used. Harmless if it does not exist, or was used later."""
        ...

    async def end_operator_session(self, token_hash: bytes) -> None:
        """Delete a session of the console, at once for all processes. Harmless if it does not exist."""
        ...
