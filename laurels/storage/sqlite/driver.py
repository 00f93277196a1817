"""The driver of SQLite: apsw, whose wheels bring a fixed SQLite, so that every installation has one that loses no commit.

Before 3.51.3, processes that write and copy the log at the same time could, rarely, lose commits or damage the file. The
standard library uses the system's SQLite, which is often older (docs/decisions/0041).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import apsw

from laurels.errors import StoreUnavailable

FIXED = (3, 51, 3)
"""The first version in which several processes can write without losing commits."""

FIXED_BEFORE = {(3, 50): 7, (3, 44): 6}
"""Older series with the same fix, and the first patch release that has it."""

UPGRADE = 'run: pip install --force-reinstall --only-binary apsw "apsw>=3.54"'

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction before it gives up."""

CACHED_STATEMENTS = 256

PRAGMAS = (
    "synchronous = FULL",
    "cache_size = -65536",
    "wal_autocheckpoint = 4000",
    "temp_store = MEMORY",
    "secure_delete = ON",
)
"""A commit survives a power cut. 64 MB of cache. The log is copied into the database every 16 MB, not every 4: fewer, longer
copies cost writers less. Deleted rows are overwritten with zeros, so that the file keeps nothing of an erased user."""

CLOSED = (apsw.ConnectionClosedError, apsw.CursorClosedError)
REFUSED = (
    apsw.BindingsError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.MisuseError,
    apsw.RangeError,
    apsw.TooBigError,
)
"""What a statement did wrong. Any other error is the file's, the disk's or another process's."""

OWNER_ONLY = 0o600
"""The mode of a database file: it has personal data and hashes of keys."""

Error = apsw.Error
BUSY = (apsw.BusyError, apsw.LockedError)

Values = Sequence[object] | Mapping[str, object]


class Cursor(Protocol):
    """The rows of a statement, each a tuple."""

    @property
    def connection(self) -> Connection:
        """The cursor's connection."""
        ...

    def execute(self, statements: str, bindings: Values = ..., /) -> Cursor:
        """Run statements with these values."""
        ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Values], /) -> Cursor:
        """Run statements once with each set of values."""
        ...

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """All further rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Discard further rows."""
        ...


class Connection(Protocol):
    """A connection, of which the project uses these methods. Transactions begin with BEGIN only."""

    in_transaction: bool

    def execute(self, statements: str, bindings: Values = ..., /) -> Cursor:
        """Run statements with these values."""
        ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Values], /) -> Cursor:
        """Run statements once with each set of values."""
        ...

    def cursor(self) -> Cursor:
        """A new cursor."""
        ...

    def changes(self) -> int:
        """How many rows the last statement changed."""
        ...

    def create_scalar_function(
        self, name: str, function: Any, numargs: int = ..., *, deterministic: bool = ...
    ) -> None:
        """Make a function usable in statements."""
        ...

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        ...


def version() -> str:
    """The version of SQLite that is used, such as '3.54.1'."""
    return apsw.sqlite_lib_version()


def is_safe(version: str) -> bool:
    """Whether several processes can write with this version of SQLite without losing commits."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    fixed = FIXED_BEFORE.get((major, minor))
    return (major, minor, patch) >= FIXED or (fixed is not None and patch >= fixed)


def connect(path: Path | None) -> Connection:
    """A connection to this file, created for its owner only if it is missing; None: a new database in memory.

    Raises StoreUnavailable for a file if SQLite could lose commits in it, and the driver's Error.
    """
    if path and not is_safe(version()):
        raise StoreUnavailable(f"SQLite {version()} can lose commits when several processes write; {UPGRADE}")
    if path:
        _create(path)
    connection = apsw.Connection(str(path or ":memory:"), statementcachesize=CACHED_STATEMENTS)
    try:
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        # Without this, SQLite prepares a statement again whenever a bound value changes.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    except Error:
        connection.close()
        raise
    return cast(Connection, connection)


_creating = threading.Lock()
"""Closing any descriptor of a file ends all locks that this process has on it, so no one may open a file while it is created."""


def _create(path: Path) -> None:
    """Create the file if it is missing, readable by its owner only, whatever the umask. SQLite's logs get the same mode."""
    with _creating:
        try:
            os.close(os.open(os.path.realpath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
        except FileExistsError:
            return
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {error.strerror}") from error


def changed(connection: Connection, statement: str, values: Values) -> bool:
    """Run a statement that changes at most one row. Returns whether it did."""
    connection.execute(statement, values)
    return connection.changes() == 1


def copy(source: Connection, target: Connection) -> None:
    """Replace all that the target contains by what the source contains."""
    with cast(apsw.Connection, target).backup("main", cast(apsw.Connection, source), "main") as backup:
        backup.step()


is_complete = apsw.complete
