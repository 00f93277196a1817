"""What a declaration of the catalog's language consists of: the types of values, keys, and tables of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from laurels.engine.events import MAX_NUMBER

REQUIRED: Any = object()
"""The default of a key that must be given."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not blank.

    choices  the texts that it may be (empty: any)
    names    what it is the name of in the same file: 'metric', 'streak' or 'badge' ('': of nothing there)
    lines    whether it may have line breaks and tabs
    pattern  a regular expression that the whole text matches ('': any text)
    words    whether people read it, so that a table with a text for each language may take its place
    """

    choices: tuple[str, ...] = ()
    names: str = ""
    lines: bool = False
    pattern: str = ""
    words: bool = False


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number between two bounds, both included."""

    least: int = 0
    most: int = MAX_NUMBER


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of one or more texts. `choices` are the texts that it may contain (empty: any)."""

    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A date."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A date and time with its offset."""


@dataclass(frozen=True, slots=True)
class Value:
    """A text, a whole number or a boolean."""


@dataclass(frozen=True, slots=True)
class ValueList:
    """A list of one or more texts, whole numbers and booleans."""


@dataclass(frozen=True, slots=True)
class ByKey:
    """A table whose keys are free, and whose values are of one type.

    pattern  a regular expression that each whole key matches ('': any key)
    """

    of: Type
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Inner:
    """One table, by the name of its declaration; `CONDITION` is any of the conditions."""

    table: str


@dataclass(frozen=True, slots=True)
class Several:
    """A list of tables, by the name of their declaration. `least` is how many there must be."""

    table: str
    least: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """Tables by name, by the name of their declaration."""

    table: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of any of these types."""

    types: tuple[Type, ...]


Type = Text | Integer | Boolean | Texts | Day | Instant | Value | ValueList | ByKey | Inner | Several | Named | OneOf


def tables_in(type_: Type, *kinds: type) -> tuple[str, ...]:
    """The names of the declarations of the tables in a value of this type: `Inner`, `Several` and `Named`, or only `kinds`."""
    match type_:
        case OneOf():
            return tuple(name for one in type_.types for name in tables_in(one, *kinds))
        case ByKey():
            return tables_in(type_.of, *kinds)
        case Inner() | Several() | Named():
            return (type_.table,) if not kinds or isinstance(type_, kinds) else ()
        case _:
            return ()


CONDITION = "condition"
"""What `Inner` and `Several` name for a condition: one of the tables of `catalog_keys.CONDITIONS`."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    meaning  one sentence, for the reference and for editors
    example  its value in TOML
    default  what counts without it; None: nothing, or what `without` says; REQUIRED: it must be given
    without  what counts without it, in words, where that is no plain value ("the id")
    needs    lines of TOML for the same table without which it has no meaning ('kind = "sum"')
    """

    name: str
    type: Type
    meaning: str
    example: str
    default: Any = REQUIRED
    without: str = ""
    needs: str = ""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One kind of table.

    name     what other declarations call it
    heading  how it begins in a file ('[metrics.NAME]')
    meaning  one sentence, for the reference and for editors
    example  a value of the key that it is under, where the example of that key shows another form
    """

    name: str
    heading: str
    meaning: str
    keys: tuple[Key, ...]
    example: str = ""

    def key(self, name: str) -> Key | None:
        """The declaration of a key; None for an unknown one."""
        return next((key for key in self.keys if key.name == name), None)
