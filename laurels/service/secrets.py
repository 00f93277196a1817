"""Moving a database's secret into a file, and replacing the key there.

Each step is durable before the next one, and every step can be repeated: after a kill, the same command goes on, and a process
that opens the database in between finds a file and a database that fit together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from laurels.errors import InvalidInput, SettingsError
from laurels.service.audit import audit_row
from laurels.service.security_log import SecurityLog
from laurels.storage.contract import AuditKind, AuditRow, Source, Store
from laurels.storage.secret_file import (
    FileKey,
    Keys,
    StoredSecret,
    create_keys,
    is_file,
    keys_of,
    locked,
    new_key,
    replace_keys,
    shown,
)
from laurels.storage.secrets import hkdf


@dataclass(frozen=True, slots=True)
class SecretFile:
    """The file of one database. `source` is who changes it, `place` how the audit calls the database."""

    store: Store
    file: str
    source: Source
    place: str
    clock: Callable[[], datetime]

    async def move(self) -> tuple[Keys, bool]:
        """Move the secret of the database into the file, which is created. Returns its keys, and whether anything changed.

        Raises SettingsError for a file with other keys.
        """
        with locked(self.file):
            stored = await self.store.stored_secret()
            if stored.fingerprint is None and not is_file(self.file):
                now = self.clock()
                key = FileKey(now, stored.secret, moved=True) if stored.secret is not None else new_key(now)
                create_keys(self.file, Keys((key,)))
            keys = keys_of(self.file, stored)
            is_moving = stored.fingerprint is None or keys.newest.moved
            audit = self._audit("secret.moved", keys.newest) if is_moving else None
            return keys, await self._store(keys, stored, audit)

    async def rotate(self) -> Keys:
        """Add a new key, which is used from now on. The one before is still accepted.

        Raises SettingsError if the secret is in the database, if the rotation before has not ended, or if the key was rotated on
        another machine meanwhile.
        """
        with locked(self.file):
            stored, before = await self._stored_keys()
            is_new = before.old is None
            keys = before.rotated(self.clock()) if is_new else before
            if is_new:
                replace_keys(self.file, keys)
            changed = await self._store(keys, stored, self._audit("secret.rotated", keys.newest))
            await self._check_rotated_here(keys, before)
            if not (is_new or changed):
                since = f"{keys.newest.created:%Y-%m-%d}"
                raise SettingsError(
                    f"the rotation of {since} has not ended, and there can be two keys at a time; end it with "
                    "'laurels secret drop-old'"
                )
            return keys

    async def drop_old(self, *, new_names: bool = False) -> Keys:
        """End a rotation: the old key is used no longer. With `new_names`, invented names are made from the new key.

        Raises InvalidInput if there is nothing to do.
        """
        with locked(self.file):
            stored, keys = await self._stored_keys()
            await self._store(keys, stored, None)
            after = keys if not (keys.old or new_names) else keys.without_old(self.clock(), new_names=new_names)
            has_changed = after != keys
            if has_changed:
                replace_keys(self.file, after)
            if after.kept:
                has_changed |= await self._store(after, stored, self._audit("secret.old_dropped", after.newest))
            if new_names:
                has_changed |= await self._store(after, stored, self._audit("secret.names_changed", after.newest))
            if not has_changed:
                raise InvalidInput("drop-old", f"'{self.file}' has no old key; 'laurels secret rotate' makes a new one")
            return after

    async def _stored_keys(self) -> tuple[StoredSecret, Keys]:
        stored = await self.store.stored_secret()
        if stored.fingerprint is None:
            raise SettingsError("the secret is in the database; run 'laurels secret move' first")
        return stored, keys_of(self.file, stored)

    async def _check_rotated_here(self, keys: Keys, before: Keys) -> None:
        """Raise SettingsError if the database has the key of another machine; the file has what it had before then.

        The lock keeps only processes of this machine apart, and a file whose newest key no database knows fits none.
        """
        found = (await self.store.stored_secret()).fingerprint
        if found == keys.newest.fingerprint:
            return
        if keys != before:
            replace_keys(self.file, before)
        newest = shown(found) if found is not None else "unknown"
        raise SettingsError(
            f"the key was rotated on another machine meanwhile, the newest one is {newest}; copy the file of that machine to "
            f"'{self.file}', which is as it was before"
        )

    async def _store(self, keys: Keys, stored: StoredSecret, audit: AuditRow | None) -> bool:
        changed = await self.store.store_fingerprint(keys.newest.fingerprint, stored, audit)
        if changed and audit:
            await SecurityLog(self.store).note(audit)
        return changed

    def _audit(self, kind: AuditKind, key: FileKey) -> AuditRow:
        """The row of what is done with this key. It has the same id when it is done again after a kill."""
        row = audit_row(self.source, self.clock(), kind, ("database", self.place), key=shown(key.fingerprint))
        return replace(row, audit_id=hkdf(key.fingerprint, kind.encode(), length=8).hex().upper())
