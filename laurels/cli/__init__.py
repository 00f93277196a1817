"""The command line. Each command is one file; it is imported when it runs, so that `laurels --version` waits for none.

Exit codes:
    0    it was done
    1    some items were rejected, or a check found something
    2    a fault in the command, a setting or the catalog
    3    what was asked for does not exist
    4    the database cannot be reached, or its schema is not this version's
    130  interrupted
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError

from laurels.engine.adjustments import kinds_for
from laurels.errors import (
    AdjustmentNotFound,
    AmnestyNotFound,
    BadgeNotFound,
    CatalogError,
    InvalidInput,
    LaurelsError,
    LeaderboardNotFound,
    NotEmpty,
    PeriodNotFound,
    SettingsError,
    StoreError,
    StreakNotFound,
    UserErased,
    UserNotFound,
)

OK, REJECTED, FAULT, NOT_FOUND, DATABASE, INTERRUPTED = 0, 1, 2, 3, 4, 130
BROKEN_PIPE = 141

EXITS: dict[type[Exception], int] = {
    LaurelsError: REJECTED,
    InvalidInput: FAULT,
    SettingsError: FAULT,
    CatalogError: FAULT,
    CycloptsError: FAULT,
    UserNotFound: NOT_FOUND,
    UserErased: NOT_FOUND,
    AdjustmentNotFound: NOT_FOUND,
    BadgeNotFound: NOT_FOUND,
    StreakNotFound: NOT_FOUND,
    LeaderboardNotFound: NOT_FOUND,
    PeriodNotFound: NOT_FOUND,
    AmnestyNotFound: NOT_FOUND,
    StoreError: DATABASE,
    NotEmpty: FAULT,
}
"""The one table that gives errors their exit codes; the nearest class in an error's tree counts."""


MODULES = {"leaderboard": "leaderboards", "copy": "copying", "backup": "copying", "restore": "copying"}
"""Where a command lies that has no file of its own name."""


def version() -> str:
    """'laurels 0.1.0'."""
    from importlib import metadata  # noqa: PLC0415  # only --version needs it

    return f"laurels {metadata.version('laurels')}"


def _family(name: str, text: str, **commands: str) -> App:
    """Commands that share a first word, each as 'module:function|help'."""
    family = App(name=name, help=text)
    for command, entry in commands.items():
        path, _, words = entry.partition("|")
        family.command(f"laurels.cli.{path}", name=command, help=words)
    return family


def _app() -> App:
    app = App(
        name="laurels",
        help="Badges, points, levels, daily streaks and leaderboards for the users of any app.",
        version=version,
        version_format="plaintext",
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, words in {
        "serve": "Serve the HTTP API.",
        "demo": "Fill a database with a sample community and serve it.",
        "record": "Record events from a file of JSON lines, or from standard input.",
        "leaderboard": "Show who leads, on any leaderboard and in any period.",
        "migrate": "Bring the database's schema up to date.",
        "settings": "Show each setting, its value, and where it came from.",
        "doctor": "Look for anything that is wrong, and say how to mend it.",
        "explain": "Say why a user has a badge or not, or why a streak is what it is.",
        "rebuild": "Make users and boards anew from events and acts.",
        "verify": "Compare what is stored with a rebuild of it.",
        "copy": "Copy a database into another, empty one, of any engine.",
        "backup": "Write all that a database holds into one file, while servers work.",
        "restore": "Fill an empty database from a backup.",
    }.items():
        app.command(f"laurels.cli.{MODULES.get(name, name)}:{name}", name=name, help=words)
    for family in _families():
        app.command(family)
    return app


def _families() -> list[App]:
    """The commands that share a first word."""
    return [
        _family(
            "user",
            "Look at users, and repair what went wrong with one.",
            show="users:show|Show a user's living profile.",
            history="history:history|Show what happened to a user, newest first.",
            **{kind.command: f"adjustments:{kind.command}|{kind.summary()}" for kind in kinds_for("app")},
            reverse="adjustments:reverse|Reverse an event, with everything it led to.",
            undo="adjustments:undo|Undo any of these.",
        ),
        _family(
            "amnesty",
            "Excuse everybody, or a group, from some days, as after an outage.",
            add="amnesties:add|Excuse the days from one date to another.",
            list="amnesties:list_amnesties|List all amnesties; lifted ones, too.",
            lift="amnesties:lift|Let the days of an amnesty be required again.",
        ),
        _family(
            "clock",
            "The clock of a sandbox: a database for tests, in which time can be set and moved.",
            show="clock:show|Show where the clock stands, and whether it can be moved.",
            set="clock:set_to|Set the clock to a moment.",
            advance="clock:advance|Move the clock on.",
        ),
        _family(
            "catalog",
            "Look at what can be earned.",
            check="catalog:check|Check a catalog file, and report every fault in it.",
            show="catalog:show|Show the levels, badges and leaderboards.",
        ),
        _family(
            "key",
            "Make and revoke the API keys of your app's back end.",
            create="keys:create|Make a key and print it, once.",
            list="keys:list_keys|List all keys; the keys themselves are not kept.",
            revoke="keys:revoke|Revoke a key, at once for every server.",
        ),
    ]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended; an error becomes its lines on standard error."""
    try:
        return _app()(list(arguments), exit_on_error=False, print_error=False) or OK
    except (LaurelsError, CycloptsError) as error:
        _complain(error)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def exit_code(error: Exception) -> int:
    """The exit code of an error."""
    return next(EXITS[kind] for kind in type(error).__mro__ if kind in EXITS)


def _complain(error: Exception) -> None:
    """What is wrong, a line for each fault of a catalog and one line for everything else."""
    lines = map(str, error.faults) if isinstance(error, CatalogError) else [" ".join(str(error).split())]
    sys.stderr.writelines(f"laurels: {line}\n" for line in lines)


def main() -> NoReturn:
    """The `laurels` command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets it escaped, never a crash.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text files here
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
