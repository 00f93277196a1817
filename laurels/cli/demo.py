"""`laurels demo`: a sample community in a sandbox, served with a playground and two commands to try."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import replace
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import Json, WholeNumber, option, read_given
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import console, steps_progress
from laurels.demo.filling import demo_catalog, fill, is_filled, one_message_short, steps
from laurels.demo.sample import BRINK_ID, SEED, community
from laurels.demo.visit import Visit, leave, prepare, visit_as
from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.errors import InvalidInput, SettingsError
from laurels.server.run import is_free, log_to_stderr, serve_until_stopped
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.service.opening import address_of_file, database_file, existing, laurels_over, serving
from laurels.settings import Settings
from laurels.storage import shown_address


def demo(
    *,
    database: Annotated[
        str | None,
        Parameter(help="sqlite:///FILE to create, or to use again; without it, a file that is deleted at the end"),
    ] = None,
    host: Annotated[str | None, option("server.host")] = None,
    port: Annotated[str | None, option("server.port")] = None,
    users: Annotated[WholeNumber, Parameter(help="number of members", validator=Number(gte=1, lte=100_000))] = 240,
    days: Annotated[WholeNumber, Parameter(help="number of days", validator=Number(gte=7, lte=3650))] = 90,
    seed: Annotated[WholeNumber, Parameter(help="the same seed gives the same community and points")] = SEED,
    open_: Annotated[
        bool, Parameter(name="--open", help="open the playground in a browser, if there is a terminal and a display")
    ] = True,
    fill_only: Annotated[
        bool, Parameter(negative=(), help="fill the database and exit; needs --database", show_default=False)
    ] = False,
    json: Json = False,
) -> int:
    """Fill a database with a sample community and serve it: months of streaks, badges and late events.

    Prints the address of the playground, a session, an API key, and two commands to copy: read a profile, send an event.
    Run the first, the second, and the first again: the profile has a new badge. The database is a sandbox, whose clock can be
    moved.
    """
    if fill_only and database is None:
        raise InvalidInput("--fill-only", "--fill-only needs --database, as without it the file is deleted at the end")
    with _stopped_by_sigterm(), _file(database) as file:
        settings = settings_for(file, host, port)
        catalog = Catalog.parse(demo_catalog())
        if file.exists():
            asyncio.run(_check_filled(settings, catalog))
        else:
            _fill(file, catalog, seed, users, days)
        Path(settings.catalog.file).write_text(demo_catalog(), "utf-8")
        if fill_only:
            _say_filled(settings, json=json)
        else:
            _serve(settings, catalog, json=json, to_open=open_ and not json and _can_be_seen())
    return OK


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that a temporary file is deleted also when the filling is stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _file(database: str | None) -> Iterator[Path]:
    """The file to use: the given one, or one in a folder that is deleted at the end."""
    if database is None:
        with tempfile.TemporaryDirectory(prefix="laurels-demo-") as folder:
            yield Path(folder) / "demo.db"
        return
    file = database_file(database)
    if file is None:
        raise SettingsError(
            f"the demo cannot use '{shown_address(database)}'; write --database sqlite:///demo.db, or leave it out"
        )
    if not file.parent.is_dir():
        raise SettingsError(f"there is no folder {file.parent}")
    yield file


def settings_for(file: Path, host: str | None, port: str | None) -> Settings:
    """The settings in force, with this file and its catalog; a free port, if none is set and the default one is taken."""
    settings, found = read_given(
        {
            "database.url": address_of_file(file),
            "catalog.file": str(file.with_suffix(".catalog.toml")),
            "server.host": host,
            "server.port": port,
            "server.workers": "1",
        }
    )
    if found["auth.cookie_secure"].source == "default":  # a demo has no https, also where other machines may visit it
        settings = replace(settings, auth=replace(settings.auth, cookie_secure="never"))
    server = settings.server
    if found["server.port"].source == "default" and not is_free(server.host, server.port):
        return replace(settings, server=replace(server, port=0))
    return settings


async def _check_filled(settings: Settings, catalog: Catalog) -> None:
    """Raise SettingsError for a database that is not a demo, so that it gets no keys, sessions and events of one."""
    async with existing(settings.database) as store:
        if not await is_filled(laurels_over(store, settings, catalog)):
            raise SettingsError(f"{settings.database.url} is not a demo database; choose another file")


def _fill(file: Path, catalog: Catalog, seed: int, users: int, days: int) -> None:
    now = utc_now()
    began = time.monotonic()
    people = community(seed, users, days, now)
    with steps_progress("Filling the demo", len(steps(people, now))) as advance:
        asyncio.run(fill(file, catalog, people, now, advance))
    size = f"{counted(users, 'member')}, {counted(days, 'day')}, {counted(len(people.sent), 'event')}"
    note(f"Filled the demo in {time.monotonic() - began:.1f} s: {size}.")


def _say_filled(settings: Settings, *, json: bool) -> None:
    database = settings.database.url.reveal()
    if json:
        emit({"database": database, "catalog": settings.catalog.file})
    else:
        note(f"Stored in {database}; serve it with 'laurels demo --database {database}'.")


# ---- serving it -------------------------------------------------------------------------------


def _can_be_seen() -> bool:
    """Whether a browser would open on the screen of the person who started this."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _serve(settings: Settings, catalog: Catalog, *, json: bool, to_open: bool) -> None:
    log_to_stderr(settings.log.level, settings.log.format)
    keys = asyncio.run(prepare(settings.database))
    visits: list[Visit] = []

    async def ready(laurels: Laurels, address: str) -> None:
        user, badge = await one_message_short(laurels, BRINK_ID)
        visit = await visit_as(user, badge, laurels, address, keys)
        visits.append(visit)
        if json:
            emit(visit)
        else:
            _show(visit, badge, settings)
        if to_open:
            await asyncio.to_thread(webbrowser.open, visit.playground)

    try:
        serve_until_stopped(serving(settings, catalog), settings, ready, playground=keys.app)
    finally:
        asyncio.run(leave(settings.database, visits))


def _show(visit: Visit, badge: Badge, settings: Settings) -> None:
    """Print it for people. Each command is alone on its line, without line breaks, to be copied."""
    to = console()

    def line(text: str = "", style: str = "") -> None:
        to.print(Text(text, style=style), soft_wrap=True)

    line()
    line(f"  Playground: {visit.playground}", "bold")
    line()
    line(f"  documentation  {visit.address}/docs")
    line(f"  session        {visit.session}")
    line(f"  API key        {visit.key}")
    line(f"  console        {visit.console}  with the admin key {visit.admin_key}")
    line()
    line(f"  You are {visit.name} ({visit.user_id}), one message short of {badge.icon} {badge.name}.")
    line()
    line("  1. Read the profile, which also counts as today's login:", "bold")
    line()
    line(visit.commands[0], "cyan")
    line()
    line(f"  2. Send the message, then read the profile again: it has the badge {badge.name}.", "bold")
    line()
    line(visit.commands[1], "cyan")
    line()
    line("  The same profile in the terminal, and the leaderboard of last week:", "dim")
    line()
    laurels = ("laurels",) if shutil.which("laurels") else (sys.executable, "-m", "laurels")
    options = ("--database", settings.database.url.reveal())
    line(shlex.join((*laurels, "user", "show", visit.user_id, *options)), "dim")
    last_week = ("leaderboard", "weekly", "--period", "previous", "--me", visit.user_id)
    line(shlex.join((*laurels, *last_week, *options)), "dim")
    line()
    line("  Press Ctrl-C to stop.", "dim")
    to.file.flush()
