"""`laurels record`: events from a file of JSON lines, of any size, in constant memory.

The main thread reads and decodes one batch while another thread writes the previous one. After an interruption, the same
command continues: events that were already recorded are duplicates, and count once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Annotated, cast

import msgspec
from cyclopts import Parameter

from laurels.cli import INTERRUPTED, OK, REJECTED
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note, note_created
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import InvalidInput, LaurelsError
from laurels.present.events import EventIn, EventResult
from laurels.service.blocking import BlockingLaurels
from laurels.service.opening import command_line, given_catalog, laurels_over, made
from laurels.settings import Settings

BATCH = 500
CHUNK = 256 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
KEPT_REJECTIONS = 100
"""How many rejections the JSON document contains; all of them are printed to standard error."""

KEPT_TYPES = 20
"""How many types of events that no rule counts are named."""

_decode = msgspec.json.Decoder(EventIn).decode


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input: its number, from 1, and its text without the line end; None if it is too long."""

    number: int
    text: bytes | None


class Rejection(msgspec.Struct, frozen=True):
    """A line that was not recorded, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Tally:
    """How many lines were recorded, duplicates or rejected so far. `rejections` are the first rejected ones.

    Of those that were recorded or duplicates, `uncounted` are events of types that no rule of the catalog names, by type, and
    `ignored` is how many have a value that a metric cannot read.
    """

    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    ignored: int = 0
    uncounted: dict[str, int] = field(default_factory=dict[str, int])
    rejections: list[Rejection] = field(default_factory=list[Rejection])

    @property
    def lines(self) -> int:
        """How many events were answered."""
        return self.recorded + self.duplicates + self.rejected

    def add(self, result: EventResult, event_type: str) -> None:
        """Count an event that is recorded."""
        self.ignored += bool(result.ignored)
        if not result.counted and (event_type in self.uncounted or len(self.uncounted) < KEPT_TYPES):
            self.uncounted[event_type] = self.uncounted.get(event_type, 0) + 1
        if result.duplicate:
            self.duplicates += 1
        else:
            self.recorded += 1

    def reject(self, rejection: Rejection) -> None:
        """Count a line that was not recorded."""
        self.rejected += 1
        if len(self.rejections) < KEPT_REJECTIONS:
            self.rejections.append(rejection)


def record(
    file: Annotated[
        str,
        Parameter(help="a file of JSON lines, one event to a line; '-': standard input", allow_leading_hyphen=True),
    ] = "-",
    /,
    *,
    any_age: Annotated[
        bool, Parameter(negative=(), help="accept events older than rules.late_days", show_default=False)
    ] = False,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Record events from a file of JSON lines, or from standard input. Safe to repeat: duplicates count once.

    Each line is an event as the HTTP API accepts it. An invalid line is reported with its number, the others are recorded,
    and the exit code is 1.
    """
    settings = settings_of(database=database, catalog=catalog)
    late_window = None if any_age else timedelta(days=settings.rules.late_days)
    tally = Tally()
    with ExitStack() as stack:
        source = stack.enter_context(_source(file))
        laurels = stack.enter_context(_laurels(settings, late_window))
        stack.callback(_summary, tally, json=json)
        progress = stack.enter_context(_progress(source))
        finished = _run(Recording(laurels, tally, progress), read_lines(source, settings.limits.body_bytes))
    if not finished:
        note("Interrupted. Run the same command again to continue: events that are recorded count once.")
        return INTERRUPTED
    return REJECTED if tally.rejected else OK


def _laurels(settings: Settings, late_window: timedelta | None) -> BlockingLaurels:
    catalog = given_catalog(settings.catalog.file)
    asyncio.run(_make(settings, catalog))
    return BlockingLaurels(
        settings.database.url.reveal(),
        catalog,
        connections=settings.database.connections,
        schema=settings.database.schema,
        secret_file=settings.database.secret_file,
        default_zone=settings.rules.default_zone,
        late_window=late_window,
        on_difference="follow",  # `_make` has compared them
        principal=command_line(),
    )


async def _make(settings: Settings, catalog: Catalog | None) -> None:
    """Create the database if it is missing, and say so. Raises CatalogDiffers if it has another catalog than the given one."""
    database = settings.database
    async with made(database, partial(note_created, database)) as store:
        await laurels_over(store, settings, catalog).follow_catalog()


def _run(recording: Recording, lines: Iterator[list[Line]]) -> bool:
    """Record all lines; False if the user interrupted. Batches that were handed over are written in any case."""
    try:
        with recording:
            for batch in lines:
                recording.take(batch)
    except KeyboardInterrupt:
        return False
    return True


def _summary(tally: Tally, *, json: bool) -> None:
    if json:
        emit(tally)
    note(f"{tally.recorded:,} recorded, {tally.duplicates:,} duplicates, {tally.rejected:,} rejected")
    for event_type, events in tally.uncounted.items():
        note(
            f"No rule counts {counted(events, 'event')} of the type '{event_type}'; 'laurels doctor' names similar types."
        )
    if tally.ignored:
        note(f"{counted(tally.ignored, 'event')} with a value that a metric cannot read, which is not counted.")


# ---- reading ----------------------------------------------------------------------------------


def _source(file: str) -> AbstractContextManager[BufferedReader]:
    if file == "-":
        if sys.stdin.isatty():
            note("Reading events from the terminal; Ctrl-D ends them.")
        return nullcontext(cast(BufferedReader, sys.stdin.buffer))
    if file.startswith("-"):
        raise InvalidInput("FILE", f"Unknown option: {file}; write a file of this name as ./{file}")
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise InvalidInput("FILE", f"cannot read '{file}': {error.strerror}") from error


def read_lines(source: BufferedReader, longest: int) -> Iterator[list[Line]]:
    """The lines of a stream in batches: those that have arrived, at most BATCH, without waiting for more.

    A line of more than `longest` bytes is returned without its text, and is never in memory as a whole.
    """
    number, rest, skipping = 0, b"", False
    while chunk := source.read1(CHUNK):
        *ends, rest = (rest + chunk).split(b"\n")
        lines: list[Line] = []
        for text in ends:
            number += 1
            lines.append(Line(number, None if skipping or len(text) > longest else text))
            skipping = False
        if skipping or len(rest) > longest:
            rest, skipping = b"", True
        for start in range(0, len(lines), BATCH):
            yield lines[start : start + BATCH]
    if rest or skipping:
        yield [Line(number + 1, None if skipping else rest)]


def read_event(line: Line) -> Event | None:
    """The event of a line; None for a blank one. Raises InvalidInput."""
    if line.text is None:
        raise InvalidInput("", "is longer than limits.body_bytes")
    text = line.text.removeprefix(BYTE_ORDER_MARK) if line.number == 1 else line.text
    if not text.strip():
        return None
    try:
        event = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("", str(error)) from None
    except RecursionError:
        raise InvalidInput("", "is nested too deeply") from None
    return event.event()


# ---- writing ----------------------------------------------------------------------------------


class Recording:
    """Takes batches of lines, and writes each while the next one is read.

    The thread that writes a batch also counts its answers: an interrupt reaches the main thread only, so what is stored is
    always counted.
    """

    def __init__(self, laurels: BlockingLaurels, tally: Tally, progress: Callable[[Tally], None]) -> None:
        self._laurels = laurels
        self._tally = tally
        self._progress = progress
        self._thread = ThreadPoolExecutor(1, "laurels-record")
        self._running: Future[None] | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._finish()

    def take(self, lines: Sequence[Line]) -> None:
        """Decode these lines, wait for the previous batch, and hand this one over."""
        sent: list[tuple[int, str]] = []
        events: list[Event] = []
        rejections: list[Rejection] = []
        for line in lines:
            try:
                if event := read_event(line):
                    events.append(event)
                    sent.append((line.number, event.type))
            except InvalidInput as error:
                rejections.append(Rejection(line.number, _reason(error)))
        self._finish()
        for rejection in rejections:
            self._reject(rejection)
        if events:
            self._running = self._thread.submit(self._write, sent, events)

    def _finish(self) -> None:
        """Wait for the running batch, and show how many lines are answered."""
        if self._running is None:
            return
        self._running.result()  # after an interrupt here, it is awaited at the end
        self._running = None
        self._progress(self._tally)

    def _write(self, sent: Sequence[tuple[int, str]], events: Sequence[Event]) -> None:
        """Record a batch, and count its answers. `sent` is the line and the type of each event."""
        answers = self._laurels.record_many(events, ranks=False)
        for (number, event_type), answer in zip(sent, answers, strict=True):
            if isinstance(answer, LaurelsError):
                self._reject(Rejection(number, _reason(answer)))
            else:
                self._tally.add(answer, event_type)

    def _reject(self, rejection: Rejection) -> None:
        self._tally.reject(rejection)
        note(f"line {rejection.line}: {rejection.reason}")


def _reason(error: LaurelsError) -> str:
    """Why an event was refused, with the field that is wrong."""
    return f"{error.field}: {error}" if isinstance(error, InvalidInput) and error.field else str(error)


@contextmanager
def _progress(source: BufferedReader) -> Iterator[Callable[[Tally], None]]:
    """Shows the progress and rate on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from laurels.cli.tables import bytes_progress  # noqa: PLC0415  # rich takes time to load, and is needed only on a terminal

    total = os.fstat(source.fileno()).st_size if source.seekable() else None
    with bytes_progress(total) as update:
        yield lambda tally: update(None if total is None else source.tell(), tally.lines)
