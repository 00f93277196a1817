"""Standard output and standard error of a command: what happens when they are closed, full, or a pipe that no one reads."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

STANDARD = 3
"""How many file descriptors are standard: input, output, errors."""


class OutputError(OSError):
    """Standard output cannot be written. It is a class of its own, so that no other failure is taken for it."""

    @property
    def reader_ended(self) -> bool:
        """Whether it is a pipe whose reader has ended, such as `head`."""
        return self.errno == errno.EPIPE


class CheckedOutput:
    """Standard output whose failures are raised as OutputError, also from within libraries that write to it."""

    def __init__(self, stream: TextIO | None) -> None:
        """None: the stream is closed."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text. Raises OutputError."""
        if self._stream is None:
            raise OutputError(errno.EBADF, "it is closed")
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts. Raises OutputError."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what is buffered. Raises OutputError."""
        if self._stream is None:
            return
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class MessagesForPeople:
    """Standard error. What cannot be written is dropped: there is no one left to tell, and the exit code says the rest."""

    def __init__(self, stream: TextIO | None) -> None:
        """None: the stream is closed."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        try:
            return self._stream.write(text) if self._stream else len(text)
        except OSError:
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts, if that is possible."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what is buffered, if that is possible."""
        try:
            if self._stream:
                self._stream.flush()
        except OSError:
            pass

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Make both streams safe to write. Call it once, before anything is opened.

    A file that is opened while a standard descriptor is closed would get its number, and what is printed would go into it.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < STANDARD:
        os.set_inheritable(opened, True)  # so that the processes we start are as safe
    os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # pyright: ignore[reportUnnecessaryComparison]  # None if it was closed
            # A character that the terminal cannot show is escaped.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text files here
    sys.stdout = cast(TextIO, CheckedOutput(sys.stdout))
    sys.stderr = cast(TextIO, MessagesForPeople(sys.stderr))


def discard_output() -> None:
    """Discard what is still buffered for standard output: Python would report it again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
