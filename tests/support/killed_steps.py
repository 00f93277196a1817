"""A program for test_secret_killed.py: for each number that it reads, a child of it runs a command and is killed at that step.

Steps are the calls that write the file with the keys or the database, each counted before and after it. It says how the child
ended: -9, or the exit code if the command has fewer steps.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from laurels.cli import run
from laurels.storage.postgres import keyrings as of_postgres
from laurels.storage.postgres.store import PostgresStore
from laurels.storage.sqlite import keyrings as of_sqlite
from laurels.storage.sqlite.store import SQLiteStore


class Steps:
    """Counts steps, and kills this process at one of them."""

    def __init__(self, last: int) -> None:
        self.left = last

    def step(self) -> None:
        """Count one."""
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

    def count(self, owner: Any, *names: str) -> None:
        """Count these functions from now on."""
        for name in names:
            setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted."""

        def step(*args: Any, **more: Any) -> Any:
            self.step()
            done = work(*args, **more)
            self.step()
            return done

        return step

    def all(self) -> None:
        """Count everything that writes."""
        self.count(os, "fsync", "open")
        self.count(Path, "replace", "hardlink_to", "unlink")
        for module in (of_sqlite, of_postgres):
            self.count(module, "save_audit")  # within the transaction
        for store in (SQLiteStore, PostgresStore):
            self.count(store, "store_fingerprint", "clean_secrets")


def main() -> None:
    for line in sys.stdin:
        child = os.fork()  # a fork lives at once, where a new program would first have to import everything
        if child == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(quiet, number)
            Steps(int(line)).all()
            os._exit(run(sys.argv[1:]))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # this is how it answers


if __name__ == "__main__":
    main()
