from __future__ import annotations

import apsw
import pytest

from laurels.errors import MigrationError
from laurels.storage.migrate import Migration, Recorded, load_migrations, migration, pending, recorded
from laurels.storage.sqlite.schema import statements

ONE, TWO = Migration("0001_one", "", "1"), Migration("0002_two", "", "2")


def test_what_ran_is_not_pending() -> None:
    assert pending([ONE, TWO], {}) == [ONE, TWO]
    assert pending([ONE, TWO], {"0001_one": Recorded("1")}) == [TWO]
    assert pending([ONE, TWO], {"0001_one": Recorded("1"), "0002_two": Recorded("2")}) == []


def test_an_unknown_migration_that_stops_older_versions_is_refused() -> None:
    for of_newer in (Recorded("3"), Recorded("3", "post")):
        with pytest.raises(MigrationError, match="'0003_three', which this version does not know"):
            pending([ONE, TWO], {"0001_one": Recorded("1"), "0003_three": of_newer})


def test_an_unknown_migration_that_lets_older_versions_continue_is_accepted() -> None:
    newer = {"0001_one": Recorded("1"), "0002_two": Recorded("2"), "0003_three": Recorded("3", "pre")}
    assert pending([ONE, TWO], newer) == []


def test_the_first_line_marks_a_migration_and_without_a_mark_it_stops_older_versions() -> None:
    assert migration("0001_one", "-- pre: adds an index\nSELECT 1;").mark == "pre"
    assert migration("0001_one", "-- post\nSELECT 1;").mark == "post"
    assert migration("0001_one", "-- previously\nSELECT 1;").mark == "post"
    assert migration("0001_one", "SELECT 1;\n-- pre\n").mark == "post"


def test_marks_are_read_from_tables_with_and_without_their_column() -> None:
    assert recorded([("0001_one", "1")]) == {"0001_one": Recorded("1", "post")}
    assert recorded([("0001_one", "1", None)]) == {"0001_one": Recorded("1", "post")}
    assert recorded([("0001_one", "1", "pre")]) == {"0001_one": Recorded("1", "pre")}


def test_a_known_migration_with_another_text_is_refused() -> None:
    with pytest.raises(MigrationError, match="'0001_one' ran on this database with another text"):
        pending([ONE, TWO], {"0001_one": Recorded("x")})


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_migrations_of_the_package_are_numbered_without_a_gap(engine: str) -> None:
    names = [migration.name for migration in load_migrations(f"laurels.storage.{engine}")]
    assert names
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


RELEASED_WITHOUT_MARKS = {"sqlite": 6, "postgres": 5}


@pytest.mark.parametrize("engine", RELEASED_WITHOUT_MARKS)
def test_every_migration_since_there_are_marks_has_one(engine: str) -> None:
    unmarked = [
        one.name
        for one in load_migrations(f"laurels.storage.{engine}")
        if not one.sql.startswith(("-- pre", "-- post"))
    ]
    assert [int(name[:4]) for name in unmarked] == list(range(1, RELEASED_WITHOUT_MARKS[engine] + 1))


def test_a_script_splits_into_its_statements() -> None:
    script = "-- one; two\nCREATE TABLE a (x TEXT DEFAULT ';');\n\nCREATE TABLE b (\n  y TEXT -- a; b\n);\n-- the end\n"
    connection = apsw.Connection(":memory:")
    for statement in statements(script):
        connection.execute(statement)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",), ("b",)]
    connection.close()


def test_a_script_that_ends_within_a_statement_is_refused() -> None:
    with pytest.raises(MigrationError, match="in the middle of a statement"):
        list(statements("CREATE TABLE a (x TEXT);\nCREATE TABLE b ("))
