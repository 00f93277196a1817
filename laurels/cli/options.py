"""The options that commands share: each setting of `settings.py` as an option, with the help that stands in its row."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from laurels.settings import PREFIX, Origin, Settings, read_settings

_ROWS = {row.name: row for row in fields(Settings)}


def option(name: str) -> Parameter:
    """The option of the setting `name`."""
    row = _ROWS[name]
    default = f"default {row.default}; " if row.default != "" else ""
    return Parameter(help=f"{row.metadata['help']} ({default}{PREFIX}{name.upper()})", show_default=False)


Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="one JSON document on standard output", show_default=False)
]
Database = Annotated[str | None, option("database")]
CatalogFile = Annotated[str | None, option("catalog")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Every setting as an option; None where it was not given. A test holds it against Settings."""

    database: Database = None
    connections: Annotated[int | None, option("connections")] = None
    host: Annotated[str | None, option("host")] = None
    port: Annotated[int | None, option("port")] = None
    workers: Annotated[int | None, option("workers")] = None
    catalog: CatalogFile = None
    default_zone: Annotated[str | None, option("default_zone")] = None
    late_days: Annotated[int | None, option("late_days")] = None
    session_days: Annotated[int | None, option("session_days")] = None
    queue_limit: Annotated[int | None, option("queue_limit")] = None
    queue_seconds: Annotated[int | None, option("queue_seconds")] = None
    batch_limit: Annotated[int | None, option("batch_limit")] = None
    requests_limit: Annotated[int | None, option("requests_limit")] = None
    streams_limit: Annotated[int | None, option("streams_limit")] = None
    bodies_limit: Annotated[int | None, option("bodies_limit")] = None
    receive_seconds: Annotated[int | None, option("receive_seconds")] = None
    body_limit: Annotated[int | None, option("body_limit")] = None
    events_limit: Annotated[int | None, option("events_limit")] = None
    key_rate: Annotated[int | None, option("key_rate")] = None
    session_rate: Annotated[int | None, option("session_rate")] = None
    origins: Annotated[str | None, option("origins")] = None
    rarity_users: Annotated[int | None, option("rarity_users")] = None
    log_level: Annotated[str | None, option("log_level")] = None


def read(options: Options) -> tuple[Settings, dict[str, Origin]]:
    """The settings in force here, and where each came from. Raises SettingsError."""
    return read_settings(asdict(options), os.environ, Path.cwd())


def settings_of(**given: Any) -> Settings:
    """The settings in force for a command that takes only a few of them as options. Raises SettingsError."""
    return read(Options(**given))[0]
