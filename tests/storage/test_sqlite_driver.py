"""The SQLite that is used: one in which several processes can write without losing commits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from laurels.errors import StoreError, StoreUnavailable
from laurels.storage import open_store
from laurels.storage.sqlite import driver
from tests.storage.test_contract import fill
from tests.support import sql
from tests.support.files import opened

pytestmark = pytest.mark.anyio

WRITERS = 4
COMMITS = 150

WRITER = """
import sys
from pathlib import Path
from laurels.storage.sqlite import driver
from laurels.storage.sqlite.connections import _connect
connection = _connect(Path(sys.argv[1]))
connection.execute("PRAGMA wal_autocheckpoint = 2")
for number in range(int(sys.argv[3])):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO commits VALUES (?, ?, randomblob(2000))", (sys.argv[2], number))
    connection.execute("COMMIT")
    print(number, flush=True)
connection.close()
"""
"""Commits that each reset the log, the situation in which older versions could lose one; prints each that was durable."""


@pytest.mark.parametrize("version", ["3.51.3", "3.51.10", "3.52.0", "3.54.1", "4.0.0", "3.50.7", "3.50.12", "3.44.6"])
def test_a_version_with_the_fix_is_safe(version: str) -> None:
    assert driver.is_safe(version)


@pytest.mark.parametrize("version", ["3.37.0", "3.40.1", "3.44.5", "3.45.9", "3.50.6", "3.51.0", "3.51.2"])
def test_a_version_without_the_fix_is_not_safe(version: str) -> None:
    assert not driver.is_safe(version)


def test_what_is_installed_is_safe() -> None:
    assert driver.is_safe(driver.version())


@pytest.fixture
def unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that someone built with an older SQLite."""
    monkeypatch.setattr(driver, "version", lambda: "3.40.1")


def test_no_file_is_opened_with_an_unsafe_version(unsafe: None, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"3\.40\.1 can lose commits .* run: pip install .*apsw"):
        open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    assert not (tmp_path / "laurels.db").exists()


async def test_a_database_in_memory_needs_no_fix(unsafe: None) -> None:
    store = open_store("sqlite://")
    await store.migrate()
    await store.close()


@pytest.mark.slow
def test_no_commit_of_several_processes_is_lost_while_the_log_is_reset(tmp_path: Path) -> None:
    file = tmp_path / "laurels.db"
    with opened(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE commits (writer TEXT, number INTEGER, filling BLOB)")
    command = [sys.executable, "-c", WRITER, str(file)]
    writers = [
        subprocess.Popen([*command, str(number), str(COMMITS)], stdout=subprocess.PIPE, text=True)
        for number in range(WRITERS)
    ]
    durable = {
        (str(number), int(line))
        for number, one in enumerate(writers)
        for line in one.communicate(timeout=120)[0].split()
    }

    with opened(file) as connection:
        kept = {*connection.execute("SELECT writer, number FROM commits")}
        check = connection.execute("PRAGMA integrity_check").fetchall()
    assert len(durable) == WRITERS * COMMITS
    assert (kept, check) == (durable, [("ok",)])


async def test_a_text_that_is_damaged_is_named_as_such(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    await store.migrate()
    await fill(store, "ada")
    await sql(store, "UPDATE users SET name = CAST(x'ff' AS TEXT)")

    with pytest.raises(StoreError, match="a text in the database is damaged"):
        await store.user("ada")
    await store.close()
