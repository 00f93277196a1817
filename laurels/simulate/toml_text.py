"""Writes a table of TOML as a file: a catalog inside a scenario file becomes a catalog of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, cast


def toml_text(table: Mapping[str, Any]) -> str:
    """The table as TOML, one line for each key at its top."""
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def _key(name: str) -> str:
    """A key of TOML is quoted as a text of JSON is, but for the delete character."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _key(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        inner = cast(Mapping[str, Any], value)
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in inner.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in cast(Sequence[Any], value)) + "]"
    return repr(value)  # whole numbers and decimals, which TOML writes as Python does
