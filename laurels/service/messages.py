"""Messages between a process and the one that it started: values of any kind, through pipes that only these two have."""

from __future__ import annotations

import copyreg
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from io import BytesIO
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from laurels.engine.zones import zone
from laurels.service.computing import Computed
from laurels.storage.contract import Changes

PIECE = 500
"""How many rows a message has. No other thread runs while one is read: some milliseconds, and half a second for 100,000 rows."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer to a job that could not be done, and why."""

    reason: str


_LENGTH = struct.Struct(">Q")


def packed(value: object) -> bytes:
    """A value as a message."""
    message = BytesIO()
    pickler = pickle.Pickler(message, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = copyreg.dispatch_table | {ZoneInfo: _named}
    pickler.dump(value)
    return message.getvalue()


def _named(tz: ZoneInfo) -> tuple[Any, ...]:
    """A time zone from the package `tzdata`, which cannot be pickled."""
    return zone, (tz.key,)


def unpacked(message: bytes) -> object:
    """The value in a message."""
    return pickle.loads(message)  # noqa: S301  # from a process that this one started, or that started this one


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message. Raises OSError if the other process has ended."""
    stream.write(_LENGTH.pack(len(message)))
    stream.write(message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """The next message. Raises EOFError if the other process has ended."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError
    return found


def pieces_of(found: object) -> Iterator[bytes]:
    """The result of a task as messages. The first one says how many follow; each of those has some rows of its changes."""
    if not isinstance(found, Computed):
        yield packed((found, 0))
        return
    values = {one.name: getattr(found.changes, one.name) for one in fields(Changes)}
    lists = {name: cast(list[object], value) for name, value in values.items() if isinstance(value, list)}
    pieces = [(name, rows[at : at + PIECE]) for name, rows in lists.items() for at in range(0, len(rows), PIECE)]
    others = {name: value for name, value in values.items() if name not in lists}
    yield packed((replace(found, changes=Changes(**others)), len(pieces)))
    for piece in pieces:
        yield packed(piece)


def add_piece(found: Computed, message: bytes) -> None:
    """Add the rows of one of the messages that follow the first one."""
    name, rows = cast(tuple[str, list[object]], unpacked(message))
    getattr(found.changes, name).extend(rows)
