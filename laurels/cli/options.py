"""Options that commands share. Those of settings are made from the settings' fields; add none here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Group, Parameter, Token

from laurels.configuration import WHOLE, Setting, Sourced, settings_in, shown
from laurels.settings import Settings, read_settings

DECIMAL = re.compile(r"[+-]?[0-9]{1,18}([.][0-9]{1,9})?")


def option_of(row: Setting, group: Group | None = None) -> Parameter:
    """The option of a setting. It takes a text, as an environment variable does; configuration.py reads it."""
    default = "" if not row.default and row.default != 0 else f"default {shown(row.default)}; "
    # cyclopts shows no parameter whose group is None in the help; without the argument, it has the usual group.
    grouped: dict[str, Any] = {"group": group} if group else {}
    return Parameter(name=row.option, help=f"{row.help} ({default}{row.variable})", show_default=False, **grouped)


def options_of(kind: type[msgspec.Struct]) -> type[Any]:
    """A dataclass with an option for each setting of a struct, in a group for each area."""
    rows = settings_in(kind)
    areas = list(dict.fromkeys(row.path[:-1] for row in rows))
    groups = {area: Group(f"Settings: {'.'.join(area)}", sort_key=place) for place, area in enumerate(areas, start=1)}
    fields = [(_field(row), Annotated[str | None, option_of(row, groups[row.path[:-1]])], None) for row in rows]
    # cyclopts does not look into classes of the standard library, which make_dataclass would name as the module.
    made = make_dataclass("Options", fields, frozen=True, kw_only=True, namespace={"__module__": __name__})
    return Parameter(name="*")(made)


def texts_of(options: object, kind: type[msgspec.Struct]) -> Mapping[str, str | None]:
    """The texts that were given, by the names of settings."""
    return {row.name: getattr(options, _field(row)) for row in settings_in(kind)}


def _field(row: Setting) -> str:
    return "_".join(row.path)


def whole_number(_: object, tokens: Sequence[Token]) -> int:
    """A whole number as a person types it; 1.5 is not rounded, and 0x10 is not 16. Raises ValueError."""
    text = tokens[0].value
    if not WHOLE.fullmatch(text):
        raise ValueError(f"'{text}' is not a whole number; write digits only, such as 15")
    return int(text)


WholeNumber = Annotated[int, Parameter(converter=whole_number)]
"""The type of every number of a command that counts something."""


def decimal_number(_: object, tokens: Sequence[Token]) -> float:
    """A number as a person types it, perhaps with a fraction; 1_000 is not 1000, and nan is none. Raises ValueError."""
    text = tokens[0].value
    if not DECIMAL.fullmatch(text):
        raise ValueError(f"'{text}' is not a number; write digits and at most one dot, such as 1.5")
    return float(text)


DecimalNumber = Annotated[float, Parameter(converter=decimal_number)]
"""The type of every other number of a command."""


def option(name: str) -> Parameter:
    """The option of the setting `name`, for a command that takes only a few of them."""
    return option_of(next(row for row in settings_in(Settings) if row.name == name))


Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="print one JSON document to standard output", show_default=False)
]


@dataclass(frozen=True, kw_only=True)
class DatabaseOptions:
    """Which database a command works on, as texts; None: not given."""

    url: Annotated[str | None, option("database.url")] = None
    schema: Annotated[str | None, option("database.schema")] = None
    secret_file: Annotated[str | None, option("database.secret_file")] = None


Database = Annotated[DatabaseOptions | None, Parameter(name="*")]
"""The options of the database. None if none of them was given."""

CatalogFile = Annotated[str | None, option("catalog.file")]

if TYPE_CHECKING:

    class Options:
        """Every setting as an option; None if it was not given."""

else:
    Options = options_of(Settings)


def read(options: Options) -> tuple[Settings, dict[str, Sourced]]:
    """The settings in force here, and the source of each. Raises SettingsError."""
    return read_given(texts_of(options, Settings))


def read_given(given: Mapping[str, str | None]) -> tuple[Settings, dict[str, Sourced]]:
    """The same, with options by the names of settings.

    An option with the address of an SQLite file overrides a schema of the environment or the file, too: that belongs to
    the PostgreSQL address there.
    """
    settings, found = read_settings(given, os.environ, Path.cwd())
    if (given.get("database.url") or "").startswith("sqlite:") and given.get("database.schema") is None:
        default = Settings().database.schema
        settings = msgspec.structs.replace(
            settings, database=msgspec.structs.replace(settings.database, schema=default)
        )
        found = {**found, "database.schema": Sourced(default, "default")}
    return settings, found


def settings_of(*, database: DatabaseOptions | None = None, catalog: str | None = None) -> Settings:
    """The settings in force for a command that takes only these as options. Raises SettingsError."""
    given = database or DatabaseOptions()
    of_database = {
        "database.url": given.url,
        "database.schema": given.schema,
        "database.secret_file": given.secret_file,
    }
    return read_given({**of_database, "catalog.file": catalog})[0]
