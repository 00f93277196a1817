"""Small catalogs in which one declared table has just what it needs, made from the declarations of the catalog's keys."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import laurels.engine
from laurels.engine.catalog_keys import CATALOG, CONDITIONS, TABLES
from laurels.engine.catalog_keys.key_types import (
    Boolean,
    ByKey,
    Day,
    Inner,
    Instant,
    Integer,
    Key,
    KeyTable,
    Named,
    OneOf,
    Several,
    Text,
    Texts,
    Type,
    Value,
    ValueList,
    tables_in,
)
from tests.support import toml

Raw = dict[str, Any]

ENGINE = Path(laurels.engine.__file__).parent
ROOT = ENGINE.parent.parent

ALL_TABLES = [*TABLES.values(), *CONDITIONS.values()]
ALL_KEYS = [(table, key) for table in ALL_TABLES for key in table.keys]
KEY_IDS = [f"{table.name}.{key.name}" for table, key in ALL_KEYS]


@dataclass(frozen=True)
class Sample:
    """A catalog as data, and the table in it that is of interest."""

    raw: Raw
    table: Raw

    @property
    def text(self) -> str:
        return "\n".join(f"{key} = {toml(value)}" for key, value in self.raw.items())


def value_of(key: Key) -> Any:
    """The value of a key's example."""
    return tomllib.loads(f"it = {key.example}")["it"]


def needed_by(key: Key) -> Raw:
    """What the table needs next to a key."""
    return tomllib.loads(key.needs)


def base() -> Raw:
    """The catalog that the examples of the file's own keys make, with what the examples of other keys name."""
    raw = {key.name: value_of(key) for key in CATALOG.keys}
    raw["metrics"]["pages"] = {"kind": "count", "events": ["page.read"]}
    raw["metrics"]["newest_book"] = {"kind": "last", "events": ["book.finished"]}
    raw["metrics"]["best_time"] = {"kind": "min", "events": ["race.finished"], "of": "seconds"}
    return raw


def sample(table: KeyTable) -> Sample:
    """A valid catalog in which one table of this kind has the keys that are required."""
    if table is CATALOG:
        raw = base()
        return Sample(raw, raw)
    if table.name in CONDITIONS:
        raw = base()
        when = {key.name: value_of(key) for key in table.keys if key.required}
        raw["badges"].append({**raw["badges"][0], "id": "bookworm", "when": when})
        return Sample(raw, when)
    parent, key = next((one, key) for one in TABLES.values() for key in one.keys if table.name in tables_in(key.type))
    found = sample(parent)
    found.table.update(needed_by(key))
    found.table[key.name] = tomllib.loads(f"it = {table.example}")["it"] if table.example else value_of(key)
    whole = first(found.table[key.name])
    needed = {one.name: whole[one.name] for one in table.keys if one.required} or dict(whole)
    whole.clear()
    whole.update(needed)
    return replace(found, table=whole)


def with_key(table: KeyTable, key: Key) -> Sample:
    """The same with one more key, at its example's value."""
    made = sample(table)
    if not any(one.required for one in table.keys):
        made.table.clear()
    made.table.update({**needed_by(key), key.name: value_of(key)})
    return made


def first(value: Any) -> Raw:
    """The first table in the value of a key."""
    if isinstance(value, list):
        return first(cast(list[Any], value)[0])
    entry = next(iter(cast(Raw, value).values()), None)
    return cast(Raw, entry) if isinstance(entry, dict) else cast(Raw, value)


def catalogs_at_hand() -> list[str]:
    """The catalogs of the package, of the documents and of the fixtures, and one for each key with its example."""
    files = [*ENGINE.rglob("*.toml"), *(ROOT / "tests/fixtures").rglob("catalog.toml")]
    documents = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    blocks = [
        block
        for document in documents
        for block in re.findall(r"^```toml\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        if "[[levels]]" in block
    ]
    return [*(file.read_text("utf-8") for file in files), *blocks, *(with_key(*one).text for one in ALL_KEYS)]


OF_EVERY_TYPE: list[Any] = ["", " ", "x\0", 7.5, True, -1, 2**53, [], [1], [[]], {"x": 1.5}, {"x": []}, "no such"]


def is_of(value: Any, type_: Type) -> bool | None:  # noqa: PLR0911  # one for each type
    """Whether a value is of a type; None where that depends on the rest of the catalog."""
    match type_:
        case Text():
            fits = isinstance(value, str) and bool(value.strip()) and "\0" not in value
            known = not type_.choices and not type_.names and not type_.pattern
            return (None if known else value in type_.choices) if fits else False
        case Integer():
            return type(value) is int and type_.least <= value <= type_.most
        case Boolean():
            return type(value) is bool
        case OneOf():
            found = [is_of(value, one) for one in type_.types]
            return True if True in found else None if None in found else False
        case Value():
            return isinstance(value, str | int) and None
        case ValueList():
            return bool(value) and isinstance(value, list) and all(isinstance(one, str | int) for one in value) and None
        case ByKey():
            return None if isinstance(value, dict) and not value else False
        case Texts() | Day() | Instant() | Inner() | Several() | Named():
            return None if value == [] and isinstance(type_, Several) and not type_.least else False
