"""`laurels simulate`: run scenario files, as in CI, or replay the history of a database under another catalog."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.options import Database, DatabaseOptions, Json, WholeNumber
from laurels.cli.output import counted, emit, note, say
from laurels.cli.tables import console, steps_progress
from laurels.errors import InvalidInput
from laurels.simulate.files import read_scenarios
from laurels.simulate.format import scenario_schema
from laurels.simulate.results import ScenarioResult, ScenarioResults, junit_xml, results_of
from laurels.simulate.running import run_scenario
from laurels.simulate.scenarios import Scenario


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """The options of a replay."""

    catalog: Annotated[
        str | None,
        Parameter(help="replay the history of the database under this catalog file instead", show_default=False),
    ] = None
    report: Annotated[
        str | None, Parameter(help="of a replay: write an HTML file with pictures", show_default=False)
    ] = None
    since: Annotated[
        str | None,
        Parameter(name="--from", help="of a replay: only what occurred from this time on", show_default=False),
    ] = None
    until: Annotated[
        str | None, Parameter(help="of a replay: only what occurred before this time", show_default=False)
    ] = None
    sample: Annotated[
        WholeNumber | None,
        Parameter(help="of a replay: only this percentage of the users, always the same ones", show_default=False),
    ] = None


Replay = Annotated[ReplayOptions | None, Parameter(name="*")]

FIRST, FOLDER = "first.toml", "scenarios"
"""The file that --init writes, and the folder if none is named."""


def simulate(
    *paths: Annotated[str, Parameter(help="scenario files, and folders of them")],
    junit: Annotated[
        str | None, Parameter(help="write a JUnit XML file, which CI systems show", show_default=False)
    ] = None,
    init: Annotated[
        bool, Parameter(negative=(), help="write a scenario file to start from, and its schema", show_default=False)
    ] = False,
    schema: Annotated[
        bool, Parameter(negative=(), help="print the JSON Schema of scenario files, for editors", show_default=False)
    ] = False,
    replay: Replay = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Run scenario files: what users do, and what must come of it. Each runs in a database in memory, with its own clock.

    Ends with 1 if something is not as a scenario expects, and with 2 if a file has a fault; then nothing is run.
    With --catalog, replay the history of the database under that catalog instead. Nothing is stored.
    """
    if replay is not None:
        return _replay(replay, database, paths, json=json)
    if schema:
        say(_schema_text())
        return OK
    if init:
        return _init(paths)
    if not paths:
        raise InvalidInput("PATHS", "name scenario files or a folder of them, such as 'laurels simulate scenarios/'")
    return _run(read_scenarios([Path(path) for path in paths]), junit, json=json)


def _replay(options: ReplayOptions, database: DatabaseOptions | None, paths: Sequence[str], *, json: bool) -> int:
    if options.catalog is None:
        raise InvalidInput("--catalog", "name the catalog to replay the history under, with --catalog FILE")
    if paths:
        raise InvalidInput("PATHS", "a scenario file names its catalog itself; take --catalog out, or the files")
    from laurels.cli.replaying import replay_history  # noqa: PLC0415  # scenarios do not need it

    times, sample = (options.since, options.until), 100 if options.sample is None else options.sample
    return replay_history(options.catalog, database, times, sample, options.report, json=json)


def _run(scenarios: Sequence[Scenario], junit: str | None, *, json: bool) -> int:
    results = results_of(asyncio.run(_results(scenarios, shown=not json)))
    if junit is not None:
        _write(junit, junit_xml(results))
    if json:
        emit(results)
    else:
        _show_totals(results)
    return OK if results.ok else REJECTED


async def _results(scenarios: Sequence[Scenario], *, shown: bool) -> list[ScenarioResult]:
    found: list[ScenarioResult] = []
    with steps_progress("Running", len(scenarios)) as advance:
        for scenario in scenarios:
            found.append(await run_scenario(scenario))
            advance()
            if shown:
                _show(found[-1])
    return found


def _show(result: ScenarioResult) -> None:
    """One line for a scenario, and one for each difference."""
    to = console()
    mark = Text("ok      ", style="green") if result.ok else Text("FAILED  ", style="bold red")
    to.print(mark + Text(f"{result.file}: {result.name}"), soft_wrap=True)
    for difference in result.differences:
        to.print(Text(f"        {difference.text}"), soft_wrap=True)


def _show_totals(results: ScenarioResults) -> None:
    failed = f", {results.failed:,} failed" if results.failed else ""
    total = counted(len(results.scenarios), "scenario")
    note(f"{total}: {results.passed:,} as expected{failed}, in {results.seconds:.1f} s.")


def _write(file: str, content: bytes) -> None:
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise InvalidInput("--junit", f"cannot write '{file}': {error.strerror}") from error


# ---- a file to start from -----------------------------------------------------------------------


def _init(paths: Sequence[str]) -> int:
    if len(paths) > 1:
        raise InvalidInput(
            "PATHS", "name one folder for the scenario file, such as 'laurels simulate --init scenarios'"
        )
    folder = Path(paths[0] if paths else FOLDER)
    file, schema_file = folder / FIRST, folder / "scenarios.schema.json"
    text = resources.files("laurels.cli").joinpath("scenario.toml").read_text("utf-8")
    text = f"#:schema ./{schema_file.name}\n\n" + text.replace("{folder}", f"{folder}/")
    for path in (file, schema_file):
        if path.exists():
            raise InvalidInput("PATHS", f"{path} exists, and is not overwritten: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        schema_file.write_text(_schema_text() + "\n", "utf-8")
    except OSError as error:
        raise InvalidInput("PATHS", f"cannot write into '{folder}': {error.strerror}") from error
    note(f"Wrote {file}, and {schema_file} for your editor.")
    note(f"Next: change it, and run it with 'laurels simulate {folder}/'.")
    return OK


def _schema_text() -> str:
    return json_text.dumps(scenario_schema(), indent=2, ensure_ascii=False)
