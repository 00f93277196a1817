"""Numbers in JSON, which does not distinguish 5 from 5.0: one rule for every number that is read.

A number without a fraction is whole, however it is written: 5, 5.0 and 5e0 are 5. Nothing else is: 5.5, "5" and true are not.

With a scale, decimals are counted as a whole number of units, of which `scale` make one: with 100, 12.34 is 1234. The shortest
decimal text of a number is what was sent, up to 15 digits, and it is exact; multiplying the number itself would not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from laurels.engine.events import LEAST_DATA_NUMBER, MAX_NUMBER, MOST_DATA_NUMBER
from laurels.engine.parsing import Table

MOST_UNITS = 10**15 - 1
"""The largest number that is read with a scale, in units: 15 digits are the most that every number of JSON keeps."""

SCALES = tuple(10**decimals for decimals in range(1, 10))


def whole(value: object) -> int | None:
    """The whole number that a JSON value is, of any size; None for any other value."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def units(value: object, scale: int = 1) -> int | None:
    """The number that a JSON value counts for, in units of which `scale` make one; None if it counts for nothing."""
    if scale == 1:
        number = whole(value)
        return number if number is not None and 0 <= number <= MAX_NUMBER else None
    number = _scaled(value, scale)
    return number if number is not None and 0 <= number <= MOST_UNITS else None


def _scaled(value: object, scale: int) -> int | None:
    """A JSON number in units; None for another value, and for a part of a unit."""
    if type(value) is int:
        return value * scale
    if type(value) is not float:
        return None
    exact = Decimal(repr(value)) * scale  # at most 17 digits times a power of ten, so nothing is rounded
    return int(exact) if exact == exact.to_integral_value() else None


def why_not_counted(value: object, scale: int = 1) -> str:
    """Why a JSON value counts for nothing as a number, see `units`; '' if it counts."""
    if type(value) not in (int, float):
        return f"must be a number, not {_KINDS[type(value)]}"
    if units(value, scale) is not None:
        return ""
    if scale == 1:
        return "must be a whole number" if whole(value) is None else f"must be from 0 to {MAX_NUMBER}"
    most = decimal_text(MOST_UNITS, scale).replace(",", "")
    return (
        f"must have at most {_decimals(scale)} decimals"
        if _scaled(value, scale) is None
        else f"must be from 0 to {most}"
    )


def decimal_text(number: int, scale: int = 1) -> str:
    """A number of units as people read it: '1,234', or '12.34' with a scale of 100; decimals that are 0 are left out."""
    if scale == 1:
        return f"{number:,}"
    ones, rest = divmod(abs(number), scale)
    sign = "-" if number < 0 else ""
    return f"{sign}{ones:,}.{rest:0{_decimals(scale)}}" if rest else f"{sign}{ones:,}"


def _decimals(scale: int) -> int:
    return len(str(scale)) - 1


def read_scale(table: Table) -> int:
    """The key `scale`: how many units make one, a power of ten; 1 without it."""
    if not table.has("scale"):
        return 1
    scale = table.integer("scale", least=1)
    if scale in SCALES:
        return scale
    if table.raw["scale"] == scale:
        table.fault("scale", f"must be a power of ten from 10 to {SCALES[-1]}", "write scale = 100 for two decimals")
    return 1


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
