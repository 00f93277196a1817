"""The file that has the keys of a database (setting database.secret_file), so that neither it nor a backup has them.

The file is JSON. It has one key, or two while one replaces the other, and what must be kept of earlier ones. The database stores
a fingerprint of the newest key, so that a process without the file, or with another one, is refused. Reasons:
docs/decisions/0054-a-file-for-the-secret.md.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from laurels.engine.values import plain
from laurels.errors import SettingsError
from laurels.storage.secrets import Keyring, fingerprint, hkdf

KEY_BYTES = 32
MOST_KEYS = 2
OWNER_ONLY = 0o600
OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""Rights that no file with keys may give. A group may read it: that is how containers mount secrets."""

SETTING = "database.secret_file"
MOVE = "run 'laurels secret move'"
"""The command that creates the file for a database with users."""


class FileKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of the file. `moved`: it was the secret of a database, whose values it must go on to make."""

    created: datetime
    key: bytes
    moved: bool = False

    @property
    def fingerprint(self) -> bytes:
        """What the database stores of it."""
        return fingerprint(self.key)

    def derived(self, use: str) -> bytes:
        """The key for one use."""
        return self.key if self.moved else hkdf(self.key, b"laurels " + use.encode())


class KeptKey(msgspec.Struct, frozen=True):
    """What is kept of a key that is no longer used: the key of the hashes of users who were erased until then.

    `fingerprint` is what the database had of it, and still has in backups from that time.
    """

    created: datetime
    dropped: datetime
    fingerprint: bytes
    tombstones: bytes


class NameKeys(msgspec.Struct, frozen=True):
    """The keys of references and invented names, which stay the same when their first key is no longer used."""

    references: bytes
    pseudonyms: bytes


class Keys(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of the file. `keys` and `kept` begin with the newest. `names` is missing until a key was dropped."""

    keys: tuple[FileKey, ...]
    kept: tuple[KeptKey, ...] = ()
    names: NameKeys | None = None

    @property
    def newest(self) -> FileKey:
        """The key that makes new hashes and cursors."""
        return self.keys[0]

    @property
    def old(self) -> FileKey | None:
        """The key that is being replaced."""
        return self.keys[1] if len(self.keys) > 1 else None

    @property
    def fingerprints(self) -> tuple[bytes, ...]:
        """Those of all keys that the file has, or had."""
        return tuple(key.fingerprint for key in (*self.keys, *self.kept))

    @property
    def name_keys(self) -> NameKeys:
        """The keys of references and invented names in use."""
        oldest = self.keys[-1]
        return self.names or NameKeys(oldest.derived("references"), oldest.derived("pseudonyms"))

    def keyring(self) -> Keyring:
        """The keys for each use."""
        return Keyring(
            tombstones=(*(key.derived("tombstones") for key in self.keys), *(key.tombstones for key in self.kept)),
            cursors=tuple(key.derived("cursors") for key in self.keys),
            plans=tuple(key.derived("plans") for key in self.keys),
            references=self.name_keys.references,
            pseudonyms=self.name_keys.pseudonyms,
            log=self.newest.derived("log"),
            fingerprint=self.newest.fingerprint,
        )

    def rotated(self, at: datetime) -> Keys:
        """With a new key, which replaces the one that there is."""
        return Keys((new_key(at), self.newest), self.kept, self.names)

    def without_old(self, at: datetime, *, new_names: bool = False) -> Keys:
        """Without the key that was replaced, except what must be kept of it. `new_names`: invented names change."""
        gone = self.keys[1:]
        kept = tuple(KeptKey(key.created, at, key.fingerprint, key.derived("tombstones")) for key in gone)
        pseudonyms = self.newest.derived("pseudonyms") if new_names else self.name_keys.pseudonyms
        return Keys(self.keys[:1], (*kept, *self.kept), NameKeys(self.name_keys.references, pseudonyms))


@plain
class StoredSecret:
    """What a database has: its own secret, or the fingerprint of a key in a file, or neither until it first needs one.

    `used`: it has, or had, users.
    """

    secret: bytes | None
    fingerprint: bytes | None
    used: bool


def new_key(at: datetime) -> FileKey:
    """A random key."""
    return FileKey(at, secrets.token_bytes(KEY_BYTES))


# ---- a database and its file --------------------------------------------------------------------


def keys_of(file: str, stored: StoredSecret) -> Keys:
    """The keys in the file of this database. Raises SettingsError if it is missing, or that of another database."""
    if not is_file(file):
        if stored.fingerprint is not None:
            raise SettingsError(
                f"there is no file '{file}' ({SETTING}), and this database needs its keys; put the file there, from where "
                "you keep a copy of it"
            )
        raise SettingsError(f"there is no file '{file}' ({SETTING}); {MOVE}, which creates it")
    keys = read_keys(file)
    if stored.fingerprint is not None:
        if stored.fingerprint not in keys.fingerprints:
            raise SettingsError(
                f"'{file}' ({SETTING}) does not have the newest key of this database, {shown(stored.fingerprint)}; use the file "
                "that has it. On another machine, the key may have been rotated"
            )
    elif stored.secret is not None and fingerprint(stored.secret) not in keys.fingerprints:
        raise SettingsError(
            f"the database has its secret in it, and '{file}' ({SETTING}) has other keys; {MOVE} with a new file, or leave out "
            "the setting"
        )
    return keys


def check_no_file(stored: StoredSecret) -> None:
    """Raise SettingsError if the keys of this database are in a file, and the settings name none."""
    if stored.fingerprint is not None:
        raise SettingsError(
            f"the keys of this database are in a file, with the newest key {shown(stored.fingerprint)}; name it in the setting "
            f"{SETTING} (LAURELS_SECRET_FILE)"
        )


def stored_keyring(file: str, stored: StoredSecret) -> Keyring | None:
    """The keys of a database that must not be changed; None if it has none. Raises SettingsError."""
    if not file:
        check_no_file(stored)
        return Keyring.of_secret(stored.secret) if stored.secret is not None else None
    has_any = stored.secret is not None or stored.fingerprint is not None
    return keys_of(file, stored).keyring() if has_any or is_file(file) else None


def shown(fingerprint: bytes) -> str:
    """How a key is called in messages and the audit: the first digits of its fingerprint."""
    return fingerprint[:4].hex()


# ---- reading and writing the file ---------------------------------------------------------------


def is_file(file: str) -> bool:
    """Whether there is a file with this name."""
    return Path(file).is_file()


def mode_of(file: str) -> int:
    """The rights that the file gives."""
    return stat.S_IMODE(Path(file).stat().st_mode)


def read_keys(file: str) -> Keys:
    """The keys in the file. Raises SettingsError, which shows none of them."""
    try:
        with Path(file).open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except OSError as error:
        raise SettingsError(f"cannot read '{file}' ({SETTING}): {error.strerror}") from error
    if mode & OTHERS:
        raise SettingsError(f"other users can read or write '{file}' ({SETTING}); run: chmod 600 '{file}'")
    try:
        keys = msgspec.json.decode(content, type=Keys)
    except (msgspec.MsgspecError, ValueError) as error:
        fix = f"use a file that {MOVE[4:]} made"
        raise SettingsError(f"'{file}' ({SETTING}) is not a file with keys: {error}; {fix}") from None
    if not 0 < len(keys.keys) <= MOST_KEYS or any(len(key.key) != KEY_BYTES for key in keys.keys):
        raise SettingsError(f"'{file}' ({SETTING}) must have one or two keys of {KEY_BYTES} bytes; use a copy of it")
    return keys


def create_keys(file: str, keys: Keys) -> None:
    """Create the file, durably, readable by its owner only. A file that exists by then stays as it is."""
    path = Path(file)
    with _part(path, keys) as part:
        try:
            path.hardlink_to(part)  # complete or not at all, also if several processes start at the same time
        except FileExistsError:
            return
        _sync_folder(path)


def replace_keys(file: str, keys: Keys) -> None:
    """Replace the content of the file, durably: all of it or nothing. Its owner, group and mode stay as they are."""
    path = Path(file).resolve()  # a link stays a link
    with _part(path, keys) as part:
        _give_rights_of(path, part)  # a server that reads it as its group could not start otherwise
        part.replace(path)
        _sync_folder(path)


@contextmanager
def locked(file: str) -> Iterator[None]:
    """Wait until no other process of this machine changes the file, and keep others from it."""
    import fcntl  # noqa: PLC0415  # not on Windows, where the library works without this setting

    try:
        descriptor = os.open(Path(file).absolute().parent, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(f"cannot use the folder of '{file}' ({SETTING}): {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _part(path: Path, keys: Keys) -> Iterator[Path]:
    """A file next to it with this content, on the disk, which is gone afterwards. Raises SettingsError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        try:
            with os.fdopen(descriptor, "wb") as writing:
                writing.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
                writing.flush()
                os.fsync(writing.fileno())
            yield part
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot write '{path}' ({SETTING}): {error.strerror}") from error


def _give_rights_of(path: Path, part: Path) -> None:
    """Give a file the owner, group and mode of another one. Raises SettingsError if this user may not."""
    before, made = path.stat(), part.stat()
    try:
        if (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
            os.chown(part, before.st_uid, before.st_gid)
        part.chmod(stat.S_IMODE(before.st_mode))
        part_is_written = os.open(part, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(
            f"cannot keep the owner and group of '{path}' ({SETTING}): {error.strerror}; run this as its owner, or as root. "
            "Nothing was changed"
        ) from error
    try:
        os.fsync(part_is_written)
    finally:
        os.close(part_is_written)


def _sync_folder(path: Path) -> None:
    """Write the new name to the disk: the database would else outlive its key after a power cut."""
    descriptor = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
