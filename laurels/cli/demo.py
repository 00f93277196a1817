"""`laurels demo`: a believable community in a sandbox, served, with a playground and two commands to try at once."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.auth.keys import create_key
from laurels.auth.sessions import COOKIE, Sessions
from laurels.cli import OK
from laurels.cli.options import Json, Options, option, read
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import console, steps_progress
from laurels.demo.filling import demo_catalog, fill, is_filled, on_the_brink, steps
from laurels.demo.playground import PATH as PLAYGROUND
from laurels.demo.sample import BRINK_ID, SEED, community
from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.errors import InvalidInput, SettingsError
from laurels.server.run import is_free, log_to_stderr, serve_until_stopped
from laurels.service.laurels import Laurels, utc_now
from laurels.service.opening import address_of_file, database_file, existing, laurels_over, made, serving
from laurels.settings import Settings
from laurels.storage import without_password
from laurels.storage.contract import UserRow

API = "/api/gamification"
CONSOLE = "/console"


class Visit(msgspec.Struct, frozen=True, rename="camel"):
    """What whoever tries the demo is given. `commands`: read the profile, then send the event that earns the badge."""

    address: str
    playground: str
    user_id: str
    name: str
    badge: str
    session: str
    key: str
    console: str
    admin_key: str
    commands: tuple[str, str]


def demo(
    *,
    database: Annotated[
        str | None,
        Parameter(help="sqlite:///FILE to make and keep, or to use again; left out: a file for this run only"),
    ] = None,
    host: Annotated[str | None, option("host")] = None,
    port: Annotated[int | None, option("port")] = None,
    users: Annotated[int, Parameter(help="how many members", validator=Number(gte=1, lte=100_000))] = 240,
    days: Annotated[int, Parameter(help="for how many days", validator=Number(gte=7, lte=3650))] = 90,
    seed: Annotated[int, Parameter(help="the same seed gives everybody the same points")] = SEED,
    open_: Annotated[
        bool, Parameter(name="--open", help="open the playground in a browser, where a terminal and a display show it")
    ] = True,
    fill_only: Annotated[
        bool, Parameter(negative=(), help="fill the database and end; needs --database", show_default=False)
    ] = False,
    json: Json = False,
) -> int:
    """Fill a database with a sample community and serve it: months of days, streaks, badges and late events.

    Prints the address of the playground, a session, an API key, and two commands to copy: read a profile, send an event.
    Run the first, the second, and the first again, and a badge has appeared. It is a sandbox: its time can be moved.
    """
    if fill_only and database is None:
        raise InvalidInput(
            "--fill-only", "--fill-only needs --database: the file of this run alone is deleted at its end"
        )
    with _cleaned_up_when_told_to_stop(), _file(database) as file:
        settings = _settings(file, host, port)
        catalog = Catalog.parse(demo_catalog())
        if file.exists():
            asyncio.run(_check_filled(settings, catalog))
        else:
            _fill(file, catalog, seed, users, days)
        Path(settings.catalog).write_text(demo_catalog(), "utf-8")
        if fill_only:
            _say_filled(settings, json=json)
        else:
            _serve(settings, catalog, json=json, to_open=open_ and not json and _can_be_seen())
    return OK


@contextmanager
def _cleaned_up_when_told_to_stop() -> Iterator[None]:
    """Takes SIGTERM as Ctrl-C: the file of this run alone goes also when the filling is stopped."""
    kept = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


@contextmanager
def _file(database: str | None) -> Iterator[Path]:
    """The file to use: the one that was named, or one in a folder that goes at the end."""
    if database is None:
        with tempfile.TemporaryDirectory(prefix="laurels-demo-") as folder:
            yield Path(folder) / "demo.db"
        return
    file = database_file(database)
    if file is None:
        raise SettingsError(f"the demo cannot use '{database}'; write --database sqlite:///demo.db, or leave it out")
    if not file.parent.is_dir():
        raise SettingsError(f"there is no folder {file.parent}")
    yield file


def _settings(file: Path, host: str | None, port: int | None) -> Settings:
    """The settings in force, over this file and its catalog; where nobody chose a port, one that is free."""
    catalog = file.with_suffix(".catalog.toml")
    options = Options(database=address_of_file(file), catalog=str(catalog), host=host, port=port, workers=1)
    settings, origins = read(options)
    if origins["port"].source == "default" and not is_free(settings.host, settings.port):
        return replace(settings, port=0)
    return settings


async def _check_filled(settings: Settings, catalog: Catalog) -> None:
    """Raise SettingsError for a database that holds anything but a demo: it gets no sample sessions, keys and events."""
    async with existing(settings.database) as store:
        if not await is_filled(laurels_over(store, settings, catalog)):
            raise SettingsError(
                f"{without_password(settings.database)} holds something else than a demo; name another file"
            )


def _fill(file: Path, catalog: Catalog, seed: int, users: int, days: int) -> None:
    now = utc_now()
    began = time.monotonic()
    people = community(seed, users, days, now)
    with steps_progress("Filling the demo", len(steps(people, now))) as advance:
        asyncio.run(fill(file, catalog, people, now, advance))
    size = f"{counted(users, 'member')}, {counted(days, 'day')}, {counted(len(people.sent), 'event')}"
    note(f"Filled the demo in {time.monotonic() - began:.1f} s: {size}.")


def _say_filled(settings: Settings, *, json: bool) -> None:
    if json:
        emit({"database": settings.database, "catalog": settings.catalog})
    else:
        note(f"It is kept in {settings.database}; see it with 'laurels demo --database {settings.database}'.")


# ---- serving it -------------------------------------------------------------------------------


def _can_be_seen() -> bool:
    """Whether somebody at a terminal of this very machine would see a browser open."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _serve(settings: Settings, catalog: Catalog, *, json: bool, to_open: bool) -> None:
    log_to_stderr(settings.log_level)
    keys = asyncio.run(_prepared(settings))

    async def ready(laurels: Laurels, address: str) -> None:
        user, badge = await on_the_brink(laurels, BRINK_ID)
        visit = await _visit(laurels, address, keys, user, badge)
        if json:
            emit(visit)
        else:
            _show(visit, badge, settings)
        if to_open:
            await asyncio.to_thread(webbrowser.open, visit.playground)

    serve_until_stopped(serving(settings, catalog), settings, ready, playground=keys[0])


async def _prepared(settings: Settings) -> tuple[str, str]:
    """New keys, an app's and an admin's, of a demo whose time can be moved, also of one from before demos were sandboxes."""
    async with made(settings.database) as store:
        if await store.clock_offset() is None:
            await store.set_clock_offset(timedelta())
        run = secrets.token_hex(4)
        key = await create_key(store, f"demo-{run}", utc_now())
        return key, await create_key(store, f"demo-admin-{run}", utc_now(), "admin")


async def _visit(laurels: Laurels, address: str, keys: tuple[str, str], user: UserRow, badge: Badge) -> Visit:
    """A session, and the two commands."""
    key, admin_key = keys
    session = await Sessions(laurels).create(user.user_id, timedelta(days=1))
    cookie = f"{COOKIE}={session.token}"
    event = {"userId": user.user_id, "id": f"message-{secrets.token_hex(4)}", "type": "message.sent"}
    body = msgspec.json.encode(event).decode()
    read_profile = ("curl", "-s", "-w", r"\n", "-b", cookie, f"{address}{API}/profile")
    headers = ("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json")
    send_event = ("curl", "-s", "-w", r"\n", *headers, "-d", body, f"{address}{API}/events")
    commands = (shlex.join(read_profile), shlex.join(send_event))
    name = user.name or user.user_id
    return Visit(
        address, address + PLAYGROUND, user.user_id, name, badge.id, cookie, key, address + CONSOLE, admin_key, commands
    )


def _show(visit: Visit, badge: Badge, settings: Settings) -> None:
    """All of it for people. The commands stand alone on their lines, unbroken, to be copied."""
    to = console()

    def line(text: str = "", style: str = "") -> None:
        to.print(Text(text, style=style), soft_wrap=True)

    line()
    line(f"  Play with it: {visit.playground}", "bold")
    line()
    line(f"  documentation  {visit.address}/docs")
    line(f"  session        {visit.session}")
    line(f"  API key        {visit.key}")
    line(f"  console        {visit.console}  with the key {visit.admin_key}")
    line()
    line(f"  You are {visit.name} ({visit.user_id}), one message short of {badge.icon} {badge.name}.")
    line()
    line("  1. Read the profile; this is also today's login:", "bold")
    line()
    line(visit.commands[0], "cyan")
    line()
    line(f"  2. Send the message, then read the profile again: {badge.name} has moved to its badges.", "bold")
    line()
    line(visit.commands[1], "cyan")
    line()
    line("  The same profile in a terminal, and the leaderboard of last week:", "dim")
    line()
    laurels = ("laurels",) if shutil.which("laurels") else (sys.executable, "-m", "laurels")
    options = ("--database", settings.database, "--catalog", settings.catalog)
    line(shlex.join((*laurels, "user", "show", visit.user_id, *options)), "dim")
    last_week = ("leaderboard", "weekly", "--period", "previous", "--me", visit.user_id)
    line(shlex.join((*laurels, *last_week, *options)), "dim")
    line()
    line("  Ctrl-C stops the demo.", "dim")
    to.file.flush()
