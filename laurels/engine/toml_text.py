"""Writes TOML: the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, cast


def toml_text(table: Mapping[str, Any]) -> str:
    """The table as TOML, one line for each key at its top. Its values are those that reading TOML gives."""
    return "".join(f"{toml_value(name)} = {toml_value(value)}\n" for name, value in table.items())


def toml_value(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):  # as JSON writes it, but for the delete character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = cast(Mapping[str, Any], value)
        return "{ " + ", ".join(f"{toml_value(name)} = {toml_value(one)}" for name, one in inner.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, cast(Sequence[Any], value))) + "]"
    return repr(value)  # whole numbers and decimals, which TOML writes as Python does
