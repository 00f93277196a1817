"""Typed fields of what a person or program enters: what each may hold, how it is checked, and how forms label it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, cast, get_type_hints

from laurels.engine.events import MAX_NAME, MAX_NUMBER, check_text
from laurels.engine.numbers import whole
from laurels.engine.zones import zone
from laurels.errors import InvalidInput

FieldType = Literal["text", "badge", "streak", "streak_or_all", "point_kind", "number", "date", "zone", "flag"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form, of a body and of a command.

    type         what it holds: a text, the id of a badge, the name of a streak (`streak_or_all`: '' means all of them),
                 a kind of points ('' means the contract's),
                 a whole number, a date, a time zone, or true or false
    label, help  what people read next to it
    least, most  the limits of a number; `zero` says whether 0 is allowed between them
    option       its name on the command line ('--from'), which a flag must have; '' for an argument without a name
    name         the attribute that holds it; filled in by `fields_of`
    default      its value when it is left out; None: it must be given
    """

    type: FieldType
    label: str
    help: str = ""
    least: int = -MAX_NUMBER
    most: int = MAX_NUMBER
    zero: bool = True
    option: str = ""
    name: str = ""
    default: str | bool | None = None

    @property
    def description(self) -> str:
        """Label and help in one phrase."""
        return f"{self.label}, {self.help}" if self.help else self.label

    def parse(self, value: object) -> str | int | date | bool:
        """A JSON value as the value of this field. Raises InvalidInput, which names the field."""
        if self.type == "flag":
            return self._flag(value)
        if self.type == "number":
            return self._number(value)
        if self.type == "date":
            return self._date(value)
        if self.type == "zone":
            return self._zone(value)
        if self.type not in ("streak_or_all", "point_kind") or value != "":
            check_text(self.name, value, MAX_NAME)
        return cast(str, value)

    def _number(self, value: object) -> int:
        number = whole(value)
        if number is not None and self.least <= number <= self.most and (number or self.zero):
            return number
        limits = f"from {self.least} to {self.most}" if self.zero else "that is not 0"
        raise InvalidInput(self.name, f"must be a whole number {limits}")

    def _zone(self, value: object) -> str:
        check_text(self.name, value, MAX_NAME)
        try:
            return zone(str(value)).key
        except InvalidInput as error:
            raise InvalidInput(self.name, str(error)) from None

    def _flag(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise InvalidInput(self.name, "must be true or false")

    def _date(self, value: object) -> date:
        try:
            return date.fromisoformat(cast(str, value))
        except (TypeError, ValueError):
            raise InvalidInput(self.name, "must be a date such as 2026-03-01") from None


def fields_of(form: type) -> tuple[Field, ...]:
    """The fields of a dataclass whose attributes are `Annotated` with a Field, in order."""
    hints = get_type_hints(form, include_extras=True)
    found = {name: _field_in(hint) for name, hint in hints.items()}
    return tuple(replace(field, name=name, default=_default(form, name)) for name, field in found.items() if field)


def _field_in(hint: Any) -> Field | None:
    return next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Field)), None)


def _default(form: Any, name: str) -> str | bool | None:
    """The default of a dataclass's attribute, or None without one. With slots, the class attribute is not the default."""
    default = form.__dataclass_fields__[name].default
    return default if isinstance(default, str | bool) else None
