from __future__ import annotations

import sqlite3

import pytest

from laurels.errors import MigrationError
from laurels.storage.migrate import Migration, load_migrations, pending
from laurels.storage.sqlite.store import _statements

ONE, TWO = Migration("0001_one", "", "1"), Migration("0002_two", "", "2")


def test_what_ran_is_not_pending() -> None:
    assert pending([ONE, TWO], {}) == [ONE, TWO]
    assert pending([ONE, TWO], {"0001_one": "1"}) == [TWO]
    assert pending([ONE, TWO], {"0001_one": "1", "0002_two": "2"}) == []


def test_a_stranger_says_that_the_database_is_newer() -> None:
    with pytest.raises(MigrationError, match="'0003_three', which this version does not know"):
        pending([ONE, TWO], {"0001_one": "1", "0003_three": "3"})


def test_another_text_under_a_known_name_is_refused() -> None:
    with pytest.raises(MigrationError, match="'0001_one' ran on this database with another text"):
        pending([ONE, TWO], {"0001_one": "x"})


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_migrations_of_the_package_are_numbered_without_a_gap(engine: str) -> None:
    names = [migration.name for migration in load_migrations(f"laurels.storage.{engine}")]
    assert names
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_a_script_splits_into_its_statements() -> None:
    script = "-- one; two\nCREATE TABLE a (x TEXT DEFAULT ';');\n\nCREATE TABLE b (\n  y TEXT -- a; b\n);\n-- the end\n"
    connection = sqlite3.connect(":memory:")
    for statement in _statements(script):
        connection.execute(statement)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",), ("b",)]
    connection.close()


def test_a_script_that_ends_within_a_statement_is_refused() -> None:
    with pytest.raises(MigrationError, match="in the middle of a statement"):
        list(_statements("CREATE TABLE a (x TEXT);\nCREATE TABLE b ("))
