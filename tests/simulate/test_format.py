"""The format of scenario files: documented, with a meaning for each key, and inline catalogs that read as files do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.toml_text import toml_text
from laurels.simulate import format as scenario_format
from laurels.simulate.format import FileTable
from laurels.simulate.names import NOTIFICATIONS

ROOT = Path(__file__).parents[2]
TABLES = [one for one in vars(scenario_format).values() if isinstance(one, type) and issubclass(one, FileTable)]


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_and_says_what_it_means(table: type[FileTable]) -> None:
    text = (ROOT / "docs/simulate.md").read_text("utf-8")

    for field in msgspec.structs.fields(table):
        metas = get_args(get_type_hints(table, include_extras=True)[field.name])
        assert any(isinstance(one, msgspec.Meta) and one.description for one in metas), field.name
        assert re.search(rf"\b{field.encode_name}\b", text), field.encode_name


def test_every_type_of_a_notification_that_the_docs_name_may_be_expected() -> None:
    text = (
        (ROOT / "laurels/present/notifications.py").read_text("utf-8").split("Which fields it has")[1].split('"""')[0]
    )
    named: set[str] = set()
    for first, more in re.findall(
        r"\b((?:badge|level|streak|leaderboard)\.\w+)((?:,\s+\.\w+)*(?:\s+and\s+\.\w+)?)", text
    ):
        named |= {first, *(first.partition(".")[0] + one for one in re.findall(r"\.\w+", more))}

    assert named == set(NOTIFICATIONS)


def test_a_catalog_inside_a_file_is_the_one_of_the_same_file() -> None:
    for path in ("laurels/engine/default.toml", "laurels/cli/starter.toml"):
        text = (ROOT / path).read_text("utf-8")
        assert Catalog.parse(toml_text(tomllib.loads(text))) == Catalog.parse(text)


@pytest.mark.parametrize(
    "value",
    [
        "",
        'a "b" \\ \n\t\x7f é 🔥',
        0,
        -5,
        1.5,
        float("inf"),
        True,
        False,
        [],
        [1, "a", [True]],
        {},
        {"a b": {"c.d": [{"e": 1}]}},
    ],
)
def test_any_value_is_written_as_it_is_read(value: Any) -> None:
    assert tomllib.loads(toml_text({"some key": value})) == {"some key": value}
