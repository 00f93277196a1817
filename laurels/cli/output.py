"""Output of commands: one JSON document on standard output, or lines for people on standard error."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from laurels.settings import DatabaseSettings

KILO = 1000


def emit(document: object) -> None:
    """One JSON document, for programs."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    say(text.decode())


def say(text: str) -> None:
    """A line on standard output, flushed."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line for people, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def note_created(database: DatabaseSettings) -> None:
    """Say that a command made a new database: the address may have been mistyped."""
    note(f"Created a new database, {database}.")


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits: '3 days ago'."""
    length = now - at
    return f"{lasting(length)} ago" if length >= timedelta(minutes=1) else "just now"


def lasting(length: timedelta) -> str:
    """A duration in the largest unit that fits: '3 days'."""
    seconds = int(length.total_seconds())
    for unit, one in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= one:
            return counted(seconds // one, unit)
    return "less than a minute"


def counted(number: int, one: str, many: str = "") -> str:
    """'1 badge', '1,200 badges'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def when(at: datetime | None) -> str:
    """A time for people, in UTC, to the minute; a dash for None."""
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def size(number: float) -> str:
    """A number of bytes for people: '1.5 MB'."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < KILO:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= KILO
    return f"{number:.1f} TB"
