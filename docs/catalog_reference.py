"""Writes docs/catalog-reference.md from the declarations of the catalog's keys: `python -m docs.catalog_reference`."""

from __future__ import annotations

import json
from pathlib import Path

from laurels.engine.catalog_keys import CATALOG, CONDITION, CONDITIONS, TABLES
from laurels.engine.catalog_keys.key_types import (
    Boolean,
    ByKey,
    Day,
    Inner,
    Instant,
    Integer,
    Key,
    KeyTable,
    Named,
    OneOf,
    Several,
    Text,
    Texts,
    Type,
    Value,
    ValueList,
)
from laurels.engine.events import MAX_NUMBER

DOCUMENT = Path(__file__).parent / "catalog-reference.md"

INTRODUCTION = """\
# Every key of the catalog

Each table of the file, with all its keys. [catalog.md](catalog.md) explains what they are for. This page is made from the same
declarations as the schema for editors, `laurels catalog schema`.

A key without a default must be given. A text must not be blank. An example shows the key as it is written in the file;
where it has a meaning only with another key, that key is shown, too.
"""

FIXED = {
    Boolean: "`true` or `false`",
    Day: "date",
    Instant: "date and time with its offset",
    Value: "text, whole number, `true` or `false`",
    ValueList: "list of these",
}


def reference() -> str:
    """The whole document."""
    tables = [_section(table) for table in TABLES.values()]
    return "\n".join([INTRODUCTION, *tables, *_conditions()]).rstrip() + "\n"


def _section(table: KeyTable) -> str:
    title = "The top of the file" if table is CATALOG else f"`{table.heading}`"
    return f"## {title}\n\n{table.meaning}\n\n{_rows(table)}\n"


def _conditions() -> list[str]:
    """The section on conditions, with a table for each kind."""
    introduction = "## Conditions\n\nWhat a badge requires (`when`). One has exactly one of these forms.\n"
    return [
        introduction,
        *(f"### `{table.name}`\n\n{table.meaning}\n\n{_rows(table)}\n" for table in CONDITIONS.values()),
    ]


def _rows(table: KeyTable) -> str:
    rows = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *(_row(key, whole=table is CATALOG) for key in table.keys)])


def _row(key: Key, *, whole: bool) -> str:
    """The row of a key. The tables of the whole file have a section of their own instead of an example."""
    lines = [*key.needs.splitlines(), f"{key.name} = {key.example}"]
    example = "<br>".join(f"`{line}`" for line in lines)
    if whole and isinstance(key.type, Inner | Several | Named):
        example = "see below"
    return f"| `{key.name}` | {_type(key.type)} | {_default(key)} | {key.meaning} | {example} |"


def _default(key: Key) -> str:
    if key.required:
        return ""
    if key.without or key.default in ([], {}):
        return key.without or "none"
    return f"`{json.dumps(key.default)}`"


def _type(type_: Type) -> str:  # noqa: PLR0911  # one for each type
    match type_:
        case OneOf():
            return ", or ".join(map(_type, type_.types))
        case Text():
            return _text(type_)
        case Integer():
            most = f"{type_.least:,} to {type_.most:,}" if type_.most < MAX_NUMBER else f"{type_.least} or more"
            return f"whole number, {most}"
        case Texts():
            return f"list of texts, each {_choices(type_.choices)}" if type_.choices else "list of texts"
        case Inner() | Several() | Named():
            return _tables(type_)
        case ByKey():
            return f"table by key: {_type(type_.of)}"
        case Boolean() | Day() | Instant() | Value() | ValueList():
            return FIXED[type(type_)]


def _text(type_: Text) -> str:
    if type_.choices:
        return _choices(type_.choices)
    if type_.names:
        return f"the name of a {type_.names}" if type_.names != "badge" else "the id of a badge"
    plain = "text, may have lines" if type_.lines else "text"
    return f"{plain}, or one by language" if type_.words else plain


def _choices(choices: tuple[str, ...]) -> str:
    return ", ".join(f'`"{choice}"`' for choice in choices)


def _tables(type_: Inner | Several | Named) -> str:
    if type_.table == CONDITION:
        return "list of [conditions](#conditions)" if isinstance(type_, Several) else "[condition](#conditions)"
    heading = TABLES[type_.table].heading
    return f"table with the keys of `{heading}`" if isinstance(type_, Inner) else f"tables `{heading}`"


def main() -> None:
    """Rewrite the document."""
    DOCUMENT.write_text(reference(), "utf-8")


if __name__ == "__main__":
    main()
