"""The JSON Schema of the catalog's language, for editors: they complete keys, show what each means, and mark errors.

It is in draft 4, the one that editors of TOML read (Taplo, Even Better TOML). JSON has no dates: what is a date in TOML is a
text of that form here. `laurels catalog check` checks more, such as whether a metric that a badge names exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    Type,
    Value,
    ValueList,
)
from laurels.engine.languages import TAG

Schema = dict[str, Any]

_NOT_BLANK = r"\S"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})$"
_VALUE: Schema = {"type": ["string", "integer", "boolean"]}
_ALWAYS_THE_SAME: Mapping[type, Schema] = {
    Boolean: {"type": "boolean"},
    Day: {"type": "string", "pattern": _DAY},
    Instant: {"type": "string", "pattern": _INSTANT},
    Value: _VALUE,
    ValueList: {"type": "array", "items": _VALUE, "minItems": 1},
}
_IN_LANGUAGES: Schema = {
    "type": "object",
    "description": "The text in each language; the catalog's own must be there",
    "patternProperties": {f"^({TAG})$": {"type": "string", "pattern": _NOT_BLANK}},
    "minProperties": 1,
    "additionalProperties": False,
}
_CONDITION: Schema = {"$ref": f"#/definitions/{CONDITION}"}


def catalog_schema() -> Schema:
    """The schema of a catalog file, as JSON data."""
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "A catalog of Laurels",
        **_of_table(CATALOG),
        "definitions": {
            CONDITION: {
                "description": "What a badge requires: " + "; ".join(table.heading for table in CONDITIONS.values()),
                "anyOf": [_of_table(table) for table in CONDITIONS.values()],
            }
        },
    }


def _of_table(table: KeyTable) -> Schema:
    """The schema of a table. Tables inside it are written out, because editors ignore what is next to a `$ref`."""
    required = [key.name for key in table.keys if key.required]
    return {
        "type": "object",
        "description": table.meaning,
        "properties": {key.name: _of_key(key) for key in table.keys},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _of_key(key: Key) -> Schema:
    schema = {**_of_type(key.type), "description": _description(key)}
    if isinstance(key.default, str | int | bool):
        schema["default"] = key.default
    # A condition is a reference, which has no description of its own: its definition has one.
    return _CONDITION if "$ref" in schema else schema


def _description(key: Key) -> str:
    """What people read about a key: what it means, what counts without it, and an example."""
    default = f" Without it: {key.without.replace('`', '')}." if key.without else ""
    return f"{key.meaning}{default} Example: {key.name} = {key.example}"


def _of_type(type_: Type) -> Schema:  # noqa: PLR0911  # one for each type
    match type_:
        case OneOf():
            return {"anyOf": [_of_type(one) for one in type_.types]}
        case Inner():
            return _inside(type_.table)
        case Several():
            return {
                "type": "array",
                "items": _inside(type_.table),
                **({"minItems": type_.least} if type_.least else {}),
            }
        case Named():
            return {"type": "object", "additionalProperties": _inside(type_.table)}
        case ByKey():
            inside = _of_type(type_.of)
            if type_.pattern:
                return {
                    "type": "object",
                    "patternProperties": {f"^({type_.pattern})$": inside},
                    "additionalProperties": False,
                }
            return {"type": "object", "additionalProperties": inside}
        case _:
            return _of_plain(type_)


def _of_plain(type_: Text | Integer | Boolean | Texts | Day | Instant | Value | ValueList) -> Schema:
    """The schema of a type without tables of declared keys inside."""
    match type_:
        case Text():
            plain = _of_text(type_.choices, type_.pattern)
            return {"anyOf": [plain, _IN_LANGUAGES]} if type_.words else plain
        case Integer():
            return {"type": "integer", "minimum": type_.least, "maximum": type_.most}
        case Texts():
            return {"type": "array", "items": _of_text(type_.choices), "minItems": 1}
        case Boolean() | Day() | Instant() | Value() | ValueList():
            return dict(_ALWAYS_THE_SAME[type(type_)])


def _of_text(choices: Sequence[str], pattern: str = "") -> Schema:
    if choices:
        return {"type": "string", "enum": list(choices)}
    return {"type": "string", "pattern": f"^({pattern})$" if pattern else _NOT_BLANK}


def _inside(table: str) -> Schema:
    return _CONDITION if table == CONDITION else _of_table(TABLES[table])
