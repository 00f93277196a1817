"""`laurels record`: events from a file of JSON lines, of any size, in constant memory.

The main thread reads and decodes one batch while another thread writes the one before. Stopped in the middle, the same
command goes on where it was: what was recorded is a duplicate, and counts once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from io import BufferedReader
from pathlib import Path
from typing import Annotated, cast

import msgspec
from cyclopts import Parameter

from laurels.cli import INTERRUPTED, OK, REJECTED
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import emit, note
from laurels.commands.events import Recorded
from laurels.engine.events import Event
from laurels.errors import InvalidInput, LaurelsError
from laurels.present.shapes import EventIn
from laurels.service.blocking import BlockingLaurels
from laurels.service.opening import read_catalog
from laurels.settings import Settings

BATCH = 500
CHUNK = 256 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
KEPT_REJECTIONS = 100
"""How many rejections the JSON document holds; all of them stand on standard error."""

_decode = msgspec.json.Decoder(EventIn).decode


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input: its number, from 1; its text without the line end; None for one that is too long."""

    number: int
    text: bytes | None


class Rejection(msgspec.Struct, frozen=True):
    """A line that was not recorded, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Tally:
    """What became of the lines so far. `rejections` holds the first of those rejected."""

    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list[Rejection])

    @property
    def lines(self) -> int:
        """How many events were settled."""
        return self.recorded + self.duplicates + self.rejected

    def add(self, answer: Recorded) -> None:
        """Count an event that stands recorded."""
        if answer.duplicate:
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
        bool, Parameter(negative=(), help="take events older than rules.late_days", show_default=False)
    ] = False,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Record events from a file of JSON lines, or from standard input. Harmless to repeat: duplicates count once.

    A line is an event as the HTTP API takes it. A wrong one is reported with its number, and the rest goes on; the exit
    code is then 1.
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
        note("Interrupted. Run the same command again to go on: what is recorded counts once.")
        return INTERRUPTED
    return REJECTED if tally.rejected else OK


def _laurels(settings: Settings, late_window: timedelta | None) -> BlockingLaurels:
    catalog = read_catalog(settings.catalog.file)
    return BlockingLaurels(
        settings.database.url.reveal(), catalog, default_zone=settings.rules.default_zone, late_window=late_window
    )


def _run(recording: Recording, lines: Iterator[list[Line]]) -> bool:
    """Record all lines; False where the user interrupted. What was handed over is settled in any case."""
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
    """The lines of a stream, as many at a time as have arrived and BATCH allows; a live pipe is not waited for.

    A line of more than `longest` bytes is told as one without its text, and never held whole.
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
    """Takes batches of lines; each is written while the next one is read."""

    def __init__(self, laurels: BlockingLaurels, tally: Tally, progress: Callable[[Tally], None]) -> None:
        self._laurels = laurels
        self._tally = tally
        self._progress = progress
        self._thread = ThreadPoolExecutor(1, "laurels-record")
        self._running: tuple[Sequence[int], Future[list[Recorded | LaurelsError]]] | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._settle()

    def take(self, lines: Sequence[Line]) -> None:
        """Decode these lines, wait for the batch before, and hand this one over."""
        numbers: list[int] = []
        events: list[Event] = []
        rejections: list[Rejection] = []
        for line in lines:
            try:
                if event := read_event(line):
                    events.append(event)
                    numbers.append(line.number)
            except InvalidInput as error:
                rejections.append(Rejection(line.number, str(error)))
        self._settle()
        for rejection in rejections:
            self._reject(rejection)
        if events:
            self._running = (numbers, self._thread.submit(self._laurels.record_many, events, ranks=False))

    def _settle(self) -> None:
        """Wait for the running batch, and count what became of it."""
        if self._running is None:
            return
        numbers, running = self._running
        answers = running.result()  # an interrupt here leaves it to be settled in the end
        self._running = None
        for number, answer in zip(numbers, answers, strict=True):
            if isinstance(answer, Recorded):
                self._tally.add(answer)
            else:
                self._reject(Rejection(number, _reason(answer)))
        self._progress(self._tally)

    def _reject(self, rejection: Rejection) -> None:
        self._tally.reject(rejection)
        note(f"line {rejection.line}: {rejection.reason}")


def _reason(error: LaurelsError) -> str:
    """Why an event was refused, with the field that is wrong."""
    return f"{error.field}: {error}" if isinstance(error, InvalidInput) and error.field else str(error)


@contextmanager
def _progress(source: BufferedReader) -> Iterator[Callable[[Tally], None]]:
    """Shows on a terminal how far the reading is and how fast; elsewhere it says nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from laurels.cli.tables import bytes_progress  # noqa: PLC0415  # rich only where somebody looks

    total = os.fstat(source.fileno()).st_size if source.seekable() else None
    with bytes_progress(total) as update:
        yield lambda tally: update(None if total is None else source.tell(), tally.lines)
