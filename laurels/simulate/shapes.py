"""Checks raw TOML against a struct: every fault at once, each with its place and its fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast

import msgspec
from msgspec import inspect

from laurels.engine.events import UNSAFE
from laurels.engine.parsing import MISSING, closest, excerpt, printable, shown
from laurels.errors import Fault

Check = Callable[[Any, Any, str, "_Faults"], None]

WORDS: Mapping[type, str] = {
    inspect.IntType: "a whole number",
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list",
    inspect.DictType: "a table",
    inspect.StructType: "a table",
}
"""Types in words."""


class _Faults:
    """The faults found so far. `meaning` is what the key that is being checked means: the end of each fix."""

    def __init__(self, found: list[Fault]) -> None:
        self.found = found
        self.meaning = ""

    def add(self, where: str, what: str, fix: str = "") -> None:
        self.found.append(Fault(where, what, fix or (f"write {self.meaning}" if self.meaning else "see the schema")))


def check_shape(raw: Any, form: type[msgspec.Struct], where: str, faults: list[Fault]) -> bool:
    """Add the faults of a table to `faults`, each at its place within `where`. Returns whether there were none."""
    before = len(faults)
    _check(raw, inspect.type_info(form), where, _Faults(faults))
    return len(faults) == before


def _check(value: Any, kind: Any, where: str, faults: _Faults) -> None:
    if isinstance(kind, inspect.Metadata):
        kind = _with_meaning(kind, faults)
    choices = _choices(kind)
    fitting = [one for one in choices if _fits(value, one)]
    if not fitting:
        names = dict.fromkeys(_word(one) for one in choices)
        faults.add(where, f"must be {' or '.join(names)}, not {_said(value)}")
        return
    check = CHECKS.get(fitting[0].__class__)
    if check:
        check(value, fitting[0], where, faults)


def _with_meaning(kind: inspect.Metadata, faults: _Faults) -> Any:
    """The type in it; what it means is the fix of faults from here on."""
    inner: Any = kind
    while isinstance(inner, inspect.Metadata):
        described = cast(Mapping[str, str], inner.extra_json_schema or {})
        faults.meaning = described.get("description", faults.meaning)
        inner = inner.type
    return inner


def _choices(kind: Any) -> list[Any]:
    """The types that a value may have; None stands only for a key that is left out."""
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for part in kind.types for one in _choices(part) if not isinstance(one, inspect.NoneType)]
    return [kind]


def _fits(value: Any, kind: Any) -> bool:  # noqa: PLR0911  # one for each type
    match kind:
        case inspect.IntType():
            return type(value) is int
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.DictType() | inspect.StructType():
            return isinstance(value, dict)
        case inspect.LiteralType():
            return isinstance(value, type(kind.values[0]))
        case _:
            return True


def _word(kind: Any) -> str:
    if isinstance(kind, inspect.LiteralType):
        return " or ".join("true" if value is True else f"'{value}'" for value in kind.values)
    return WORDS[type(kind)]


def _said(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else shown(value)


# ---- one type each ------------------------------------------------------------------------------


def _inside(where: str, key: str) -> str:
    """The place of a key within a table. The place of a file ends with a space."""
    return f"{where}{'' if where.endswith(' ') else '.'}{printable(key)}"


def _check_struct(value: dict[str, Any], kind: inspect.StructType, where: str, faults: _Faults) -> None:
    fields = {field.encode_name: field for field in kind.fields}
    unknown = sorted(value.keys() - fields.keys())
    meant = {key: closest(key, fields) for key in unknown}
    for key in unknown:
        faults.add(_inside(where, key), f"unknown key '{printable(key)}'", meant[key])
    for name, field in fields.items():
        place = _inside(where, name)
        if name in value:
            _check(value[name], field.type, place, faults)
        elif field.required and not any(f"'{name}'" in fix for fix in meant.values()):
            _with_meaning(cast(inspect.Metadata, field.type), faults)
            faults.add(place, MISSING)


def _check_dict(value: dict[str, Any], kind: inspect.DictType, where: str, faults: _Faults) -> None:
    meaning = faults.meaning
    for name, inner in value.items():
        faults.meaning = meaning
        place = _inside(where, name)
        if UNSAFE.search(name) or not name:
            faults.add(place, "must be a name without control characters", "write another name")
        _check(inner, kind.value_type, place, faults)


def _check_list(value: list[Any], kind: inspect.VarTupleType, where: str, faults: _Faults) -> None:
    meaning = faults.meaning
    if len(value) < (kind.min_length or 0):
        faults.add(where, "must not be empty")
    for number, inner in enumerate(value, start=1):
        faults.meaning = meaning
        label = cast(Mapping[str, Any], inner).get("name") if isinstance(inner, dict) else None
        named = f" '{excerpt(label)}'" if isinstance(label, str) else ""
        _check(inner, kind.item_type, f"{where}[{number}]{named}", faults)


def _check_number(value: int, kind: inspect.IntType, where: str, faults: _Faults) -> None:
    if (kind.ge is not None and value < kind.ge) or (kind.le is not None and value > kind.le):
        faults.add(where, f"must be a whole number from {kind.ge} to {kind.le}, not {value}")


def _check_text(value: str, kind: inspect.StrType, where: str, faults: _Faults) -> None:
    if len(value) < (kind.min_length or 0) or (kind.min_length and not value.strip()):
        faults.add(where, "must not be empty")
    elif kind.max_length is not None and len(value) > kind.max_length:
        faults.add(where, f"must have at most {kind.max_length} characters, not {len(value)}")
    elif UNSAFE.search(value):
        faults.add(where, f"must not hold control characters, as {shown(value)} does", "take them out")


def _check_choice(value: Any, kind: inspect.LiteralType, where: str, faults: _Faults) -> None:
    if value not in kind.values:
        known = [str(one) for one in kind.values]
        fix = closest(value, known) if isinstance(value, str) else "leave it out"
        faults.add(where, f"unknown value {shown(value)}", fix)


CHECKS: Mapping[type, Check] = {
    inspect.StructType: _check_struct,
    inspect.DictType: _check_dict,
    inspect.VarTupleType: _check_list,
    inspect.IntType: _check_number,
    inspect.StrType: _check_text,
    inspect.LiteralType: _check_choice,
}
