from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from laurels.cli import run

WAIT = 60


def environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of Laurels."""
    return {name: value for name, value in os.environ.items() if not is_setting(name)} | more


def is_setting(variable: str) -> bool:
    return variable.startswith("LAURELS_") and not variable.startswith("LAURELS_TEST_")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs commands in this process, in a folder of their own, without settings from outside."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.database = f"sqlite:///{folder / 'laurels.db'}"
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Ended:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def file(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    for name in filter(is_setting, [*os.environ]):
        monkeypatch.delenv(name)
    # A command that logs to standard error writes to the stream of this test, and must not do so in the next one.
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    return Cli(tmp_path, capsys)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m laurels` to its end in a process of its own."""

    def start(*arguments: str, stdin: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "laurels", *arguments],
            cwd=tmp_path,
            env=environment(**more),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )

    return start


class Server:
    """A running `laurels serve` or `laurels demo`, with what it has printed."""

    def __init__(self, started: subprocess.Popen[str], lines: list[str], errors: Path) -> None:
        self.started = started
        self.lines = lines
        self.errors = errors

    @property
    def address(self) -> str:
        found = re.search(r"http://[^\s/\"]+", "\n".join(self.lines))
        assert found
        return found[0]

    def ask(
        self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers in lower case and JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.address + path, data, sent)
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                status, got, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, got, text = error.code, error.headers, error.read()
        return status, {name.lower(): value for name, value in got.items()}, json.loads(text)

    def children(self) -> set[int]:
        """The processes that it started (Linux)."""
        pid = self.started.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.started.send_signal(number)
        return self.started.wait(WAIT)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a serving command and returns once it has printed a line that matches `until`; ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, until: str = "http://", **more: str) -> Server:
        errors = tmp_path / f"errors-{len(running)}.log"
        with errors.open("w") as file:
            started = subprocess.Popen(
                [sys.executable, "-m", "laurels", *arguments],
                cwd=tmp_path,
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        running.append(started)
        lines: list[str] = []
        assert started.stdout
        while not lines or not re.search(until, lines[-1]):
            line = started.stdout.readline()
            assert line, f"it ended: {errors.read_text()}"
            lines.append(line.rstrip("\n"))
        return Server(started, lines, errors)

    yield start
    for started in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        if started.stdout:
            started.stdout.close()
