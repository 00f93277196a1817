"""`laurels settings`: each setting, its value, and where it came from."""

from __future__ import annotations

from dataclasses import replace

from laurels.cli import OK
from laurels.cli.options import Json, Options, read
from laurels.cli.output import emit
from laurels.cli.tables import cell, console, table
from laurels.settings import Origin
from laurels.storage import without_password

_NONE_GIVEN = Options()


def settings(options: Options = _NONE_GIVEN, *, json: Json = False) -> int:
    """Show each setting, its value, and where it came from: an option, LAURELS_*, the file, or the default."""
    _, origins = read(options)
    origins["database"] = replace(origins["database"], value=without_password(str(origins["database"].value)))
    if json:
        emit({name: {"value": origin.value, "source": origin.source} for name, origin in origins.items()})
    else:
        _show(origins)
    return OK


def _show(origins: dict[str, Origin]) -> None:
    shown = table("setting", "value", "from")
    for name, origin in origins.items():
        value = '""' if origin.value == "" else origin.value
        shown.add_row(
            cell(name), cell(value), cell(origin.source), style="dim" if origin.source == "default" else "bold"
        )
    console().print(shown)
