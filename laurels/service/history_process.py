"""A process that computes the changes of very long histories, so that other users do not wait for the interpreter's lock.

It is started when it is first needed, as a plain command: multiprocessing would import the program's main module again. It gets
the database's address through its standard input, so that no secret is in its arguments or its environment, and it ends when its
standard input is closed: by `end`, or by the system when this process ends, also by SIGKILL. See history_worker.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, cast

from laurels.service.computing import Computed, Task
from laurels.service.messages import Failure, add_piece, packed, receive, send, unpacked
from laurels.settings import DatabaseSettings
from laurels.storage import without_password
from laurels.storage.contract import OtherRevision

log = logging.getLogger(__name__)

MODULE = "laurels.service.history_worker"

START_SECONDS = 30
"""How long it may take to start."""

END_SECONDS = 5
"""How long it may take to end before it is killed."""

RETRY_SECONDS = 600
"""After it could not be started, how long it is not tried again."""

INTERPRETERS = re.compile(r"(python|pypy)[\w.-]*", re.IGNORECASE)
"""Names of interpreters. Where a program embeds Python, `sys.executable` can be that program, which must not be started again."""


class HistoryProcess:
    """The process of one database, started by the first task. All methods are called in one thread, one after the other."""

    def __init__(self, database: DatabaseSettings) -> None:
        """A relative file is in the folder that is the current one now."""
        self._database = database
        self._folder = _current_folder()
        self._running: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0
        _code_at_start()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not ended."""
        return self._running is not None

    @property
    def pid(self) -> int | None:
        """Its id; None if it is not running."""
        return self._running.pid if self._running else None

    def compute(self, task: Task) -> object:
        """The result of a task; None if it could not be done, which was logged.

        Raises OtherRevision if the database has another catalog in force.
        """
        try:
            message = packed(task)
        except Exception as error:  # noqa: BLE001  # whatever the values of a program raise; the thread needs no message
            log.warning("a long history is computed in a thread: its commands cannot be sent: %s", error)
            return None
        if time.monotonic() < self._not_before:
            return None
        try:
            process = self._started()
        except Exception as error:  # noqa: BLE001  # whatever this system raises; a thread does the work
            self._not_before = time.monotonic() + RETRY_SECONDS
            log.warning("long histories are computed in threads: no process could be started: %s", self._why(error))
            return None
        try:
            return self._answer(process, message)
        except OtherRevision:
            raise
        except Exception as error:  # noqa: BLE001  # it was killed, or sent what cannot be read
            log.warning("a long history is computed in a thread: %s", self._why(error))
            return None

    def _answer(self, process: subprocess.Popen[bytes], message: bytes) -> object:
        send(_pipe(process.stdin), message)
        answer = unpacked(receive(_pipe(process.stdout)))
        if isinstance(answer, OtherRevision):
            raise answer
        if isinstance(answer, Failure):
            log.warning("a long history is computed in a thread: %s", without_password(answer.reason))
            return None
        found, pieces = cast(tuple[object, int], answer)
        for _ in range(pieces):
            add_piece(cast(Computed, found), receive(_pipe(process.stdout)))
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        """The running process, started if it is not."""
        if self._running is not None and self._running.poll() is None:
            return self._running
        self.end()
        _check_interpreter()
        process = self._running = subprocess.Popen(  # noqa: S603  # this interpreter, with constant arguments
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            start_new_session=True,  # Ctrl-C in a terminal goes to a whole group, and this process ends with its parent
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        limit = threading.Timer(START_SECONDS, process.kill)
        limit.daemon = True
        limit.start()
        try:
            send(_pipe(process.stdin), packed(self._database))
            receive(_pipe(process.stdout))
        finally:
            limit.cancel()
        return process

    def _why(self, error: Exception) -> str:
        """Why the process is of no more use; it is ended."""
        code = self.end()
        return (
            f"the process ended with exit code {code}" if isinstance(error, (EOFError, BrokenPipeError)) else str(error)
        )

    def end(self) -> int | None:
        """End the process, if it runs, and return its exit code."""
        process, self._running = self._running, None
        if process is None:
            return None
        with suppress(OSError):  # it has ended already
            _pipe(process.stdin).close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()
        return process.returncode


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _current_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  # as text, which needs no folder to exist later
    except OSError:  # it was deleted, so no relative address can be open
        return None


def _check_interpreter() -> None:
    """Raise RuntimeError where starting this interpreter again would start something else."""
    if getattr(sys, "frozen", False) or not INTERPRETERS.match(Path(sys.executable or "").name):
        raise RuntimeError(f"'{sys.executable}' is no Python interpreter")
    if _code() != _code_at_start():
        raise RuntimeError("another version of Laurels was installed since this process was started; restart it")


def _code() -> dict[str, int]:
    """The files of the package, and when each was written."""
    folder = Path(__file__).parents[1]
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.py")}


@cache
def _code_at_start() -> dict[str, int]:
    """The same when this process began: rows must not be exchanged with another version, which may have others."""
    return _code()
