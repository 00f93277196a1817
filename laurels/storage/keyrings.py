"""The keys that a store has read, and when they must be read again. Both engines use it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from laurels.errors import SettingsError, StoreUnavailable
from laurels.storage.secret_file import (
    Keys,
    StoredSecret,
    check_no_file,
    create_keys,
    is_file,
    keys_of,
    new_key,
    shown,
)
from laurels.storage.secrets import Keyring

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often a process looks whether the file was replaced."""


class OtherKeys(StoreUnavailable):
    """The keys of this database were rotated meanwhile."""


class HeldKeyring:
    """The keys of one store in this process.

    file     the file they are in; '' if the database has them
    keyring  None until they are first needed
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.file = ""
        self.keyring: Keyring | None = None
        self._clock = clock
        self._next_look = 0.0
        self._is_replaced = False
        self._seen: tuple[int, ...] = ()
        self._read: tuple[Keyring, tuple[int, ...]] | None = None
        self._warned = ""

    def current(self) -> Keyring | None:
        """The keys, unless they must be read: at first, and after the file was replaced."""
        if not self.file or self.keyring is None:
            return self.keyring
        now = self._clock()
        if not self._is_replaced and now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._is_replaced = self._signature() != self._seen
        return None if self._is_replaced else self.keyring  # replaced until it was read, for all who ask until then

    def look(self) -> None:
        """Look at the file the next time that the keys are needed."""
        self._next_look = 0.0

    def forget(self) -> None:
        """Read the keys the next time that they are needed."""
        self.keyring = None

    def read(self, stored: StoredSecret) -> Keyring | None:
        """The keys of a database that has this; None if it has no secret, and must make one.

        A missing file is created for a database without users. Raises SettingsError.
        """
        if not self.file:
            check_no_file(stored)
            return Keyring.of_secret(stored.secret) if stored.secret is not None else None
        signature = self._signature()  # before reading: what is replaced meanwhile is read again
        if not (stored.used or stored.secret or stored.fingerprint or is_file(self.file)):
            create_keys(self.file, Keys((new_key(datetime.now(UTC)),)))
        keyring = keys_of(self.file, stored).keyring()
        self._read = keyring, signature
        return keyring

    def hold(self, keyring: Keyring) -> Keyring:
        """Use these keys from now on."""
        before, self.keyring = self.keyring, keyring
        # Only now, so that a file that could not be read or used is read again after its rights or the database changed.
        self._seen = self._read[1] if self._read and self._read[0] == keyring else ()
        self._is_replaced, self._warned = False, ""
        if before is not None and before != keyring:
            log.info("other keys are in use, the newest one is %s", shown(keyring.fingerprint))
        return keyring

    def after(self, error: SettingsError) -> Keyring:
        """The keys after the file could not be read again: still the earlier ones. Raises the error without any."""
        if self.keyring is None:
            raise error
        self._is_replaced = False  # until the next look
        if str(error) != self._warned:
            self._warned = str(error)
            log.warning("the keys that were read before are still in use: %s", error)
        return self.keyring

    def _signature(self) -> tuple[int, ...]:
        """What changes when the file is replaced, or its rights are."""
        try:
            found = Path(self.file).stat()
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
