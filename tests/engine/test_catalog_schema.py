"""The JSON Schema for editors agrees with the reader of catalogs, as far as a schema can."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any, cast

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.catalog_keys.key_types import Key, KeyTable, Text
from laurels.engine.catalog_schema import catalog_schema
from laurels.errors import CatalogError
from tests.support import toml
from tests.support.catalog_keys import (
    ALL_KEYS,
    ALL_TABLES,
    KEY_IDS,
    OF_EVERY_TYPE,
    Raw,
    Sample,
    catalogs_at_hand,
    is_of,
    sample,
    with_key,
)
from tests.support.strategies import catalogs

SCHEMA = catalog_schema()
VALIDATOR = jsonschema_rs.Draft4Validator(SCHEMA)


def as_json(value: Any) -> Any:
    """A value as an editor validates it: with dates as texts."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in cast(Raw, value).items()}
    if isinstance(value, list):
        return [as_json(item) for item in cast(list[Any], value)]
    return value.isoformat() if isinstance(value, date) else value


def fits(raw: Raw) -> bool:
    return VALIDATOR.is_valid(as_json(raw))


def is_accepted(raw: Raw) -> bool:
    try:
        Catalog.parse("\n".join(f"{key} = {toml(value)}" for key, value in raw.items()))
    except CatalogError:
        return False
    return True


def test_it_is_a_valid_schema_of_the_draft_that_editors_read() -> None:
    jsonschema_rs.meta.validate(SCHEMA)

    assert SCHEMA["$schema"] == "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize("text", catalogs_at_hand())
def test_a_catalog_that_is_accepted_fits_the_schema(text: str) -> None:
    assert list(VALIDATOR.iter_errors(as_json(tomllib.loads(text)))) == []


@given(catalogs())
@settings(max_examples=40, deadline=None)
def test_a_random_catalog_that_is_accepted_fits_the_schema(catalog: Catalog) -> None:
    assert list(VALIDATOR.iter_errors(as_json(tomllib.loads(catalog.text)))) == []


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_a_value_of_a_wrong_type_does_not_fit(table: KeyTable, key: Key) -> None:
    for value in OF_EVERY_TYPE:
        only_the_reader_knows = value == "x\0" or (isinstance(key.type, Text) and key.type.names and value == "no such")
        if is_of(value, key.type) is False and not only_the_reader_knows:
            made = with_key(table, key)
            made.table[key.name] = value
            assert not fits(made.raw), value


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_an_unknown_key_and_a_missing_one_do_not_fit(table: KeyTable) -> None:
    made = sample(table)
    made.table["unknown_key"] = 1
    assert not fits(made.raw)
    assert not is_accepted(made.raw)

    for key in [key for key in table.keys if key.required]:
        made = sample(table)
        del made.table[key.name]
        assert not fits(made.raw), key.name


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_what_does_not_fit_is_not_accepted(data: st.DataObject) -> None:
    made = drawn(data)
    places = list(tables_in(made.raw))
    table = data.draw(st.sampled_from(places))
    name = data.draw(st.sampled_from([*table, "unknown_key", "metric", "amount"]))
    change = data.draw(st.sampled_from(["remove", "set"]))
    if change == "remove":
        table.pop(name, None)
    else:
        table[name] = data.draw(st.sampled_from([*OF_EVERY_TYPE, 0, 3, False, ["a"], [{}]]))

    assert fits(made.raw) or not is_accepted(made.raw)


def drawn(data: st.DataObject) -> Sample:
    return with_key(*data.draw(st.sampled_from(ALL_KEYS)))


def tables_in(value: Any) -> Iterator[Raw]:
    """Every table in a catalog, itself included."""
    if isinstance(value, dict):
        yield cast(Raw, value)
        for item in cast(Raw, value).values():
            yield from tables_in(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from tables_in(item)


def test_editors_show_what_a_key_means_and_its_default() -> None:
    metric = SCHEMA["properties"]["metrics"]["additionalProperties"]["properties"]

    assert metric["events"]["description"] == (
        'The types of events that it counts. Example: events = ["book.finished"]'
    )
    assert metric["missing"]["enum"] == ["ignored", "quantity"]
    assert metric["missing"]["default"] == "ignored"
