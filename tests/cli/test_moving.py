"""Copying, backing up and restoring, as an operator does it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw
import pytest

from laurels.commands.erasing import EraseUser
from laurels.engine.events import Event
from laurels.errors import StoreError, UserErased
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.columns import TABLES
from laurels.storage.contract import ERASED_TOGETHER, Store
from tests.cli.conftest import Cli, environment
from tests.storage.test_copying import all_rows
from tests.support import ENGINES, LASTING_ENGINES
from tests.support.files import opened

ERASED = "forget-me"
USERS = [f"user-{number}" for number in range(40)]
EVENTS = [Event(user, f"{kind}-{user}", kind) for user in USERS for kind in ("agent.created", "message.sent")]


@pytest.fixture(params=LASTING_ENGINES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with some users, one of them erased; one test for each engine."""
    with address(request.param, tmp_path / "source") as database:
        yield filled(database)


@pytest.fixture(params=LASTING_ENGINES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that is not there yet, or empty; one test for each engine."""
    with address(request.param, tmp_path / "target") as database:
        yield database


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The address of a database in a file with some users, for what does not depend on the engine."""
    return filled(f"sqlite:///{tmp_path / 'laurels.db'}")


def address(engine: str, folder: Path) -> AbstractContextManager[str]:
    folder.mkdir(exist_ok=True)
    return ENGINES[engine](folder)


def filled(database: str, events: list[Event] = EVENTS) -> str:
    async def fill() -> None:
        async with Laurels.open(database) as laurels:
            await laurels.record_many([*events, Event(ERASED, "e", "message.sent")])
            await laurels.erase_user(ERASED)

    asyncio.run(fill())
    return database


def held(database: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for those that copies and backups add themselves: the runs of maintenance, and their rows of the audit."""

    async def read() -> dict[str, list[tuple[object, ...]]]:
        store = open_store(database)
        try:
            rows = await all_rows(store)
            audit = [row for row in rows["audit"] if not str(row[2]).startswith("database.")]
            return {**rows, "maintenance_runs": [], "audit": audit}
        finally:
            await store.close()

    return asyncio.run(read())


def use(database: str, work: Callable[[Store], object]) -> None:
    async def run() -> None:
        store = open_store(database)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


@contextmanager
def raw(path: Path) -> Iterator[apsw.Connection]:
    with opened(path) as connection, connection:
        yield connection


# ---- copy -------------------------------------------------------------------------------------


def test_a_database_moves_from_any_engine_to_any_engine(cli: Cli, source: str, target: str) -> None:
    before = held(source)

    ended = cli("copy", source, target, "--json")

    assert (ended.code, ended.err) == (0, "")
    assert ended.json == {
        "ok": True,
        "rows": {table: len(rows) for table, rows in before.items()},
        "verified": {
            "ok": True,
            "users": len(USERS),
            "wrongTallies": 0,
            "differences": [],
            "usersAheadOfClock": 0,
            "aheadOfClock": None,
        },
        "keys": [],
        "erased": 0,
        "hidden": 0,
    }
    assert held(target) == held(source) == before
    assert cli("verify", "--database", target).code == 0


async def late_event(store: Store) -> None:
    with pytest.raises(UserErased):
        await Laurels(store).record(Event(ERASED, "late", "message.sent"))


def test_an_erased_user_stays_erased(cli: Cli, source: str, target: str) -> None:
    assert cli("copy", source, target).code == 0

    use(target, late_event)
    assert ERASED not in repr(held(target))


def leave_unfinished(database: str) -> None:
    """Begin to erase a user with a long history, as a process does that is killed then."""

    async def begin() -> None:
        async with Laurels.open(database) as laurels:
            for first in range(0, 2 * ERASED_TOGETHER, 500):
                await laurels.record_many([Event("whale", f"{first + one}", "a") for one in range(500)], ranks=False)
            await laurels.core.run(EraseUser("whale", await laurels.now()))

    asyncio.run(begin())


def test_a_copy_and_a_backup_finish_what_an_erasure_left(cli: Cli, source: str, target: str, tmp_path: Path) -> None:
    leave_unfinished(source)
    before = held(source)
    assert "whale" in repr(before["events"])

    assert cli("copy", source, target).code == 0
    assert cli("backup", str(tmp_path / "backup.db"), "--database", source).code == 0

    assert "whale" not in repr(held(target))
    assert cli("verify", "--database", target).code == 0
    assert b"whale" not in (tmp_path / "backup.db").read_bytes()
    assert held(source) == before


def test_the_numbers_of_copied_rows_and_compared_users_are_printed(cli: Cli, file: str) -> None:
    ended = cli("copy", file, "sqlite:///new.db")

    assert (ended.code, ended.out) == (0, "")
    rows = sum(len(rows) for rows in held(file).values())
    assert (
        ended.err
        == f"{rows} rows of 40 users copied, and read back without a difference.\n40 users compared, no difference.\n"
    )


def test_a_target_that_holds_something_is_refused_and_stays_as_it_is(cli: Cli, source: str, target: str) -> None:
    assert cli("copy", source, target).code == 0
    before = held(target)

    ended = cli("copy", source, target)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "laurels: TO is not empty; choose an empty database\n"
    assert held(target) == before


def test_even_one_key_is_something(cli: Cli, file: str) -> None:
    cli("key", "create", "--create", "--name", "app", "--database", "sqlite:///new.db")

    assert cli("copy", file, "sqlite:///new.db").code == 2
    assert {table: len(rows) for table, rows in held("sqlite:///new.db").items() if rows} == {"api_keys": 1, "audit": 1}


def test_a_target_of_an_older_schema_that_has_users_is_refused_and_not_migrated(cli: Cli, file: str) -> None:
    filled("sqlite:///old.db")
    with raw(cli.folder / "old.db") as connection:
        connection.execute("DELETE FROM migrations WHERE name NOT LIKE '0001%'")

    ended = cli("copy", file, "sqlite:///old.db")

    assert (ended.code, ended.err) == (2, "laurels: TO is not empty; choose an empty database\n")
    with raw(cli.folder / "old.db") as connection:
        assert connection.execute("SELECT count(*) FROM migrations").fetchone() == (1,)


@pytest.mark.parametrize("to", ["sqlite:///laurels.db", "sqlite:///./laurels.db", "sqlite:///link.db"])
def test_a_database_is_not_copied_into_itself(cli: Cli, file: str, to: str) -> None:
    (cli.folder / "link.db").symlink_to("laurels.db")

    ended = cli("copy", file, to)

    assert (ended.code, ended.err) == (2, "laurels: FROM and TO are the same\n")


def test_a_copy_into_memory_is_refused(cli: Cli, file: str) -> None:
    for command in (("copy", file, "sqlite://"), ("restore", "laurels.db", "--database", "sqlite:///:memory:")):
        ended = cli(*command)

        assert ended.code == 2
        assert "would be lost" in ended.err


def test_a_source_that_is_not_there_makes_neither_database(cli: Cli) -> None:
    ended = cli("copy", "sqlite:///none.db", "sqlite:///new.db")

    assert ended.code == 4
    assert "there is no database at none.db" in ended.err
    assert list(cli.folder.iterdir()) == []


def test_a_source_of_an_older_schema_is_refused_and_not_migrated(cli: Cli, file: str) -> None:
    with raw(cli.folder / "laurels.db") as connection:
        connection.execute("DELETE FROM migrations WHERE name NOT LIKE '0001%'")

    ended = cli("copy", file, "sqlite:///new.db")

    assert ended.code == 4
    assert ended.err == "laurels: FROM: the migration '0002_history' has not run; run 'laurels migrate'\n"
    with raw(cli.folder / "laurels.db") as connection:
        assert connection.execute("SELECT count(*) FROM migrations").fetchone() == (1,)
    assert not (cli.folder / "new.db").exists()


def test_a_difference_in_the_source_is_found_in_the_copy(cli: Cli, file: str) -> None:
    with raw(cli.folder / "laurels.db") as connection:
        connection.execute("UPDATE ledger SET amount = amount + 1 WHERE user_id = 'user-7'")

    ended = cli("copy", file, "sqlite:///new.db", "--json")

    assert ended.code == 1
    assert not ended.json["ok"]
    assert {one["userId"] for one in ended.json["verified"]["differences"]} == {"user-7"}
    assert held("sqlite:///new.db") == held(file)


@pytest.fixture
def mine(cli: Cli) -> Path:
    """A catalog file with other rules than the default ones."""
    text = (Path(__file__).parents[2] / "laurels/engine/default.toml").read_text("utf-8")
    return cli.file("mine.toml", text.replace("points = 50\n", "points = 51\n"))


def test_nothing_is_copied_if_the_source_has_another_catalog_than_the_given_one(
    cli: Cli, file: str, mine: Path
) -> None:
    ended = cli("copy", file, "sqlite:///new.db", "--catalog", mine)

    assert (ended.code, ended.out) == (2, "")
    assert "revision 1" in ended.err
    assert str(mine) in ended.err
    assert not Path("new.db").exists()


def test_the_revisions_are_copied_and_users_of_an_earlier_one_are_neither_compared_nor_changed(
    cli: Cli, file: str, mine: Path
) -> None:
    assert cli("catalog", "apply", mine, "--database", file).code == 0

    ended = cli("copy", file, "sqlite:///new.db", "--catalog", mine, "--json")

    assert ended.code == 0
    assert ended.json["verified"]["users"] == 0
    assert ended.json["rows"]["catalog_revisions"] == 2
    assert ended.err == (
        "40 users not compared: last judged under an earlier revision of the catalog, or before an amnesty.\n"
    )
    assert held("sqlite:///new.db") == held(file)


def many(database: str, users: int = 1000) -> str:
    return filled(database, [Event(f"user-{number}", "e", "agent.created") for number in range(users)])


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "laurels", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


STOPS = """
import os, signal, sys
from laurels.cli import run
from laurels.storage import copying as moving

class Stopping(moving.Reading):
    async def batches(self):
        passed = 0
        async for batch in super().batches():
            yield batch
            passed += len(batch[1])
            if passed > 2500:
                os.kill(os.getpid(), {signal})

moving.Reading = Stopping
sys.exit(run(sys.argv[1:]))
"""


def stopped(folder: Path, number: int, *arguments: str) -> int:
    """Run a command that is sent this signal when it is in the middle; how it ended."""
    command = [sys.executable, "-c", STOPS.format(signal=number), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, timeout=60, check=False
    ).returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_copy_that_is_stopped_in_the_middle_leaves_a_target_that_the_next_one_can_use(
    cli: Cli, source: str, target: str, number: int, code: int
) -> None:
    many(source)

    assert stopped(cli.folder, number, "copy", source, target) == code

    assert [table for table, rows in held(target).items() if rows] == []
    assert cli("copy", source, target).code == 0
    assert held(target) == held(source)


# ---- backup and restore -----------------------------------------------------------------------


def test_a_backup_is_one_file_that_any_engine_is_restored_from(cli: Cli, source: str, target: str) -> None:
    backup = cli("backup", "backup.db", "--database", source, "--json")
    assert (backup.code, backup.err) == (0, "")
    assert backup.json["file"] == "backup.db"
    assert backup.json["bytes"] == (cli.folder / "backup.db").stat().st_size
    assert backup.json["rows"] == {table: len(rows) for table, rows in held(source).items()}

    restored = cli("restore", "backup.db", "--database", target, "--json")

    assert restored.code == 0
    assert restored.json["rows"] == backup.json["rows"]
    assert restored.json["verified"]["users"] == len(USERS)
    assert held(target) == held(source)
    use(target, late_event)


def test_a_backup_is_a_database_that_only_its_owner_reads(cli: Cli, file: str) -> None:
    (cli.folder / "backups").mkdir()

    ended = cli("backup", "backups/monday.db", "--database", file)

    assert ended.code == 0
    assert "of 40 users backed up to backups/monday.db, " in ended.err
    assert [path.name for path in (cli.folder / "backups").iterdir()] == ["monday.db"]
    assert stat.S_IMODE((cli.folder / "backups/monday.db").stat().st_mode) == 0o600
    assert cli("verify", "--database", "sqlite:///backups/monday.db").code == 0
    assert cli("user", "show", "user-1", "--database", "sqlite:///backups/monday.db").code == 0


def test_a_name_may_hold_what_an_address_would_read_otherwise(cli: Cli, file: str) -> None:
    name = "a b%20?c#d.db"

    assert cli("backup", name, "--database", file).code == 0
    assert cli("restore", name, "--database", "sqlite:///new.db").code == 0
    assert held(f"sqlite:///{quote(name)}") == held(file)


def test_an_existing_file_is_replaced_only_with_force(cli: Cli, file: str) -> None:
    there = cli.file("backup.db", "something else")

    refused = cli("backup", "backup.db", "--database", file)

    assert refused.code == 2
    assert "already exists; choose another name, or replace it with --force" in refused.err
    assert there.read_text() == "something else"
    assert cli("backup", "backup.db", "--database", file, "--force").code == 0
    assert held("sqlite:///backup.db") == held(file)


def test_a_database_is_never_replaced_by_its_backup(cli: Cli, file: str) -> None:
    before = held(file)

    ended = cli("backup", "laurels.db", "--database", file, "--force")

    assert (ended.code, ended.err) == (2, "laurels: the database and its backup are the same\n")
    assert held(file) == before


def test_a_log_next_to_an_older_backup_is_not_used_for_the_new_one(cli: Cli, file: str) -> None:
    left = "import os, sqlite3; c = sqlite3.connect('backup.db'); c.execute('PRAGMA journal_mode = WAL'); "
    left += "c.execute('CREATE TABLE old (x)'); c.executemany('INSERT INTO old VALUES (?)', [['x' * 9000]] * 99); "
    left += "c.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-c", left], cwd=cli.folder, check=True)
    assert (cli.folder / "backup.db-wal").stat().st_size > 0

    assert cli("backup", "backup.db", "--database", file, "--force").code == 0

    assert held("sqlite:///backup.db") == held(file)
    with raw(cli.folder / "backup.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'old'").fetchall()


def test_a_backup_that_fails_leaves_the_one_before(cli: Cli, file: str) -> None:
    assert cli("backup", "backup.db", "--database", file).code == 0
    before = (cli.folder / "backup.db").read_bytes()
    with raw(cli.folder / "laurels.db") as connection:
        connection.execute("UPDATE users SET name = CAST(x'ff' AS TEXT) WHERE user_id = 'user-7'")

    ended = cli("backup", "backup.db", "--database", file, "--force")

    assert ended.code == 4
    assert (cli.folder / "backup.db").read_bytes() == before
    assert {path.name for path in cli.folder.iterdir()} == {"laurels.db", "backup.db"}


@pytest.mark.parametrize("name", ["none/backup.db", "."])
def test_a_place_that_cannot_be_written_is_refused(cli: Cli, file: str, name: str) -> None:
    ended = cli("backup", name, "--database", file)

    assert ended.code == 2
    assert ended.err.startswith("laurels: ")
    assert ended.err.count("\n") == 1


def test_a_killed_backup_leaves_no_backup_and_the_next_one_works(cli: Cli, file: str) -> None:
    many(file)

    assert stopped(cli.folder, signal.SIGKILL, "backup", "backup.db", "--database", file) == -signal.SIGKILL
    assert not (cli.folder / "backup.db").exists()

    assert cli("backup", "backup.db", "--database", file).code == 0
    assert held("sqlite:///backup.db") == held(file)
    assert {path.name for path in cli.folder.iterdir()} == {"laurels.db", "backup.db"}


def test_an_interrupted_backup_leaves_nothing(cli: Cli, file: str) -> None:
    many(file)

    assert stopped(cli.folder, signal.SIGINT, "backup", "backup.db", "--database", file) == 130

    assert {path.name for path in cli.folder.iterdir()} == {"laurels.db"}


def test_two_backups_never_write_the_same_file(cli: Cli, file: str) -> None:
    with (cli.folder / "backup.db.part").open("w") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        running.write("the first one's")
        running.flush()

        ended = cli("backup", "backup.db", "--database", file)

    assert ended.code == 2
    assert "another backup is writing" in ended.err
    assert (cli.folder / "backup.db.part").read_text() == "the first one's"


def test_a_backup_under_load_restores_without_a_difference(cli: Cli, source: str, target: str) -> None:
    events = cli.folder / "events.jsonl"
    with events.open("w") as lines:
        for number in range(200_000):
            event = {"userId": f"user-{number % 60}", "id": f"more-{number}", "type": "message.sent"}
            lines.write(json.dumps(event) + "\n")
    writer = start(cli.folder, "record", str(events), "--database", source, "--json")
    sizes: list[int] = []
    try:
        while len(sizes) < 3 or sizes[0] == sizes[-1]:
            time.sleep(0.5)
            assert writer.poll() is None, "the writer ended before the backups"
            backup = cli("backup", f"backup-{len(sizes)}.db", "--database", source, "--json")
            sizes.append(backup.json["rows"]["events"])
    finally:
        writer.send_signal(signal.SIGINT)
        out, err = writer.communicate(timeout=60)
    assert writer.returncode == 130, err
    assert json.loads(out)["rejected"] == 0

    assert sizes == sorted(sizes)
    assert cli("restore", f"backup-{len(sizes) - 1}.db", "--database", target).code == 0
    assert cli("verify", "--database", target).code == 0
    assert len(held(target)["events"]) == sizes[-1]
    assert cli("verify", "--database", source).code == 0


def test_a_database_that_holds_something_is_not_restored_into(cli: Cli, source: str, target: str) -> None:
    cli("backup", "backup.db", "--database", source)
    assert cli("restore", "backup.db", "--database", target).code == 0
    before = held(target)

    ended = cli("restore", "backup.db", "--database", target)

    assert ended.code == 2
    assert "is not empty; choose an empty one with --database" in ended.err
    assert held(target) == before


def test_a_missing_backup_is_an_error(cli: Cli) -> None:
    ended = cli("restore", "none.db", "--database", "sqlite:///new.db")

    assert (ended.code, ended.err) == (2, "laurels: there is no file 'none.db'\n")
    assert list(cli.folder.iterdir()) == []


def test_a_backup_is_not_restored_into_itself(cli: Cli, file: str) -> None:
    assert cli("restore", "laurels.db", "--database", file).code == 2


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + b"\xff" * 65536 + content[half + 65536 :]


@pytest.mark.parametrize("damage", [cut, overwritten, lambda _: b"no database at all, " * 1000, lambda _: b""])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    cli: Cli, file: str, target: str, damage: Callable[[bytes], bytes]
) -> None:
    many(file)
    cli("backup", "backup.db", "--database", file)
    backup = cli.folder / "backup.db"
    backup.write_bytes(damage(backup.read_bytes()))

    ended = cli("restore", "backup.db", "--database", target)

    assert (ended.code, ended.out) == (4, "")
    assert ended.err.count("\n") == 1
    assert "backup.db" in ended.err or "is empty" in ended.err
    try:
        left = held(target)
    except StoreError:  # it was not even made
        return
    assert [table for table in TABLES if left[table]] == []


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK) or os.geteuid() != 0, reason="needs a small disk of its own")
def test_a_full_disk_is_an_error_and_leaves_no_file(cli: Cli, file: str) -> None:
    many(file)
    disk = cli.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        ended = cli("backup", "disk/backup.db", "--database", file)

        assert ended.code == 4
        assert "full" in ended.err
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
