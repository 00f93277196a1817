"""`laurels backup` and `laurels verify` leave a note of what they did in the database they looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from laurels.storage import open_store
from laurels.storage.contract import MaintenanceRun
from tests.cli.conftest import Cli
from tests.support.files import opened
from tests.support.postgres import wait_for

JUST_NOW = timedelta(minutes=5)


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """A command line over a database with one user."""
    cli("migrate", "--database", cli.database)
    line = '{"userId": "ada", "id": "e-1", "type": "agent.created"}\n'
    cli("record", cli.file("events.jsonl", line), "--database", cli.database)
    return cli


def noted(database: str) -> Mapping[str, MaintenanceRun]:
    async def read() -> Mapping[str, MaintenanceRun]:
        store = open_store(database)
        notes = {note.task: note for note in await store.maintenance_runs()}
        await store.close()
        return notes

    return wait_for(read())


def run_sql(cli: Cli, statement: str) -> None:
    with opened(cli.folder / "laurels.db") as connection:
        connection.execute(statement)


def outcome(note: MaintenanceRun) -> Mapping[str, Any]:
    assert abs(datetime.now(UTC) - note.at) < JUST_NOW
    return note.outcome


def test_a_verify_is_stored_with_its_result(filled: Cli) -> None:
    assert filled("verify", "--database", filled.database).code == 0
    assert outcome(noted(filled.database)["verify"]) == {"ok": True, "users": 1, "differences": 0, "wrongTallies": 0}

    run_sql(filled, "UPDATE users SET points = points + 1")
    assert filled("verify", "--database", filled.database).code == 1
    told = outcome(noted(filled.database)["verify"])
    assert (told["ok"], told["users"]) == (False, 1)
    assert told["differences"] > 0


def test_verifying_one_user_is_not_stored(filled: Cli) -> None:
    filled("verify", "--user", "ada", "--database", filled.database)

    assert noted(filled.database) == {}


def test_a_backup_is_stored_in_the_database_it_was_made_from(filled: Cli) -> None:
    file = filled.folder / "backup.db"

    assert filled("backup", file, "--database", filled.database).code == 0

    told = outcome(noted(filled.database)["backup"])
    assert (told["bytes"], told["users"]) == (file.stat().st_size, 1)
    assert noted(f"sqlite:///{file}") == {}


def test_a_failed_backup_is_not_stored(filled: Cli) -> None:
    file = filled.file("backup.db", "something else")

    assert filled("backup", file, "--database", filled.database).code != 0

    assert noted(filled.database) == {}


@pytest.mark.parametrize("command", [["verify"], ["backup", "backup.db"]])
def test_a_read_only_database_is_backed_up_and_verified(
    filled: Cli, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.folder)
    run_sql(
        filled, "CREATE TRIGGER closed BEFORE INSERT ON maintenance_runs BEGIN SELECT RAISE(ABORT, 'read only'); END"
    )

    ended = filled(*command, "--database", filled.database)

    assert ended.code == 0
    assert "is not stored in the database that this was done" in ended.err
    assert noted(filled.database) == {}


def test_a_verified_empty_database_can_still_be_restored_into(filled: Cli) -> None:
    file, empty = filled.folder / "backup.db", f"sqlite:///{filled.folder / 'empty.db'}"
    filled("backup", file, "--database", filled.database)
    filled("migrate", "--database", empty)
    assert filled("verify", "--database", empty).code == 0

    assert filled("restore", file, "--database", empty).code == 0
