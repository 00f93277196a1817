"""A program for tests of applying a catalog: it runs commands that are killed at a step, or whenever the test kills them.

Each line that it reads is a JSON object: `step` (null: none) and `arguments`. Steps are statements to the database and ends of
its transactions. It says the id of the process that runs the command, and then how that ended: -9, or the exit code.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg.connection import Connection as PostgresConnection
from asyncpg.transaction import Transaction

from laurels.cli import run
from laurels.storage.sqlite.connections import Connections
from laurels.storage.sqlite.driver import Connection
from tests.support.killed_steps import Steps

SAID = "said.txt"
"""The file in the current folder with what the last command said."""


def count_all(steps: Steps) -> None:
    """Count every transaction on SQLite, and every statement on PostgreSQL."""
    transaction = Connections._transaction

    @contextmanager
    def counted(self: Connections) -> Iterator[Connection]:
        steps.step()
        with transaction(self) as connection:
            steps.step()
            yield connection
            steps.step()
        steps.step()

    Connections._transaction = counted  # type: ignore[method-assign]
    steps.count(PostgresConnection, "execute", "executemany", "fetch", "fetchrow", "fetchval")
    steps.count(Transaction, "commit")


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()  # a fork lives at once, where a new program would first have to import everything
        if child == 0:
            said = os.open(SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for number in (1, 2):
                os.dup2(said, number)
            if order["step"] is not None:
                count_all(Steps(order["step"]))
            os._exit(run(order["arguments"]))
        print(child, flush=True)  # noqa: T201  # this is how it answers
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
