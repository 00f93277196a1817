"""Starts the programs of examples/, asks them for the profile, and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

BOUND_SECONDS = 90
"""No test measures a time: what has not answered or ended after this long hangs."""

COMMANDS: dict[str, Sequence[str]] = {
    "flask": ["-m", "flask", "--app", f"{EXAMPLES}/flask/app.py", "run", "--port", "PORT"],
    "flask with reloader": ["-m", "flask", "--app", f"{EXAMPLES}/flask/app.py", "run", "--debug", "--port", "PORT"],
    "django": [f"{EXAMPLES}/django/manage.py", "runserver", "--noreload", "PORT"],
    "django with reloader": [f"{EXAMPLES}/django/manage.py", "runserver", "PORT"],
    "fastapi": ["-m", "uvicorn", "--app-dir", f"{EXAMPLES}/fastapi", "app:app", "--port", "PORT"],
    "gunicorn with flask": ["-m", "gunicorn", "--chdir", f"{EXAMPLES}/flask", "app:app"],
    "gunicorn with django": ["-m", "gunicorn", "--chdir", f"{EXAMPLES}/django", "wsgi"],
}
"""What a developer types to start each example, without the first word; PORT is the port to listen on."""

PRELOADED = [
    "--preload",
    "-w",
    "2",
    "-b",
    "127.0.0.1:PORT",
    "--access-logfile",
    "-",
    "--access-logformat",
    "answered by %(p)s",
]


@dataclass
class Server:
    """A running example, in a process group of its own, which gets signals as the programs of a terminal do."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def profile(self, user: str) -> tuple[str, Any]:
        """The content type and the JSON of a user's profile."""
        request = urllib.request.Request(f"{self.url}/api/gamification/profile", headers={"X-User": user})
        with urllib.request.urlopen(request, timeout=BOUND_SECONDS) as response:
            return response.headers["Content-Type"], json.load(response)

    def end(self, number: signal.Signals) -> int:
        """Send one signal to the group, and wait until its first process has ended: its exit status."""
        os.killpg(self.process.pid, number)
        return self.process.wait(BOUND_SECONDS)

    def is_gone(self) -> bool:
        """Whether no process of the group runs any more, waiting for it within the bound."""
        deadline = time.monotonic() + BOUND_SECONDS
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False


@contextlib.contextmanager
def running(name: str, database: str, folder: Path, *options: str) -> Iterator[Server]:
    """An example that answers, from this database; whatever is left of it in the end is killed."""
    port = str(free_port())
    command = [part.replace("PORT", port) for part in [*COMMANDS[name], *options]]
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, "DATABASE": database, "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(process, f"http://127.0.0.1:{port}", log)
        try:
            wait_until_it_answers(server)
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(server.url, timeout=BOUND_SECONDS):
                return
        except urllib.error.HTTPError:  # it knows no page there, so it answers
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(server.log.read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
