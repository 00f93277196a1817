"""Commands that work in several processes, on systems that do not say which processors a process may use (macOS, Windows)."""

from __future__ import annotations

import os

import pytest

from laurels.service.processes import processors
from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def system_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)


def test_verify_copy_and_restore_work_without_affinity(cli: Cli) -> None:
    line = '{"userId": "ada", "id": "1", "type": "message.sent"}\n'
    assert cli("record", cli.file("events.jsonl", line), "--database", cli.database).code == 0

    assert cli("verify", "--database", cli.database).code == 0
    assert cli("copy", cli.database, f"sqlite:///{cli.folder / 'copy.db'}").code == 0
    assert cli("backup", cli.folder / "backup.db", "--database", cli.database).code == 0
    assert cli("restore", cli.folder / "backup.db", "--database", f"sqlite:///{cli.folder / 'new.db'}").code == 0


def test_all_processors_of_the_machine_are_used_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processors() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
