from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from laurels.storage.migrate import load_migrations

# Rows that belong to no user, so no user leads their key: keys of the app's back end, what remains of erased users (by
# design nobody can tell whose), the database's own secrets, the counts of a whole board, amnesties (of everybody, or of
# a group), the one clock of a sandbox, and the list of migrations.
OF_NO_USER = {"api_keys", "tombstones", "secrets", "tallies", "amnesties", "sandbox", "migrations"}

SCRIPTS = [migration.sql for migration in load_migrations("laurels.storage.sqlite")]


@pytest.fixture
def schema() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for script in SCRIPTS:
        connection.executescript(script)
    yield connection
    connection.close()


def tables(schema: sqlite3.Connection) -> set[str]:
    return {name for (name,) in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def unique_keys(schema: sqlite3.Connection, table: str) -> list[str]:
    """The first column of the table's primary key and of each of its unique indexes."""
    indexes = [name for _, name, unique, *_ in schema.execute(f"PRAGMA index_list({table})") if unique]
    first = [schema.execute(f"PRAGMA index_info({name})").fetchone()[2] for name in indexes]
    key = sorted((place, name) for _, name, *_, place in schema.execute(f"PRAGMA table_info({table})") if place)
    return [key[0][1], *first]


def test_the_user_leads_every_key_of_a_users_rows(schema: sqlite3.Connection) -> None:
    for table in tables(schema) - OF_NO_USER:
        assert set(unique_keys(schema, table)) == {"user_id"}, table


def test_what_belongs_to_no_user_names_none(schema: sqlite3.Connection) -> None:
    for table in OF_NO_USER - {"migrations"}:
        columns = {name for _, name, *_ in schema.execute(f"PRAGMA table_info({table})")}
        assert "user_id" not in columns, table


def test_no_row_is_found_by_a_number_that_the_database_made(schema: sqlite3.Connection) -> None:
    for (made,) in schema.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'"):
        assert made.rstrip().upper().endswith("STRICT, WITHOUT ROWID"), made
        assert "AUTOINCREMENT" not in made.upper()


def test_nothing_runs_by_itself_and_no_default_reads_a_clock(schema: sqlite3.Connection) -> None:
    assert schema.execute("SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')").fetchone() == (0,)
    for table in tables(schema):
        defaults = {default for *_, default, _ in schema.execute(f"PRAGMA table_info({table})")}
        assert all(default is None or re.fullmatch(r"-?\d+|'[^']*'", default) for default in defaults), table


def test_boards_are_read_in_their_one_order(schema: sqlite3.Connection) -> None:
    columns = [name for *_, name in schema.execute("PRAGMA index_info(standings_in_order)")]
    assert columns == ["board", "period", "sort_key", "reached_at", "user_id"]
