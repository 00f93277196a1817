"""What of keys, sessions and secrets moves with a database, and what a made-up or damaged backup can do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from laurels.auth.keys import Role, create_key
from laurels.auth.operators import OperatorSessions
from laurels.auth.sessions import Sessions
from laurels.errors import StoreError
from laurels.service.audit import audit_row
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.storage.columns import CREDENTIALS, TABLES
from laurels.storage.contract import LIBRARY, SecondFactorRow, Store
from laurels.storage.secrets import Keyring
from tests.cli.conftest import Cli
from tests.cli.test_moving import ERASED, address, file, filled, held, raw, source, target, use  # noqa: F401  # fixtures

DATA = {
    *("tombstones", "amnesties", "catalog_revisions", "maintenance_runs", "sandbox", "users", "events", "adjustments"),
    *("awards", "former_states", "ledger", "outbox", "standings", "closings", "board_rules"),
    *("audit", "supplies"),
    "unfinished_erasures",
}
"""Tables that a copy without credentials has. A new table belongs here or to CREDENTIALS."""


def with_credentials(database: str) -> str:
    """The database with a key of each role, one of them revoked, a session of a user and one of an operator."""

    async def add(store: Store) -> None:
        roles: dict[str, Role] = {"my-app": "app", "old-app": "app", "anna": "admin"}
        for name, role in roles.items():
            await create_key(store, name, utc_now(), role)
        await store.revoke_key("old-app", utc_now())
        await Sessions(Laurels(store)).create("user-1", timedelta(days=1))
        hours = timedelta(hours=1)
        (anna,) = [row.key_hash for row in await store.keys() if row.name == "anna"]
        await OperatorSessions(store, utc_now, hours, hours).start(anna)
        factor = SecondFactorRow(anna, b"hidden", 1, b"hashes", 0, None, utc_now())
        await store.add_second_factor(factor, b"", audit_row(LIBRARY, utc_now(), "key.second_factor_added"))

    use(database, add)
    return database


def keyring_of(database: str) -> Keyring:
    found: list[Keyring] = []

    async def read(store: Store) -> None:
        found.append(await store.keyring())

    use(database, read)
    return found[0]


def test_every_table_either_has_credentials_or_not() -> None:
    assert TABLES.keys() == CREDENTIALS | DATA
    assert not CREDENTIALS & DATA


def test_a_copy_without_credentials_has_none(cli: Cli, source: str, target: str) -> None:  # noqa: F811
    with_credentials(source)
    before = held(source)

    ended = cli("copy", source, target, "--without-credentials", "--json")

    assert (ended.code, ended.json["keys"]) == (0, [])
    after = held(target)
    assert {table for table in TABLES if after[table] != before[table]} - {"maintenance_runs"} == CREDENTIALS
    assert after["api_keys"] == after["second_factors"] == after["sessions"] == []
    assert keyring_of(target) != keyring_of(source)
    assert keyring_of(target) == keyring_of(target)


def test_each_database_restored_from_a_backup_without_credentials_makes_its_own_secret(cli: Cli, file: str) -> None:  # noqa: F811
    with_credentials(file)
    assert cli("backup", "backup.db", "--without-credentials", "--database", file).code == 0
    assert all(not held("sqlite:///backup.db")[table] for table in CREDENTIALS)

    restored = [f"sqlite:///{name}.db" for name in ("one", "two")]
    for database in restored:
        assert cli("restore", "backup.db", "--database", database).code == 0
        assert cli("verify", "--database", database).code == 0
    assert len({keyring_of(database) for database in [*restored, file]}) == 3


def test_a_backup_restores_what_it_has_and_no_session_of_an_operator(cli: Cli, file: str) -> None:  # noqa: F811
    with_credentials(file)
    assert cli("backup", "backup.db", "--database", file).code == 0
    for name in ("backup.db", "laurels.db"):  # a plain copy of the file has them, and is restored from as well
        restored = f"sqlite:///restored-{name}"
        assert cli("restore", name, "--database", restored).code == 0
        assert held(restored) == held(file)
        with raw(cli.folder / f"restored-{name}") as connection:
            assert connection.execute("SELECT count(*) FROM operator_sessions").fetchall() == [(0,)]


@pytest.mark.parametrize("command", ["copy", "restore"])
def test_the_active_keys_that_came_along_are_listed(cli: Cli, file: str, command: str) -> None:  # noqa: F811
    with_credentials(file)
    to_new = {
        "copy": ("copy", file, "sqlite:///new.db"),
        "restore": ("restore", "laurels.db", "--database", "sqlite:///new.db"),
    }

    ended = cli(*to_new[command])

    assert "the API key 'my-app' (laurels_key_" in ended.err
    assert "the admin key 'anna' (laurels_admin_" in ended.err
    assert "old-app" not in ended.err
    assert "laurels key revoke NAME --database 'sqlite:///new.db'" in ended.err
    assert "1 session of users came along." in ended.err


def test_the_active_keys_are_in_the_json_document(cli: Cli, file: str) -> None:  # noqa: F811
    with_credentials(file)

    keys = json.loads(cli("copy", file, "sqlite:///new.db", "--json").out)["keys"]

    assert [(key["name"], key["kind"], key["role"]) for key in keys] == [
        ("my-app", "app", None),
        ("anna", "admin", "owner"),
    ]
    assert all(key["hint"].startswith("laurels_") for key in keys)


# ---- damage -----------------------------------------------------------------------------------


def spoiled(statement: str) -> Callable[[apsw.Connection], None]:
    return lambda connection: connection.execute(statement).close()


def as_view(table: str, select: str) -> Callable[[apsw.Connection], None]:
    def replace(connection: apsw.Connection) -> None:
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"CREATE VIEW {table} AS {select}")

    return replace


def loosened(connection: apsw.Connection) -> None:
    """A table without types, and a text where a number belongs."""
    connection.execute("ALTER TABLE awards RENAME TO before")
    connection.execute("CREATE TABLE awards AS SELECT * FROM before")
    connection.execute("DROP TABLE before")
    connection.execute("UPDATE awards SET points = 'many'")


def computed(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE awards ADD COLUMN more BLOB AS (zeroblob(points))")


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS name, i AS checksum FROM n"
NOISE = "x'ff00ff00ff00ff00'"
DAMAGE = {
    "the row 'user-3' of users": spoiled(f"UPDATE users SET progress = {NOISE} WHERE user_id = 'user-3'"),
    "of users": spoiled("UPDATE users SET zones = 'nowhere' WHERE user_id = 'user-4'"),
    "the row 'user-5', 'agent.created-user-5' of events": spoiled(
        "UPDATE events SET data = '{' WHERE user_id = 'user-5' AND event_id = 'agent.created-user-5'"
    ),
    "of outbox": spoiled("UPDATE outbox SET data = '[]' WHERE user_id = 'user-6'"),
    "of ledger": spoiled("UPDATE ledger SET at = 9223372036854775807 WHERE user_id = 'user-7'"),
    "the row 1 of catalog_revisions": spoiled(f"UPDATE catalog_revisions SET text = '{'[' * 20_000}'"),
    "of awards": loosened,
    "'users' in this file is a view": as_view("users", "SELECT 1 AS user_id"),
    "'migrations' in this file is a view": as_view("migrations", ENDLESS),
    "'awards.more' in this file is a computed column": computed,
}


@pytest.mark.parametrize("engine", ["sqlite-file", "postgresql"])
@pytest.mark.parametrize("named", DAMAGE)
def test_a_backup_with_a_row_that_cannot_be_read_is_refused_as_a_whole(
    cli: Cli, tmp_path: Path, named: str, engine: str
) -> None:
    filled(f"sqlite:///{tmp_path / 'backup.db'}")
    with raw(tmp_path / "backup.db") as connection:
        DAMAGE[named](connection)

    with address(engine, tmp_path / "target") as database:
        ended = cli("restore", "backup.db", "--database", database)

        assert (ended.code, ended.out, ended.err.count("\n")) == (4, "", 1)
        assert named in ended.err
        assert "use" in ended.err
        try:
            assert not any(held(database).values())
        except StoreError as error:  # it was not even made
            assert re.search("migrat|no such table|no tables", str(error))  # noqa: PT017
