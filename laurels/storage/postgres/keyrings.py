"""The keys of a database on PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import asyncpg

from laurels.errors import SettingsError
from laurels.storage.contract import AuditRow
from laurels.storage.keyrings import OtherKeys
from laurels.storage.postgres.connections import Connections, save_audit
from laurels.storage.postgres.pool import Connection
from laurels.storage.secret_file import KEY_BYTES, StoredSecret
from laurels.storage.secrets import Keyring

SECRETS = """
SELECT (SELECT value FROM secrets WHERE name = 'tombstones'), (SELECT value FROM secrets WHERE name = 'fingerprint'),
    EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tombstones)
"""
ADD_SECRET = "INSERT INTO secrets (name, value) VALUES ('tombstones', $1) ON CONFLICT (name) DO NOTHING"
SET_FINGERPRINT = """
INSERT INTO secrets (name, value) VALUES ('fingerprint', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE secrets.value = $2 AND secrets.value <> excluded.value
RETURNING 1
"""
FINGERPRINT = "SELECT value FROM secrets WHERE name = 'fingerprint'"
ERASED = """
SELECT s.value, t.user_hash FROM (VALUES (1)) AS one
LEFT JOIN secrets AS s ON s.name = 'fingerprint' LEFT JOIN tombstones AS t ON t.user_hash = ANY($1)
"""
"""With the fingerprint, because hashes that were made with a newer key would not be found."""

REMOVE_SECRET = "DELETE FROM secrets WHERE name = 'tombstones' AND value = $1 RETURNING 1"
HAS_AUDIT = "SELECT 1 FROM audit WHERE audit_id = $1"
LOCK_SECONDS = "SET lock_timeout = '2s'"
"""How long rewriting the table waits for those who read it: others wait for it meanwhile, and a backup may read for minutes."""

RESET_LOCK_SECONDS = "RESET lock_timeout"
REWRITE = "VACUUM (FULL) secrets"


class Keyrings(Connections):
    """Reading the keys of the database, and storing where they are."""

    def use_secret_file(self, file: str) -> None:
        self._held.file = file

    async def keyring(self, *, at_once: bool = False) -> Keyring:
        if at_once:
            self._held.look()
        return self._held.current() or await self._pool.run(self._keyring_over)

    async def stored_secret(self) -> StoredSecret:
        return await self._pool.run(_stored)

    async def store_fingerprint(self, fingerprint: bytes, before: StoredSecret, audit: AuditRow | None = None) -> bool:
        changed: list[bool] = []  # also by an attempt whose commit is in doubt

        async def store(connection: Connection) -> None:
            changed.append(await _store_fingerprint(connection, fingerprint, before, audit))

        await self._pool.run(store)
        return any(changed)

    async def clean_secrets(self) -> bool:
        async def rewrite(connection: Connection) -> bool:
            await connection.execute(LOCK_SECONDS)
            try:
                await connection.execute(REWRITE)
            except asyncpg.LockNotAvailableError:
                return False
            finally:
                await connection.execute(RESET_LOCK_SECONDS)
            return True

        return await self._pool.run(rewrite)

    async def _keyring_over(self, connection: Connection) -> Keyring:
        """The keys, over a connection that is not in a transaction, which might be rolled back."""
        if (current := self._held.current()) is not None:
            return current
        try:
            return self._held.hold(await self._opened(connection))
        except SettingsError as error:
            return self._held.after(error)

    async def _other_keyring(self, connection: Connection) -> Keyring:
        """The keys that have replaced those held here. Raises OtherKeys if they cannot be read."""
        try:
            return self._held.hold(await self._opened(connection))
        except SettingsError as error:
            raise OtherKeys(f"the keys of this database were moved or rotated: {error}") from error

    async def _opened(self, connection: Connection) -> Keyring:
        while True:
            stored = await _stored(connection)
            keyring = self._held.read(stored)
            if keyring is None:
                await connection.execute(ADD_SECRET, secrets.token_bytes(KEY_BYTES))
            elif keyring.is_of(stored.fingerprint):
                return keyring
            else:
                await _store_fingerprint(connection, keyring.fingerprint, stored, None)


async def erased_of(connection: Connection, keyring: Keyring, user_ids: Iterable[str]) -> frozenset[str]:
    """Those of these users without a row who were erased. Raises OtherKeys if these keys cannot tell."""
    hashes = {digest: user_id for user_id in user_ids for digest in keyring.tombstones_of(user_id)}
    found = await connection.fetch(ERASED, [*hashes])
    if not keyring.is_of(found[0][0]):
        raise OtherKeys
    return frozenset(hashes[row[1]] for row in found if row[1] is not None)


async def _stored(connection: Connection) -> StoredSecret:
    return StoredSecret(*await connection.fetchrow(SECRETS))


async def _store_fingerprint(
    connection: Connection, fingerprint: bytes, before: StoredSecret, audit: AuditRow | None
) -> bool:
    async with connection.transaction():
        changed = await connection.fetchval(SET_FINGERPRINT, fingerprint, before.fingerprint) is not None
        if await connection.fetchval(FINGERPRINT) != fingerprint:
            return False
        if before.secret is not None:
            changed |= await connection.fetchval(REMOVE_SECRET, before.secret) is not None
        if audit and await connection.fetchval(HAS_AUDIT, audit.audit_id) is None:
            await save_audit(connection, [audit])
            changed = True
        return changed
