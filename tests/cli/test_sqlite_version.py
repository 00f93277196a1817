"""Commands with a SQLite that can lose commits when several processes write."""

from __future__ import annotations

import pytest

from laurels.storage.sqlite import driver
from tests.cli.conftest import Cli


@pytest.fixture
def unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that someone built with an older SQLite."""
    monkeypatch.setattr(driver, "version", lambda: "3.40.1")


@pytest.mark.parametrize("command", [["serve", "--workers", "2"], ["record", "-"], ["migrate"]])
def test_no_command_writes_with_an_unsafe_version(unsafe: None, cli: Cli, command: list[str]) -> None:
    ended = cli(*command, "--database", cli.database)

    assert (ended.code, ended.err.count("\n")) == (4, 1)
    assert "can lose commits" in ended.err


def test_doctor_says_whether_several_processes_may_write(unsafe: None, cli: Cli) -> None:
    found = {one["what"]: one for one in cli("doctor", "--database", cli.database, "--json").json["findings"]}

    assert found["SQLite"]["found"].startswith("3.40.1")
    assert found["SQLite"]["fix"].startswith("run: pip install")
