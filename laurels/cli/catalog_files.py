"""`laurels catalog init` and `laurels catalog schema`: a catalog to start from, and the schema that editors read."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.output import note, say
from laurels.engine.catalog_schema import Schema, catalog_schema
from laurels.errors import InvalidInput


def schema() -> int:
    """Print the JSON Schema of catalog files. Editors that read it complete keys, explain them and mark errors."""
    say(_text_of(catalog_schema()))
    return OK


def init(file: Annotated[str, Parameter(help="the file to write")] = "catalog.toml", /) -> int:
    """Write a catalog to start from, and next to it the schema that it names for editors. No file is overwritten."""
    catalog, schema_file = Path(file), Path(file).with_suffix(".schema.json")
    if catalog.suffix != ".toml":
        raise InvalidInput("FILE", f"the name of a catalog must end in .toml, not '{file}'")
    starter = resources.files("laurels.cli").joinpath("starter.toml").read_text("utf-8").replace("{file}", file)
    _create(catalog, f"#:schema ./{schema_file.name}\n\n{starter}")
    try:
        _create(schema_file, _text_of(catalog_schema()) + "\n")
    except InvalidInput:
        catalog.unlink()  # nothing is left of what did not work
        raise
    note(f"Wrote {catalog}, and {schema_file} for your editor.")
    note(f"Next: change it, and check it with 'laurels catalog check {file}'.")
    return OK


def _text_of(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _create(path: Path, text: str) -> None:
    """Write a new file. Raises InvalidInput if there is one, or it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise InvalidInput("FILE", f"{path} exists, and is not overwritten: name another file") from error
    except OSError as error:
        raise InvalidInput("FILE", f"cannot write '{path}': {error.strerror}") from error
