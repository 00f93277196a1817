"""`laurels catalog init` and `laurels catalog schema`: a catalog to start from, and what editors read."""

from __future__ import annotations

import json
import tomllib

import jsonschema_rs
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.catalog_schema import catalog_schema
from tests.cli.conftest import Cli


def test_init_writes_a_catalog_that_passes_the_check_and_names_its_schema(cli: Cli) -> None:
    made = cli("catalog", "init")

    text = (cli.folder / "catalog.toml").read_text("utf-8")
    schema = json.loads((cli.folder / "catalog.schema.json").read_text("utf-8"))
    assert made.code == 0
    assert "laurels catalog check catalog.toml" in made.err
    assert text.startswith("#:schema ./catalog.schema.json\n")
    assert schema == catalog_schema()
    assert list(jsonschema_rs.Draft4Validator(schema).iter_errors(tomllib.loads(text))) == []
    assert cli("catalog", "check", "catalog.toml").code == 0


def test_the_catalog_to_start_from_explains_each_of_its_parts(cli: Cli) -> None:
    cli("catalog", "init")
    text = (cli.folder / "catalog.toml").read_text("utf-8")
    tables = [line for line in text.splitlines() if line.startswith("[")]

    assert {table.strip("[]").partition(".")[0] for table in tables} == {
        "profile",
        "metrics",
        "streaks",
        "points",
        "levels",
        "badges",
        "leaderboards",
    }
    for part in ("Metrics:", "Streaks:", "Points ", "Levels:", "Badges:", "Leaderboards:", "# A request for a profile"):
        assert part in text
    made = Catalog.parse(text)
    assert len(made.badges) == 3
    assert max(map(len, text.splitlines())) <= 120


def test_init_writes_another_file_into_another_folder(cli: Cli) -> None:
    (cli.folder / "rules").mkdir()

    assert cli("catalog", "init", "rules/mine.toml").code == 0

    text = (cli.folder / "rules/mine.toml").read_text("utf-8")
    assert text.startswith("#:schema ./mine.schema.json\n")
    assert "laurels catalog check rules/mine.toml" in text
    assert (cli.folder / "rules/mine.schema.json").exists()


@pytest.mark.parametrize("exists", ["catalog.toml", "catalog.schema.json"])
def test_init_overwrites_nothing_and_leaves_nothing_half_done(cli: Cli, exists: str) -> None:
    cli.file(exists, "mine")

    made = cli("catalog", "init")

    assert made.code == 2
    assert f"{exists} exists, and is not overwritten" in made.err
    assert [path.name for path in cli.folder.iterdir()] == [exists]
    assert (cli.folder / exists).read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("file", "says"), [("no/such.toml", "cannot write 'no/such.toml'"), ("catalog.json", "must end in .toml")]
)
def test_init_says_why_a_file_cannot_be_written(cli: Cli, file: str, says: str) -> None:
    made = cli("catalog", "init", file)

    assert made.code == 2
    assert says in made.err
    assert list(cli.folder.iterdir()) == []


def test_schema_prints_what_init_writes(cli: Cli) -> None:
    cli("catalog", "init")

    printed = cli("catalog", "schema")

    assert printed.code == 0
    assert printed.out == (cli.folder / "catalog.schema.json").read_text("utf-8")


def test_show_prints_the_catalog_of_the_database_whatever_the_file_of_the_settings_has(cli: Cli) -> None:
    cli("catalog", "init")
    cli.file("laurels.toml", '[catalog]\nfile = "catalog.toml"\n')
    text = (cli.folder / "catalog.toml").read_text("utf-8")
    cli.file("events.jsonl", json.dumps({"userId": "ada", "id": "post-1", "type": "post.published"}))
    assert cli("record", "events.jsonl").code == 0

    cli.file("catalog.toml", "")
    shown = cli("catalog", "show", "--toml")

    assert shown.code == 0
    assert shown.out == text
