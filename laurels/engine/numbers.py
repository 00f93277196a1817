"""Whole numbers in JSON, which does not distinguish 5 from 5.0: one rule for every number that is read.

A number without a fraction is whole, however it is written: 5, 5.0 and 5e0 are 5. Nothing else is: 5.5, "5" and true are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from laurels.engine.events import LEAST_DATA_NUMBER, MAX_NUMBER, MOST_DATA_NUMBER


def whole(value: object) -> int | None:
    """The whole number that a JSON value is, of any size; None for any other value."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def why_not_counted(value: object) -> str:
    """Why a JSON value is not a whole number from 0 to MAX_NUMBER; '' if it is one."""
    number = whole(value)
    if number is not None:
        return "" if 0 <= number <= MAX_NUMBER else f"must be from 0 to {MAX_NUMBER}"
    return "must be a whole number" if type(value) is float else f"must be a number, not {_KINDS[type(value)]}"


_KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    type(None): "null",
    dict: "an object",
    list: "a list",
}


def why_no_text(value: object) -> str:
    """Why a JSON value is neither a text nor a whole number."""
    if type(value) is str:
        return "must not be empty"
    kind = "a fraction" if type(value) is float else _KINDS[type(value)]
    return f"must be a text or a whole number, not {kind}"


def same_numbers(value: Any) -> Any:
    """A JSON value in which each whole number is an int, so that 1 and 1.0 are equal, and true stays apart from both."""
    if type(value) is dict:
        return {key: same_numbers(item) for key, item in cast(dict[str, Any], value).items()}
    if type(value) is list:
        return [same_numbers(item) for item in cast(list[Any], value)]
    number = whole(value) if type(value) is float else None
    return value if number is None or not LEAST_DATA_NUMBER <= number <= MOST_DATA_NUMBER else number
