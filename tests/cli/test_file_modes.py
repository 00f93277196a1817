"""Files with a database in them belong to their owner alone, whatever the umask of the process that creates them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from laurels.storage.sqlite import driver
from tests.cli.conftest import Cli
from tests.cli.test_doctor import findings


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A process that leaves new files open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def all_modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.rglob("*.db*") if path.is_file()}


def record_one(cli: Cli) -> None:
    event = '{"userId": "ada", "id": "1", "type": "agent.created"}'
    assert cli("record", cli.file("one.jsonl", event), "--database", cli.database).code == 0


def test_a_new_database_and_its_logs_are_for_their_owner_only(tmp_path: Path) -> None:
    connection = driver.connect(tmp_path / "a.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")

    assert all_modes(tmp_path) == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}
    connection.close()


def test_a_file_behind_a_link_is_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    driver.connect(tmp_path / "link.db").close()

    assert mode(tmp_path / "a.db") == 0o600


def test_the_mode_of_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch(0o640)
    driver.connect(tmp_path / "a.db").close()

    assert mode(tmp_path / "a.db") == 0o640


def test_every_command_that_creates_a_database_creates_it_for_its_owner_only(cli: Cli) -> None:
    record_one(cli)
    backup, database = str(cli.folder / "backup.db"), ("--database", cli.database)
    assert cli("backup", backup, *database).code == 0
    assert cli("restore", backup, "--database", f"sqlite:///{cli.folder}/restored.db").code == 0
    assert cli("copy", cli.database, f"sqlite:///{cli.folder}/copy.db").code == 0
    assert cli("key", "create", "--name", "app", "--create", "--database", f"sqlite:///{cli.folder}/key.db").code == 0
    assert cli("migrate", "--database", f"sqlite:///{cli.folder}/migrated.db").code == 0
    size = ("--users", "1", "--days", "7")
    assert cli("demo", "--fill-only", "--database", f"sqlite:///{cli.folder}/demo.db", *size).code == 0

    found = all_modes(cli.folder)
    assert {"laurels.db", "backup.db", "restored.db", "copy.db", "key.db", "migrated.db", "demo.db"} <= found.keys()
    assert set(found.values()) == {0o600}, found


def test_doctor_finds_files_that_others_can_read(cli: Cli) -> None:
    record_one(cli)
    file = cli.folder / "laurels.db"
    assert "access" not in findings(cli)

    file.chmod(0o644)
    found = findings(cli)["access"]
    assert "every user of this machine can read" in found["found"]
    assert f"chmod 600 {file}" in found["fix"]

    file.chmod(0o640)
    found = findings(cli)["access"]
    assert (found["fix"], "chmod 600" in found["proposal"]) == ("", True)


def test_doctor_finds_a_folder_that_others_can_write(cli: Cli) -> None:
    record_one(cli)
    cli.folder.chmod(0o777)

    assert "chmod o-w" in findings(cli)["access"]["fix"]
