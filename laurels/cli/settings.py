"""`laurels settings`: each setting, its value, and its source."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from laurels.cli import OK
from laurels.cli.options import Json, Options, read
from laurels.cli.output import emit
from laurels.cli.tables import cell, console, table
from laurels.configuration import Sourced, shown

_NONE_GIVEN = Options()


def settings(options: Options = _NONE_GIVEN, *, json: Json = False) -> int:
    """Show each setting, its value, and its source: an option, LAURELS_*, the file, or the default.

    Secrets, and the password in the database's address, are shown as ***.
    """
    _, found = read(options)
    show(found, json=json)
    return OK


def show(found: Mapping[str, Sourced], *, json: bool) -> None:
    """Print settings by name, secrets masked."""
    if json:
        emit({name: {"value": shown(setting.value), "source": setting.source} for name, setting in found.items()})
        return
    rows = table("setting", "value", "from")
    for name, setting in found.items():
        style = "dim" if setting.source == "default" else "bold"
        rows.add_row(cell(name), cell(_text(shown(setting.value))), cell(setting.source), style=style)
    console().print(rows)


def _text(value: object) -> str:
    """A value as in the file, but texts without quotes."""
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
