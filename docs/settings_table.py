"""Writes the table of docs/settings.md from the fields of the settings: `python -m docs.settings_table`."""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path

import msgspec

from laurels.configuration import settings_in, shown
from laurels.settings import Settings

DOCUMENT = Path(__file__).parent / "settings.md"
TABLES = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- end of settings -->)", re.DOTALL)


def table(kind: type[msgspec.Struct] = Settings) -> str:
    """A table for each area."""
    parts: list[str] = []
    for area, rows in groupby(settings_in(kind), key=lambda row: row.path[:-1]):
        parts.append(
            f"\n### [{'.'.join(area)}]\n\n| setting | default | meaning | variable and option |\n|---|---|---|---|"
        )
        parts += [
            f"| `{row.name}` | {_default(row.default)} | {row.help} | `{row.variable}`, `{row.option}` |"
            for row in rows
        ]
    return "\n".join(parts) + "\n\n"


def _default(value: object) -> str:
    plain = shown(value)
    return f"`{plain if isinstance(plain, str) else json.dumps(plain)}`" if plain not in ("", [], {}, None) else "empty"


def main() -> None:
    """Rewrite the tables of the document."""
    DOCUMENT.write_text(TABLES.sub(lambda _: table(), DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
