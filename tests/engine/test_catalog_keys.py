"""The declarations of the catalog's keys agree with what the readers of the catalog read."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import laurels.engine
from laurels.engine.catalog import Catalog
from laurels.engine.catalog_keys import CATALOG, CONDITION, CONDITIONS, TABLES
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
    tables_in,
)
from laurels.engine.conditions import KINDS
from laurels.engine.parsing import Table
from laurels.errors import CatalogError, Fault
from tests.support.catalog_keys import (
    ALL_KEYS,
    ALL_TABLES,
    KEY_IDS,
    OF_EVERY_TYPE,
    catalogs_at_hand,
    first,
    is_of,
    needed_by,
    sample,
    with_key,
)

ENGINE = Path(laurels.engine.__file__).parent
ROOT = ENGINE.parent.parent
GETTERS = {
    "text": Text,
    "words": Text,
    "choice": Text,
    "integer": Integer,
    "boolean": Boolean,
    "texts": Texts,
    "instant": Instant,
    "day": Day,
    "table": (Inner, ByKey),
    "named_tables": Named,
    "list_of_tables": Several,
}
"""The getters of a Table, and the type of key that each reads."""


def faults(text: str) -> list[Fault]:
    try:
        Catalog.parse(text)
    except CatalogError as error:
        return error.faults
    return []


# ---- what readers ask for ---------------------------------------------------------------------


@dataclass
class Asked:
    """What the readers asked the tables of some catalogs for, by the name of the table's declaration."""

    keys: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    getters: dict[tuple[str, str], list[tuple[str, tuple[Any, ...], dict[str, Any]]]] = field(default_factory=dict)


def declared_inside(table: str, key: str, getter: str) -> str:
    """The declaration of the tables under a key; '' where none is declared, '*' and one where the keys are free."""
    if table.startswith("*"):
        return table[1:]
    found = TABLES[table].key(key) if table in TABLES else CONDITIONS[table].key(key) if table in CONDITIONS else None
    if found is None:
        return ""
    name = next(iter(tables_in(found.type, *([Inner] if getter == "table" else [Several, Named]))), "")
    return f"*{name}" if isinstance(found.type, ByKey) else name


def name_of(table: Table) -> str:
    """The declaration of a table that was read; a condition's is found by its keys."""
    name: str = getattr(table, "declared", "catalog")
    return next((kind for kind in KINDS if table.has(kind)), "") if name == CONDITION else name


@contextmanager
def recording() -> Iterator[Asked]:
    """Record what is asked for while catalogs are read."""
    asked = Asked()

    def recorded(getter: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Table, key: str, *args: Any, **named: Any) -> Any:
            asked.getters.setdefault((name_of(self), key), []).append((getter, args, named))
            found = read(self, key, *args, **named)
            for one in [found] if isinstance(found, Table) else found if isinstance(found, list) else []:
                (one[1] if isinstance(one, tuple) else one).declared = declared_inside(name_of(self), key, getter)
            return found

        return call

    done = Table.done

    def finished(self: Table) -> None:
        if not name_of(self).startswith("*"):
            asked.keys.setdefault(name_of(self), set()).update(self.asked)
        done(self)

    with pytest.MonkeyPatch.context() as patch:
        for getter in GETTERS:
            patch.setattr(Table, getter, recorded(getter, getattr(Table, getter)))
        patch.setattr(Table, "done", finished)
        yield asked


@pytest.fixture(scope="module")
def asked() -> Asked:
    with recording() as found:
        for text in catalogs_at_hand():
            Catalog.parse(text)
    return found


def test_the_readers_ask_each_table_for_the_declared_keys_and_no_others(asked: Asked) -> None:
    declared = {table.name: {key.name for key in table.keys} for table in ALL_TABLES}

    assert asked.keys == declared


def test_every_key_that_a_reader_names_is_declared() -> None:
    names = {key.name for table in ALL_TABLES for key in table.keys}
    read: set[str] = set()
    for path in ENGINE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GETTERS:
                read |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}

    assert len(read) > 40
    assert read - names == set()


def test_every_kind_of_condition_is_declared() -> None:
    assert list(CONDITIONS) == list(KINDS)
    assert all(table.key(name) for name, table in CONDITIONS.items())


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_a_key_has_the_type_and_the_bounds_with_which_it_is_read(table: KeyTable, key: Key, asked: Asked) -> None:
    types = key.type.types if isinstance(key.type, OneOf) else (key.type,)
    calls = asked.getters.get((table.name, key.name), [])
    for getter, args, named in calls:
        kind = next((one for one in types if isinstance(one, GETTERS[getter])), None)
        assert kind is not None, f"is read with {getter}"
        if isinstance(kind, Integer):
            leasts = {more.get("least", given[1] if len(given) > 1 else 0) for _, given, more in calls}
            assert kind.least in leasts
        if getter == "choice" and isinstance(kind, Text):
            assert kind.names or table.name == "leaderboard" or kind.choices == tuple(args[0])
        if isinstance(kind, Text):
            assert kind.lines == named.get("lines", False)


# ---- what readers accept ----------------------------------------------------------------------


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_table_with_what_it_requires_is_accepted(table: KeyTable) -> None:
    assert faults(sample(table).text) == []


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_a_key_is_accepted_with_its_example(table: KeyTable, key: Key) -> None:
    assert faults(with_key(table, key).text) == []


@pytest.mark.parametrize(("table", "key"), [one for one in ALL_KEYS if one[1].required])
def test_a_table_without_a_required_key_is_refused(table: KeyTable, key: Key) -> None:
    made = sample(table)
    del made.table[key.name]

    assert faults(made.text)


@pytest.mark.parametrize(("table", "key"), [one for one in ALL_KEYS if isinstance(one[1].default, str | int | bool)])
def test_a_default_is_what_counts_without_the_key(table: KeyTable, key: Key) -> None:
    for more in ({}, needed_by(key)):
        given, left_out = sample(table), sample(table)
        left_out.table.update({one: value for one, value in more.items() if one != key.name})
        given.table.update({**left_out.table, key.name: key.default})
        if not faults(given.text):
            left_out.table.pop(key.name, None)
            assert Catalog.parse(given.text) == Catalog.parse(left_out.text)
            return
    pytest.fail("the default is refused")


# ---- what readers refuse ----------------------------------------------------------------------


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_a_value_of_a_wrong_type_is_refused_at_its_key(table: KeyTable, key: Key) -> None:
    wrong = [value for value in OF_EVERY_TYPE if is_of(value, key.type) is False]
    assert wrong
    for value in wrong:
        made = with_key(table, key)
        made.table[key.name] = value

        found = faults(made.text)

        assert any(key.name in one.where for one in found), (value, found)
        assert all(one.fix for one in found)


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_bounds_are_those_of_the_reader(table: KeyTable, key: Key) -> None:
    types = key.type.types if isinstance(key.type, OneOf) else (key.type,)
    for whole in [one for one in types if isinstance(one, Integer)]:
        for value, beyond in ((whole.least, whole.least - 1), (whole.most, whole.most + 1)):
            made = with_key(table, key)
            made.table[key.name] = beyond
            assert any(key.name in one.where for one in faults(made.text))
            made.table[key.name] = value
            assert not any("must be a whole number" in one.what or "at most" in one.what for one in faults(made.text))


# ---- the declarations -------------------------------------------------------------------------


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_declaration_says_what_its_keys_mean(table: KeyTable) -> None:
    assert table.meaning.endswith(".")
    assert len({key.name for key in table.keys}) == len(table.keys)
    for key in table.keys:
        assert key.meaning.endswith("."), key.name
        assert key.default is not None or key.without, f"{key.name}: say what counts without it"


def test_every_table_is_reached_from_the_file() -> None:
    reached, following = set[str](), [CATALOG.name]
    while following:
        name = following.pop()
        reached.add(name)
        inside = {one for key in TABLES[name].keys for one in tables_in(key.type)} - {CONDITION}
        following += inside - reached

    assert reached == set(TABLES)
    assert first([{"a": {"b": 1}}]) == {"b": 1}
