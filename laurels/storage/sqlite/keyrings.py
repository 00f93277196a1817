"""The keys of a database on SQLite."""

from __future__ import annotations

import secrets

from laurels.errors import SettingsError
from laurels.storage.contract import AuditRow
from laurels.storage.keyrings import OtherKeys
from laurels.storage.secret_file import KEY_BYTES, StoredSecret
from laurels.storage.secrets import Keyring
from laurels.storage.sqlite.connections import Connections, empty_log, save_audit
from laurels.storage.sqlite.driver import Connection

SECRETS = "SELECT name, value FROM secrets"
IS_USED = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tombstones)"
ADD_SECRET = "INSERT INTO secrets (name, value) VALUES ('tombstones', ?) ON CONFLICT (name) DO NOTHING"
SET_FINGERPRINT = """
INSERT INTO secrets (name, value) VALUES ('fingerprint', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value = ?2 AND value <> excluded.value
"""
IS_ERASED = """
SELECT (SELECT value FROM secrets WHERE name = 'fingerprint'), EXISTS (SELECT 1 FROM tombstones WHERE user_hash IN ({}))
"""
"""With the fingerprint, because hashes that were made with a newer key would not be found."""

REMOVE_SECRET = "DELETE FROM secrets WHERE name = 'tombstones' AND value = ?"


class Keyrings(Connections):
    """Reading the keys of the database, and storing where they are."""

    def use_secret_file(self, file: str) -> None:
        self._held.file = file

    async def keyring(self, *, at_once: bool = False) -> Keyring:
        if at_once:
            self._held.look()
        return self._held.current() or await self._write(self._keyring_on_writer)

    async def stored_secret(self) -> StoredSecret:
        return await self._write(lambda: _stored(self._writer))

    async def store_fingerprint(self, fingerprint: bytes, before: StoredSecret, audit: AuditRow | None = None) -> bool:
        return await self._write(lambda: self._store_fingerprint(fingerprint, before, audit))

    async def clean_secrets(self) -> bool:
        if self._path is None:
            return True
        async with self._separate() as separate:
            return await separate.run(lambda cursor: empty_log(cursor.connection))

    def _keyring_on_writer(self) -> Keyring:
        """The keys, on the writer and outside of a transaction, which might be rolled back."""
        if (current := self._held.current()) is not None:
            return current
        try:
            return self._held.hold(self._opened())
        except SettingsError as error:
            return self._held.after(error)

    def _other_keyring(self) -> Keyring:
        """The keys that have replaced those held here. Raises OtherKeys if they cannot be read."""
        try:
            return self._held.hold(self._opened())
        except SettingsError as error:
            raise OtherKeys(f"the keys of this database were moved or rotated: {error}") from error

    def _opened(self) -> Keyring:
        while True:
            stored = _stored(self._writer)
            keyring = self._held.read(stored)
            if keyring is None:
                self._writer.execute(ADD_SECRET, (secrets.token_bytes(KEY_BYTES),))
            elif keyring.is_of(stored.fingerprint):
                return keyring
            else:
                self._store_fingerprint(keyring.fingerprint, stored, None)

    def _store_fingerprint(self, fingerprint: bytes, before: StoredSecret, audit: AuditRow | None) -> bool:
        with self._transaction() as connection:
            connection.execute(SET_FINGERPRINT, (fingerprint, before.fingerprint))
            changed = connection.changes()
            if before.secret is not None and _stored(connection).fingerprint == fingerprint:
                connection.execute(REMOVE_SECRET, (before.secret,))
                changed += connection.changes()
            if audit and _stored(connection).fingerprint == fingerprint:
                save_audit(connection, [audit])
                changed += connection.changes()
        return bool(changed)


def is_erased(connection: Connection, keyring: Keyring, user_id: str) -> bool:
    """Whether a user without a row was erased. Raises OtherKeys if these keys cannot tell."""
    digests = keyring.tombstones_of(user_id)
    stored, found = connection.execute(IS_ERASED.format(", ".join("?" * len(digests))), digests).fetchone()
    if not keyring.is_of(stored):
        raise OtherKeys
    return bool(found)


def _stored(connection: Connection) -> StoredSecret:
    values = {name: bytes(value) for name, value in connection.execute(SECRETS)}
    used = bool(connection.execute(IS_USED).fetchone()[0])
    return StoredSecret(values.get("tombstones"), values.get("fingerprint"), used)
