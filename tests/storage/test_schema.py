"""The schema of every engine: users' rows can be sharded, and the database does nothing by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from laurels.storage import open_store
from laurels.storage.columns import TABLES_OF_USERS
from laurels.storage.sqlite.store import SQLiteStore
from tests.support import ENGINES, postgres
from tests.support.files import opened

# Rows that belong to no user, so no user leads their key: keys of the app's back end, hashes of erased users (by design no
# one can tell whose), the database's own secret, the counts of whole leaderboards, amnesties (of all users or a group), the
# catalog's revisions, closed periods, the rules of leaderboards, the last maintenance runs, sessions and
# second factors of operators, the clock of a sandbox, the audit (which has keyed hashes of erased users), the list of migrations.
OF_NO_USER = {
    "api_keys",
    "tombstones",
    "secrets",
    "tallies",
    "amnesties",
    "audit",
    "catalog_revisions",
    "board_rules",
    "closings",
    "supplies",
    "maintenance_runs",
    "operator_sessions",
    "second_factors",
    "sandbox",
    "migrations",
}

MORE_ON_POSTGRESQL = {("tallies", "part")}
"""A tally is split by a hash of the user, where many write at once."""


@dataclass(frozen=True)
class Schema:
    """What a database says of itself.

    tables      the columns of each
    keys        the table and the columns of each primary key, unique index and foreign key
    in_order    the columns of the index by which boards are read
    defaults    each column's, as SQL
    machinery   whatever runs by itself, counts by itself or hides a query: triggers, sequences, views and kin
    """

    tables: dict[str, set[str]]
    keys: list[tuple[str, list[str]]]
    in_order: list[str]
    defaults: list[str]
    machinery: list[str]


# ---- SQLite -----------------------------------------------------------------------------------


def of_sqlite(connection: apsw.Connection) -> Schema:
    made = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    columns = {table: connection.execute(f"PRAGMA table_info({table})").fetchall() for table in made}
    return Schema(
        tables={table: {name for _, name, *_ in of_table} for table, of_table in columns.items()},
        keys=[(table, key) for table in made for key in keys_of_sqlite(connection, table)],
        in_order=[name for *_, name in connection.execute("PRAGMA index_info(standings_in_order)")],
        defaults=[default for of_table in columns.values() for *_, default, _ in of_table if default is not None],
        machinery=[
            *(
                name
                for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')")
            ),
            *(table for table, text in made.items() if "AUTOINCREMENT" in text.upper()),
            *(table for table in made.keys() - {"migrations"} if not made[table].endswith("STRICT, WITHOUT ROWID")),
        ],
    )


def keys_of_sqlite(connection: apsw.Connection, table: str) -> Iterator[list[str]]:
    info = connection.execute(f"PRAGMA table_info({table})").fetchall()
    yield [name for place, name in sorted((place, name) for _, name, *_, place in info) if place]
    for _, index, unique, *_ in connection.execute(f"PRAGMA index_list({table})").fetchall():
        if unique:
            yield [name for *_, name in connection.execute(f"PRAGMA index_info({index})")]
    foreign: dict[int, list[str]] = {}
    for number, _, _, column, *_ in connection.execute(f"PRAGMA foreign_key_list({table})"):
        foreign.setdefault(number, []).append(column)
    yield from foreign.values()


# ---- PostgreSQL -------------------------------------------------------------------------------

COLUMNS = """
SELECT c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'laurels'::regnamespace AND c.relkind = 'r'
"""

INDEXES = """
SELECT t.relname, i.relname, x.indisunique, ARRAY(
    SELECT a.attname FROM unnest(x.indkey) WITH ORDINALITY k(number, place)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number ORDER BY place
)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = 'laurels'::regnamespace
"""

FOREIGN_KEYS = """
SELECT t.relname, ARRAY(
    SELECT a.attname FROM unnest(f.conkey) WITH ORDINALITY k(number, place)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number ORDER BY place
)
FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid
WHERE f.contype = 'f' AND t.relnamespace = 'laurels'::regnamespace
"""

MACHINERY = """
SELECT relname::text FROM pg_class WHERE relnamespace = 'laurels'::regnamespace AND relkind NOT IN ('r', 'i')
UNION ALL SELECT tgname::text FROM pg_trigger
UNION ALL SELECT rulename::text FROM pg_rewrite JOIN pg_class t ON t.oid = ev_class
    WHERE t.relnamespace = 'laurels'::regnamespace
UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'laurels'::regnamespace
UNION ALL SELECT attname::text FROM pg_attribute JOIN pg_class t ON t.oid = attrelid
    WHERE t.relnamespace = 'laurels'::regnamespace AND (attidentity <> '' OR attgenerated <> '')
UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname NOT IN ('laurels', 'public', 'information_schema')
    AND nspname NOT LIKE 'pg\\_%'
"""

COLLATIONS = """
SELECT i.relname, c.collname
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid CROSS JOIN unnest(x.indcollation) AS one
JOIN pg_collation c ON c.oid = one
WHERE i.relnamespace = 'laurels'::regnamespace
UNION ALL
SELECT t.relname || '.' || a.attname, c.collname
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid CROSS JOIN unnest(x.indkey) AS number
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = number JOIN pg_collation c ON c.oid = a.attcollation
WHERE t.relnamespace = 'laurels'::regnamespace
"""


def of_postgresql(address: str) -> Schema:
    columns = postgres.rows(address, COLUMNS)
    indexes = postgres.rows(address, INDEXES)
    foreign = postgres.rows(address, FOREIGN_KEYS)
    return Schema(
        tables={table: {name for of, name, _ in columns if of == table} for table, *_ in columns},
        keys=[*((table, key) for table, _, unique, key in indexes if unique), *foreign],
        in_order=next(key for _, index, _, key in indexes if index == "standings_in_order"),
        defaults=[default for *_, default in columns if default is not None],
        machinery=[name for (name,) in postgres.rows(address, MACHINERY)],
    )


# ---- every engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite-file", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database whose schema is ours, one for each kind of engine."""

    async def migrate(address: str) -> None:
        store = open_store(address)
        await store.migrate()
        await store.close()

    with ENGINES[request.param](tmp_path_factory.mktemp("schema")) as address:
        postgres.wait_for(migrate(address))
        yield address


@pytest.fixture(scope="module")
def schema(database: str) -> Schema:
    if not database.startswith("sqlite"):
        return of_postgresql(database)
    with opened(Path(database.removeprefix("sqlite:///"))) as connection:
        return of_sqlite(connection)


def test_every_table_has_rows_of_users_or_a_reason_why_not(schema: Schema) -> None:
    assert schema.tables.keys() == OF_NO_USER | {*TABLES_OF_USERS}
    for table, columns in schema.tables.items():
        assert ("user_id" in columns) == (table in TABLES_OF_USERS), table


def test_the_user_leads_every_key_of_a_users_rows(schema: Schema) -> None:
    assert {table for table, _ in schema.keys} == schema.tables.keys()
    for table, key in schema.keys:
        assert key[0] == "user_id" or table in OF_NO_USER, (table, key)


def test_nothing_runs_by_itself(schema: Schema) -> None:
    assert schema.machinery == []


def test_no_default_reads_a_clock_or_draws_a_number(schema: Schema) -> None:
    assert schema.defaults
    assert [one for one in schema.defaults if not re.fullmatch(r"-?\d+|'[^']*'(::text)?", one)] == []


def test_leaderboards_have_an_index_in_their_order(schema: Schema) -> None:
    assert schema.in_order == ["board", "period", "sort_key", "reached_at", "user_id"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_every_text_in_a_key_is_ordered_by_code_point(database: str) -> None:
    found = postgres.rows(database, COLLATIONS)
    assert ("users.user_id", "C") in found
    assert [one for one in found if one[1] != "C"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_all_engines_have_the_same_tables_with_the_same_columns(schema: Schema, tmp_path: Path) -> None:
    with ENGINES["sqlite-memory"](tmp_path) as address:
        store = SQLiteStore.from_address(address)
        postgres.wait_for(store.migrate())
        other = of_sqlite(store._writer)
        postgres.wait_for(store.close())
    ours, theirs = (
        {(table, column) for table, columns in one.tables.items() for column in columns} for one in (other, schema)
    )
    assert theirs - ours == MORE_ON_POSTGRESQL
    assert ours - theirs == set()
