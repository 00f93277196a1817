"""Settings: each one's name, default and meaning, read once from the command line, the environment and a file.

The nearest source wins: an option of the command, then LAURELS_NAME in the environment, then the file (LAURELS_CONFIG,
or `laurels.toml` in the working directory), then the default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from laurels.engine.parsing import closest
from laurels.engine.zones import zone
from laurels.errors import InvalidInput, SettingsError

PREFIX = "LAURELS_"
ORIGIN = re.compile(
    r"(?:http://(?!.*:80$)|https://(?!.*:443$))(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
)
"""How a browser writes the origin of a page. 'null' is none: every page without an origin would say it."""

CONFIG_FILE = "laurels.toml"


def setting(default: Any, help: str, least: int | None = None, most: int | None = None) -> Any:  # noqa: A002
    """A row of Settings: its default, its meaning, and for a number the least and the most it may be."""
    return field(default=default, metadata={"help": help, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, frozen."""

    database: str = setting(
        "sqlite:///laurels.db", "where everything is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    )
    connections: int = setting(8, "how many connections to PostgreSQL each process holds at most", 1, 1000)
    host: str = setting("127.0.0.1", "the address to listen on")
    port: int = setting(8000, "the port to listen on; 0 takes a free one", 0, 65535)
    workers: int = setting(1, "how many processes serve", 1, 256)
    catalog: str = setting("", "the catalog file; empty: the contract's own")
    default_zone: str = setting("UTC", "the time zone of users of whom none is known")
    late_days: int = setting(30, "how many days back an event may have occurred", 0, 36500)
    session_days: int = setting(30, "how long a session lives unless its request says otherwise", 1, 365)
    queue_limit: int = setting(
        10_000, "how many events may wait to be written before Laurels answers 503", 1, 1_000_000
    )
    queue_seconds: int = setting(
        5, "how many seconds an event may wait until it is written before Laurels answers 503", 1, 3600
    )
    batch_limit: int = setting(500, "how many waiting events share one transaction", 1, 10_000)
    requests_limit: int = setting(
        1000,
        "how many requests one process answers at a time before it says 503, and how many connections it keeps beside streams",
        1,
        100_000,
    )
    streams_limit: int = setting(1000, "how many users' pages may listen to one process before it says 503", 0, 100_000)
    bodies_limit: int = setting(
        32 * 1024 * 1024, "how many bytes of request bodies one process holds before it answers 503", 1024, 1024**4
    )
    receive_seconds: int = setting(30, "how many seconds a client may take to send a request", 1, 3600)
    body_limit: int = setting(4 * 1024 * 1024, "the largest request body, in bytes", 1024, 1024**3)
    events_limit: int = setting(1000, "the most events in one request", 1, 100_000)
    key_rate: int = setting(
        0,
        "how many requests a second one API key may make, each event of an array counted; 0: any number",
        0,
        1_000_000,
    )
    session_rate: int = setting(20, "how many requests a second one session may make; 0: any number", 0, 1_000_000)
    origins: str = setting(
        "",
        "the origins whose pages may read with the visitor's cookie, commas between: https://app.example.com; empty: none",
    )
    rarity_users: int = setting(
        100, "from how many users on everybody is told what share of them holds a badge", 1, 1_000_000_000
    )
    log_level: str = setting("info", "debug, info, warning or error")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting's value came from, for people."""

    value: Any
    source: str


def read_settings(
    options: Mapping[str, Any], environment: Mapping[str, str], folder: Path
) -> tuple[Settings, dict[str, Origin]]:
    """The settings in force, and where each came from.

    `options` are those given on the command line (None: not given). Raises SettingsError, which names the setting, its
    source and the mend.
    """
    origins = {one.name: Origin(one.default, "default") for one in fields(Settings)}
    path = Path(environment.get(f"{PREFIX}CONFIG", folder / CONFIG_FILE))
    if path.is_file():
        origins |= _from_file(path)
    elif f"{PREFIX}CONFIG" in environment:
        raise SettingsError(f"{PREFIX}CONFIG names '{path}', which is no file")
    for name in origins:
        variable = PREFIX + name.upper()
        if variable in environment:
            origins[name] = Origin(environment[variable], variable)
        if options.get(name) is not None:
            origins[name] = Origin(options[name], f"--{name.replace('_', '-')}")
    checked = {one.name: _checked(one, origins[one.name]) for one in fields(Settings)}
    return Settings(**{name: origin.value for name, origin in checked.items()}), checked


def origins_in(text: str) -> frozenset[str]:
    """The origins of a list with commas between, as browsers write them. Raises SettingsError."""
    origins = [one.strip() for one in text.split(",")] if text.strip() else []
    for one in origins:
        if not ORIGIN.fullmatch(one):
            raise SettingsError(
                f"'{one}' is no origin; write scheme, host and port as a browser does, in lower case and without a slash at the "
                "end or a usual port: https://app.example.com, or http://localhost:3000"
            )
    return frozenset(origins)


def _from_file(path: Path) -> dict[str, Origin]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    known = [one.name for one in fields(Settings)]
    for name in raw:
        if name not in known:
            raise SettingsError(f"{path}: unknown setting '{name}'; {closest(name, known)}")
    return {name: Origin(value, str(path)) for name, value in raw.items()}


def _checked(one: Any, origin: Origin) -> Origin:
    """The value in its own type and within its bounds."""
    if not isinstance(one.default, int):
        if not isinstance(origin.value, str):
            raise SettingsError(f"{one.name} ({origin.source}) must be a text, not {origin.value!r}")
        _check_text(one.name, origin)
        return origin
    try:
        number = int(origin.value)
    except (TypeError, ValueError):
        number = None
    least, most = one.metadata["least"], one.metadata["most"]
    if number is None or isinstance(origin.value, (bool, float)) or not least <= number <= most:
        raise SettingsError(
            f"{one.name} ({origin.source}) must be a whole number from {least} to {most}, not {origin.value!r}"
        )
    return Origin(number, origin.source)


def _check_text(name: str, origin: Origin) -> None:
    levels = ("debug", "info", "warning", "error")
    if name == "log_level" and origin.value not in levels:
        raise SettingsError(f"log_level ({origin.source}) must be one of {', '.join(levels)}, not '{origin.value}'")
    if name == "origins":
        try:
            origins_in(origin.value)
        except SettingsError as error:
            raise SettingsError(f"origins ({origin.source}): {error}") from None
    if name == "default_zone":
        try:
            zone(origin.value)
        except InvalidInput as error:
            raise SettingsError(f"default_zone ({origin.source}): {error}") from error
