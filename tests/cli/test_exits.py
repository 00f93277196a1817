"""How the command line ends: exit codes, one clear line for each error, quick starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from laurels import errors
from laurels.cli import EXITS, exit_code
from tests.cli.conftest import Cli, environment
from tests.support.files import opened

Process = Callable[..., subprocess.CompletedProcess[str]]


def every_error(kind: type[Exception] = errors.LaurelsError) -> list[type[Exception]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in every_error(below))]


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_the_version_is_printed_alone(process: Process) -> None:
    ended = process("--version")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("laurels 0.")


def test_each_error_of_the_tree_has_an_exit_code_that_is_not_0() -> None:
    assert len(every_error()) > 15
    for kind in every_error():
        error = kind.__new__(kind)
        assert exit_code(error) in {1, 2, 3, 4}, kind


def test_the_codes_are_those_of_the_document() -> None:
    document = (Path(__file__).parents[2] / "docs/cli.md").read_text("utf-8")

    for code in {*EXITS.values(), 0, 130}:
        assert f"| {code} |" in document


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["leaderbord"], 'Did you mean "leaderboard"?'),
        (["leaderboard", "--limt", "3"], "Did you mean --limit?"),
        (["leaderboard", "--limit", "ten"], "ten"),
        (["leaderboard", "--limit", "0"], "0"),
        (["user", "show"], "requires an argument"),
        (["key", "create"], "--name"),
        (["settings", "--port", "99999"], "server.port (--port) must be a whole number from 0 to 65535"),
        (["settings", "--default-zone", "Mars/Olympus"], "unknown time zone"),
        (["leaderboard", "--database", "oracle://x"], "no engine serves"),
        (["catalog", "show", "--catalog", "none.toml"], "cannot read the catalog 'none.toml'"),
        (["record", "none.jsonl"], "cannot read 'none.jsonl'"),
        (["record", "--jsn"], "Unknown option: --jsn"),
    ],
)
def test_an_error_in_the_command_is_one_line_and_exit_code_2(cli: Cli, arguments: list[str], said: str) -> None:
    ended = cli(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("laurels: ")
    assert ended.err.count("\n") == 1


def test_all_faults_of_a_catalog_are_reported_when_it_stops_a_command(cli: Cli) -> None:
    faulty = cli.file("faulty.toml", '[[levels]]\ntitle = "Newcomer"\npoints = 5\n')

    ended = cli("leaderboard", "--catalog", faulty)

    assert ended.code == 2
    assert ended.err.count("laurels: ") > 1


def test_reading_a_database_that_is_not_there_makes_none(cli: Cli) -> None:
    for command in (["leaderboard"], ["user", "show", "ada"], ["key", "list"], ["key", "revoke", "app"]):
        ended = cli(*command, "--database", cli.database)

        assert (ended.code, ended.out) == (4, "")
        assert "there is no database at" in ended.err
    assert list(cli.folder.iterdir()) == []


def test_a_database_of_another_version_is_refused(cli: Cli) -> None:
    cli("migrate", "--database", cli.database)
    with opened(cli.folder / "laurels.db") as connection:
        connection.execute("INSERT INTO migrations (name, checksum) VALUES ('9999_future', '')")

    for command in (["leaderboard"], ["migrate"], ["record", cli.file("no.jsonl", "")]):
        ended = cli(*command, "--database", cli.database)

        assert ended.code == 4
        assert "9999_future" in ended.err


def test_a_file_that_is_not_a_database_is_refused(cli: Cli) -> None:
    cli.file("laurels.db", "these are not the pages you are looking for\n" * 100)

    ended = cli("leaderboard", "--database", cli.database)

    assert ended.code == 4
    assert "not a database" in ended.err


def test_a_reader_that_closes_early_is_not_an_error(tmp_path: Path) -> None:
    script = 'set -o pipefail; "$0" -m laurels catalog show --json | head -c 1; exit ${PIPESTATUS[0]}'
    ended = ran(tmp_path, "bash", "-c", script, sys.executable)

    assert "Traceback" not in ended.stderr
    assert ended.returncode in {0, 141}


def test_a_quick_command_loads_nothing_heavy(tmp_path: Path) -> None:
    program = """
import sys
from laurels.cli import run
assert run(sys.argv[1:]) == 0
sys.exit(", ".join({"rich", "uvicorn", "swagger_ui"} & set(sys.modules)) or 0)
"""
    create = ("key", "create", "--create", "--name", "app", "--database", "sqlite:///app.db")
    assert ran(tmp_path, sys.executable, "-c", program, *create).stderr.startswith("Created")
    assert ran(tmp_path, sys.executable, "-c", program, "--version").stderr.strip() in {"", "rich"}


def test_help_names_every_command_and_loads_none(tmp_path: Path) -> None:
    program = """
import sys
from laurels.cli import run
run(["--help"])
sys.exit("loaded" if "laurels.cli.serve" in sys.modules else 0)
"""
    ended = ran(tmp_path, sys.executable, "-c", program)

    assert ended.returncode == 0
    for command in (
        "serve",
        "demo",
        "record",
        "user",
        "leaderboard",
        "catalog",
        "key",
        "migrate",
        "settings",
        "doctor",
    ):
        assert command in ended.stdout
