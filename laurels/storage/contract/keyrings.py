"""Keyrings: the keys of a database, which are made from its own secret, or are in a file."""

from __future__ import annotations

from typing import Protocol

from laurels.storage.contract.audit import AuditRow
from laurels.storage.secret_file import StoredSecret
from laurels.storage.secrets import Keyring


class Keyrings(Protocol):
    """The keys for cursors, pseudonyms, references and the hashes of erased users. They never leave the process."""

    def use_secret_file(self, file: str) -> None:
        """Take the keys from this file; '' from the database, as without this call. Called before they are first needed."""
        ...

    async def keyring(self, *, at_once: bool = False) -> Keyring:
        """The keys of the database, made when they are first needed, and read again after the file was replaced.

        Whether it was, is looked at once a second; with `at_once`, now. Raises SettingsError if the keys are in another file.
        """
        ...

    async def stored_secret(self) -> StoredSecret:
        """What the database has of its keys, as it is."""
        ...

    async def store_fingerprint(self, fingerprint: bytes, before: StoredSecret, audit: AuditRow | None = None) -> bool:
        """Store that the newest key is one in a file, and remove the secret that the database has.

        `before` is what it was found to have; if it has something else by now, nothing changes. The row of the audit is written
        unless it is there. Returns whether anything changed.
        """
        ...

    async def clean_secrets(self) -> bool:
        """Overwrite what the database's files have of a removed secret. Returns whether that was possible now."""
        ...
