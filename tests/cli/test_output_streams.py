"""Every command on a full disk, into a pipe that no one reads, and with closed streams: one line and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, environment
from tests.support.files import opened

EVENT = '{"userId": "ada", "id": "1", "type": "agent.created"}'
OUTPUT = {
    "full": ("> /dev/full", 5, "No space left on device"),
    "pipe": ("| true", 141, "Broken pipe"),
    "closed": (">&-", 5, "it is closed"),
}
"""How standard output is given to a command; its exit code, and why it failed."""

COMMANDS = (
    "--help",
    "--version",
    "serve --help",
    "settings",
    "settings --json",
    "doctor",
    "doctor --json",
    "catalog show",
    "catalog check --json",
    "key list",
    "key create --name app",
    "leaderboard",
    "leaderboard --json",
    "user show ada",
    "user history ada --json",
    "user grant ada early_adopter --reason a --json",
    "amnesty list",
    "clock show --json",
    "explain ada first_agent",
    "record events.jsonl --json",
    "verify --json",
    "rebuild --json",
    "migrate --json",
)

CASES = [(command, "full") for command in COMMANDS] + [
    (command, output) for command in ("--help", "doctor", "settings --json") for output in ("pipe", "closed")
]


@pytest.fixture
def made(cli: Cli) -> Cli:
    """A folder with a database of one user."""
    cli.file("events.jsonl", EVENT)
    assert cli("record", "events.jsonl").code == 0
    return cli


def shell(folder: Path, command: str, streams: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as the shell gives them; for a pipe, the exit code is the command's."""
    # The pipe's reader has ended before the command writes.
    wait = "sleep 0.2; " if "|" in streams else ""
    script = f'({wait}exec "{sys.executable}" -m laurels {command}) {streams}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), CASES)
def test_output_that_cannot_be_written_is_one_line_and_an_exit_code(made: Cli, command: str, output: str) -> None:
    streams, code, why = OUTPUT[output]

    ended = shell(made.folder, command, streams)

    told = [line for line in ended.stderr.splitlines() if line.startswith("laurels: ")]
    assert (ended.returncode, told) == (code, [f"laurels: standard output cannot be written: {why}"]), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2> /dev/full", "2>&-", "<&- 2>&-"])
@pytest.mark.parametrize(("command", "code"), [("verify", 0), ("migrate", 0), ("no-such-command", 2), ("doctor", 0)])
def test_messages_that_cannot_be_written_change_no_exit_code(made: Cli, command: str, code: int, streams: str) -> None:
    assert shell(made.folder, command, streams).returncode == code


def test_a_key_that_could_not_be_printed_is_not_in_use(made: Cli) -> None:
    assert shell(made.folder, "key create --name app", "> /dev/full").returncode == 5

    with opened(made.folder / "laurels.db") as connection:
        assert connection.execute("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").fetchall() == [(0,)]
    assert shell(made.folder, "key create --name app", "").returncode == 0


def test_with_all_streams_closed_the_database_stays_sound(made: Cli) -> None:
    assert shell(made.folder, "rebuild", "<&- >&- 2>&-").returncode == 0

    with opened(made.folder / "laurels.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
