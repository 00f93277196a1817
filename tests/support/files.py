"""A look into the file of a database, past the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw


@contextmanager
def opened(file: Path) -> Iterator[apsw.Connection]:
    """A connection through the store's driver: two SQLite libraries in one process would release each other's locks."""
    connection = apsw.Connection(str(file))
    try:
        yield connection
    finally:
        connection.close()
