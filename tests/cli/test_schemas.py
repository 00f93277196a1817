"""The schema of a community, given to every command as an option, a variable or in the file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

import pytest

from laurels.cli import app
from laurels.errors import SettingsError
from laurels.service.blocking import BlockingLaurels
from laurels.storage import open_store
from tests.cli.conftest import Cli, Ended
from tests.storage.test_copying import all_rows
from tests.support import postgres

EVENT = '{"userId": "%s", "id": "e-1", "type": "agent.created"}\n'
SCHEMAS = ("chess", "go_club")


@pytest.fixture
def database() -> Iterator[str]:
    with postgres.database() as address:
        yield address


@pytest.fixture
def two(cli: Cli, database: str) -> Callable[..., Ended]:
    """Two communities: 'chess' with the user 'ada', 'go_club' with 'bob'. Runs a command on one of them."""

    def run(schema: str, *arguments: str) -> Ended:
        return cli(*arguments, "--database", database, "--schema", schema)

    for schema, name in zip(SCHEMAS, ("ada", "bob"), strict=True):
        file = cli.file(f"{schema}.jsonl", EVENT % name)
        ended = run(schema, "record", str(file))
        assert (ended.code, f"schema '{schema}'" in ended.err) == (0, True), ended.err
    return run


def rows(database: str, schema: str = "laurels") -> dict[str, list[tuple[object, ...]]]:
    async def read() -> dict[str, list[tuple[object, ...]]]:
        store = open_store(database, schema=schema)
        try:
            return {**await all_rows(store), "maintenance_runs": [], "audit": []}
        finally:
            await store.close()

    return asyncio.run(read())


def users(database: str, schema: str = "laurels") -> list[object]:
    return [row[0] for row in rows(database, schema)["users"]]


# ---- the setting ------------------------------------------------------------------------------


def test_the_schema_comes_from_an_option_a_variable_or_the_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> dict[str, str]:
        return cli("settings", "--json").json["database.schema"]

    assert (read()["value"], read()["source"]) == ("laurels", "default")
    cli.file("laurels.toml", '[database]\nschema = "from_file"\n')
    assert read()["value"] == "from_file"
    monkeypatch.setenv("LAURELS_SCHEMA", "from_variable")
    assert read()["value"] == "from_variable"
    assert "from_option" in cli("settings", "--schema", "from_option").out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Chess", "'Chess' is not the name of a schema; use a to z, 0 to 9 and _"),
        ("1st", "the first not a digit"),
        ("chess-club", "is not the name of a schema"),
        ('a"; DROP SCHEMA laurels', "is not the name of a schema"),
        ("chess\n", "is not the name of a schema"),
        ("größe", "is not the name of a schema"),
        ("", "is not the name of a schema"),
        ("x" * 64, "at most 63 of them"),
        ("pg_temp", "PostgreSQL's own"),
        ("information_schema", "PostgreSQL's own"),
        ("public", "tables of every program"),
    ],
)
def test_a_name_that_cannot_be_a_schema_is_refused_with_the_fix(cli: Cli, name: str, said: str) -> None:
    ended = cli("migrate", "--database", "postgresql://nowhere.invalid/laurels", "--schema", name)
    assert (ended.code, ended.out) == (2, "")
    assert "database.schema (--schema)" in ended.err
    assert said in ended.err
    with pytest.raises(SettingsError, match=re.escape(said)):
        open_store("postgresql://nowhere.invalid/laurels", schema=name)


@pytest.mark.parametrize("name", ["_", "select", "user", "x" * 63, "a1_b2"])
def test_every_other_name_works(database: str, cli: Cli, name: str) -> None:
    at = ("--database", database, "--schema", name)
    assert cli("key", "create", "--name", "app", "--create", *at).code == 0
    assert cli("migrate", *at).err == "The schema is up to date.\n"
    assert postgres.rows(database, f'SELECT name FROM "{name}".api_keys') == [("app",)]


def test_sqlite_has_no_schemas(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "database.schema is 'chess', but SQLite has no schemas; leave it out, and give each community its own file"
    assert cli("migrate", "--database", cli.database, "--schema", "chess").err == f"laurels: {said}\n"
    with pytest.raises(SettingsError, match="SQLite has no schemas"):
        BlockingLaurels(cli.database, schema="chess")
    monkeypatch.setenv("LAURELS_DATABASE", cli.database)
    monkeypatch.setenv("LAURELS_SCHEMA", "chess")
    assert cli("migrate").err == f"laurels: {said}\n"
    assert list(cli.folder.glob("*.db")) == []


def test_a_file_named_by_an_option_leaves_the_schema_of_the_environment_out(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema there belongs to the address there: a backup can be checked where a server has its settings."""
    monkeypatch.setenv("LAURELS_DATABASE", "postgresql://nowhere.invalid/laurels")
    monkeypatch.setenv("LAURELS_SCHEMA", "chess")
    assert cli("migrate", "--database", cli.database).code == 0
    assert cli("verify", "--database", cli.database).code == 0
    assert cli("demo", "--fill-only", "--users", "5", "--days", "7", "--database", "sqlite:///demo.db").code == 0


def test_every_command_with_a_database_has_the_option_for_its_schema(cli: Cli) -> None:
    def commands(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        found = app()
        for name in path:
            found = found[name]
        names = [name for name in found if not name.startswith("-")]
        yield path
        for name in names:
            yield from commands((*path, name))

    texts = {path: cli(*path, "--help").out for path in commands(()) if path}
    taking = [path for path, text in texts.items() if "--database" in text and path != ("demo",)]  # which is a file
    assert len(taking) > 25
    assert [path for path in taking if not re.search(r"--schema\b", texts[path])] == []
    assert "--from-schema" in texts["copy",]
    assert "--to-schema" in texts["copy",]


# ---- commands ---------------------------------------------------------------------------------


def test_each_command_works_on_the_schema_that_it_is_given(two: Callable[..., Ended], database: str) -> None:
    assert (users(database, "chess"), users(database, "go_club")) == (["ada"], ["bob"])
    assert two("chess", "user", "show", "ada").code == 0
    assert two("chess", "user", "show", "bob").code == 3
    assert two("go_club", "user", "adjust", "bob", "50", "--reason", "a gift").code == 0
    assert two("go_club", "verify", "--processes", "2").code == 0
    assert two("go_club", "rebuild").code == 0
    assert [two(schema, "key", "create", "--name", "app").code for schema in SCHEMAS] == [0, 0]


def test_doctor_checks_the_schema_that_it_is_given(two: Callable[..., Ended]) -> None:
    for schema in SCHEMAS:
        ended = two(schema, "doctor")
        assert ended.code == 0, ended.out
        assert f"schema '{schema}'" in re.sub(r"\s+", " ", ended.out)
    missing = two("third", "doctor", "--json")
    assert missing.code == 1
    assert any(
        "the PostgreSQL schema 'third' has no tables of Laurels" in row["found"] for row in missing.json["findings"]
    )


def test_an_empty_schema_is_named_with_the_fix(two: Callable[..., Ended]) -> None:
    ended = two("third", "user", "show", "ada")
    assert (ended.code, ended.out) == (4, "")
    assert (
        "the PostgreSQL schema 'third' has no tables of Laurels; run 'laurels migrate', or set 'database.schema'"
        in ended.err
    )


def test_a_backup_has_the_rows_of_its_community_only(two: Callable[..., Ended], cli: Cli, database: str) -> None:
    assert two("chess", "backup", "chess.db").code == 0
    assert rows(f"sqlite:///{cli.folder}/chess.db") == rows(database, "chess")
    assert users(f"sqlite:///{cli.folder}/chess.db") == ["ada"]
    assert two("restored", "restore", "chess.db").code == 0
    assert rows(database, "restored") == rows(database, "chess")
    full = two("go_club", "restore", "chess.db")
    assert (full.code, "is not empty" in full.err) == (2, True), full
    assert users(database, "go_club") == ["bob"]


def test_a_copy_names_the_schema_of_each_side(two: Callable[..., Ended], cli: Cli, database: str) -> None:
    before = rows(database, "go_club")
    assert cli("copy", database, database, "--from-schema", "chess", "--to-schema", "copied").code == 0
    assert rows(database, "copied") == rows(database, "chess")
    assert rows(database, "go_club") == before
    same = cli("copy", database, database, "--from-schema", "chess", "--to-schema", "chess")
    assert (same.code, "FROM and TO are the same" in same.err) == (2, True)
    wrong = cli("copy", database, database, "--from-schema", "chess", "--to-schema", "Copied")
    assert (wrong.code, "--to-schema: 'Copied' is not the name of a schema" in wrong.err) == (2, True)


def test_without_an_option_the_setting_is_the_schema_of_each_postgresql_address(
    two: Callable[..., Ended], cli: Cli, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAURELS_SCHEMA", "chess")
    file = f"sqlite:///{cli.folder}/copy.db"
    assert cli("copy", database, file).code == 0
    assert users(file) == ["ada"]
    assert cli("copy", file, database, "--to-schema", "again").code == 0
    assert rows(database, "again") == rows(database, "chess")
    refused = cli("copy", file, database, "--from-schema", "chess", "--to-schema", "other")
    assert (refused.code, "SQLite has no schemas" in refused.err) == (2, True)


# ---- rights -----------------------------------------------------------------------------------


@pytest.fixture
def role(database: str) -> Iterator[tuple[str, str]]:
    """A role that may create nothing in the database, and the database's address for it."""
    name = f"laurels_test_{re.sub('[^a-z0-9]', '', database[-12:])}"
    postgres.rows(database, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    postgres.rows(
        database, "DO $$ BEGIN EXECUTE 'REVOKE CREATE ON DATABASE ' || current_database() || ' FROM PUBLIC'; END $$"
    )
    yield name, re.sub(r"//[^/@]*@", f"//{name}:secret@", database)
    postgres.rows(database, f"DROP OWNED BY {name} CASCADE")
    postgres.rows(database, f"DROP ROLE {name}")


def test_a_role_works_in_the_schema_that_was_created_for_it(cli: Cli, database: str, role: tuple[str, str]) -> None:
    name, address = role
    at = ("--database", address, "--schema", "chess")
    forbidden = cli("migrate", *at)
    assert forbidden.code == 4
    assert (
        f"""let an administrator run 'CREATE SCHEMA "chess" AUTHORIZATION {name}', or set 'database.schema'"""
        in forbidden.err
    )
    assert "secret" not in forbidden.err

    postgres.rows(database, "CREATE SCHEMA chess")
    forbidden = cli("migrate", *at)
    assert forbidden.code == 4
    assert f"""let an administrator run 'GRANT USAGE, CREATE ON SCHEMA "chess" TO {name}'""" in forbidden.err

    postgres.rows(database, f"GRANT USAGE, CREATE ON SCHEMA chess TO {name}")
    file = cli.file("events.jsonl", EVENT % "ada")
    assert cli("record", file, *at).code == 0
    assert cli("doctor", *at).code == 0
    assert cli("user", "show", "ada", *at).code == 0
    assert cli("migrate", "--database", address, "--schema", "other").code == 4

    assert cli("record", file, "--database", database, "--schema", "go_club").code == 0
    for command in (("user", "show", "ada"), ("migrate",), ("backup", "go.db"), ("key", "list")):
        assert cli(*command, "--database", address, "--schema", "go_club").code == 4


def test_a_schema_of_another_program_is_left_alone(cli: Cli, database: str) -> None:
    for statement in ("CREATE SCHEMA app", "CREATE TABLE app.migrations (id INTEGER, migration TEXT, batch INTEGER)"):
        postgres.rows(database, statement)
    ended = cli("migrate", "--database", database, "--schema", "app")
    assert ended.code == 2
    assert "the PostgreSQL schema 'app' has tables of another program, such as 'migrations'" in ended.err
    assert cli("doctor", "--database", database, "--schema", "app").code == 1
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'app'"
    assert postgres.rows(database, tables) == [("migrations",)]
