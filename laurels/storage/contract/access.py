"""Access: API keys, and sessions of users and operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from laurels.engine.values import plain
from laurels.storage.contract.audit import AuditRow


@plain
class KeyRow:
    """An API key as stored: a hash, never the key itself.

    hint          its beginning, enough to recognise it
    last_used_at  a few minutes late at most; None: not since this is stored
    scopes        what an API key may do; none for an admin key
    role          what an operator with this admin key may do; '' for an API key
    expires_at    from when on it is refused; None: never
    addresses     the networks from which it may be used; none: from anywhere
    """

    key_hash: bytes
    name: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = None
    scopes: frozenset[str] = frozenset()
    role: str = ""
    expires_at: datetime | None = None
    addresses: Sequence[str] = ()


@plain
class SessionRow:
    """A session of a user as stored: the hash of its token."""

    token_hash: bytes
    created_at: datetime
    expires_at: datetime


@plain
class OperatorSessionRow:
    """A session of the console as stored: the hash of its token, and that of its admin key or of a name from a proxy."""

    token_hash: bytes
    key_hash: bytes
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    second_factor: bool = False


@plain
class OperatorSession:
    """A session of the console with its admin key; None: no active key has `key_hash`.

    second_factor  whether it began with a second factor
    needs_factor   whether the key has a second factor
    """

    token_hash: bytes
    key_hash: bytes
    key: KeyRow | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    second_factor: bool = False
    needs_factor: bool = False


@plain
class SecondFactorRow:
    """The second factor of an admin key as stored.

    secret     that of its codes, readable only with the key itself
    last_step  the time step of the last code that was used
    recovery   the hashes of the recovery codes that are left, one after the other
    failed     how many wrong codes there were since the last right one; failed_at: when the last one was
    version    grows with every change
    """

    key_hash: bytes
    secret: bytes
    last_step: int
    recovery: bytes
    failed: int
    failed_at: datetime | None
    created_at: datetime
    version: int = 0


class Access(Protocol):
    """Keys and sessions."""

    async def add_key(self, key: KeyRow, audit: AuditRow | None = None) -> None:
        """Store an API key, with a row of the audit. Raises InvalidInput if an active key has the same name."""
        ...

    async def active_key(self, key_hash: bytes) -> KeyRow | None:
        """The key with this hash; None for unknown and revoked keys. Whether it has expired, the caller checks."""
        ...

    async def any_key(self, key_hash: bytes) -> KeyRow | None:
        """The key with this hash, also if it was revoked; None for an unknown one."""
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
        """Store a session of an existing user, and delete the user's expired ones. Raises UserNotFound, ErasurePending."""
        ...

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        """Whether this session exists and has not expired."""
        ...

    async def valid_sessions(self, keys: Sequence[tuple[str, bytes]], now: datetime) -> Sequence[tuple[str, bytes]]:
        """Those of these users and hashes that are sessions and have not expired, in their order. One statement."""
        ...

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        """Delete a session, at once for all processes. Harmless if it does not exist."""
        ...

    async def sessions(self, user_id: str, now: datetime, limit: int) -> Sequence[SessionRow]:
        """The sessions of a user that have not expired, newest first, at most `limit`."""
        ...

    async def end_sessions(
        self, user_id: str, now: datetime, token_hash: bytes | None = None, audit: AuditRow | None = None
    ) -> int:
        """Delete all sessions of a user, or the one with this hash, at once for all processes.

        Returns how many had not expired. If there were any, the row of the audit is stored with this number as `sessions`.
        Raises UserNotFound, ErasurePending.
        """
        ...

    async def add_operator_session(self, session: OperatorSessionRow) -> None:
        """Store a session of the console, and delete those that expired before it was created."""
        ...

    async def operator_sessions(self, token_hashes: Sequence[bytes]) -> Sequence[OperatorSession]:
        """The sessions of the console with these hashes, expired or not, in no order. Without key if it was revoked."""
        ...

    async def operator_seen(self, token_hash: bytes, at: datetime) -> None:
        """Store that a session of the console was used. Harmless if it does not exist, or was used later."""
        ...

    async def end_operator_session(self, token_hash: bytes) -> None:
        """Delete a session of the console, at once for all processes. Harmless if it does not exist."""
        ...

    async def second_factor(self, key_hash: bytes) -> SecondFactorRow | None:
        """The second factor of the key with this hash; None if it has none."""
        ...

    async def keys_with_second_factor(self) -> Sequence[bytes]:
        """The hashes of all keys that have a second factor."""
        ...

    async def add_second_factor(self, factor: SecondFactorRow, token_hash: bytes, audit: AuditRow) -> bool:
        """Store the second factor of a key, with a row of the audit. False, and nothing changes, if it has one.

        From now on, sessions of the key count only if they began with a second factor, except the one with this hash.
        """
        ...

    async def change_second_factor(self, factor: SecondFactorRow) -> bool:
        """Replace a second factor that was read in this version. False, and nothing changes, if it has changed since."""
        ...

    async def remove_second_factor(self, key_hash: bytes, audit: AuditRow) -> bool:
        """Remove the second factor of a key and end its sessions, with a row of the audit. False if it has none."""
        ...
