"""The command line. Each command is one file, which is imported when the command runs, so that `laurels --version` is fast.

Exit codes:
    0    success
    1    some items were rejected, or a check found something
    2    an error in the command, a setting or the catalog, or a missing package
    3    the user, badge or other thing does not exist
    4    the database cannot be reached, or its schema has another version
    5    the output could not be written: the disk is full, or standard output is closed
    130  interrupted
    141  the reader of the output has ended
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError

from laurels.cli.streams import OutputError, discard_output, prepare_streams
from laurels.engine.adjustments import kinds_for
from laurels.errors import (
    AdjustmentNotFound,
    AmnestyNotFound,
    BadgeNotFound,
    CatalogDiffers,
    CatalogError,
    InvalidInput,
    LaurelsError,
    LeaderboardNotFound,
    NotEmpty,
    PeriodNotFound,
    SessionNotFound,
    SettingsError,
    StoreError,
    StreakNotFound,
    UserErased,
    UserNotFound,
)
from laurels.extras import missing_extra

OK, REJECTED, FAULT, NOT_FOUND, DATABASE, OUTPUT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
BROKEN_PIPE = 141

EXITS: dict[type[Exception], int] = {
    LaurelsError: REJECTED,
    InvalidInput: FAULT,
    SettingsError: FAULT,
    CatalogDiffers: FAULT,
    CatalogError: FAULT,
    CycloptsError: FAULT,
    UserNotFound: NOT_FOUND,
    UserErased: NOT_FOUND,
    SessionNotFound: NOT_FOUND,
    AdjustmentNotFound: NOT_FOUND,
    BadgeNotFound: NOT_FOUND,
    StreakNotFound: NOT_FOUND,
    LeaderboardNotFound: NOT_FOUND,
    PeriodNotFound: NOT_FOUND,
    AmnestyNotFound: NOT_FOUND,
    StoreError: DATABASE,
    NotEmpty: FAULT,
}
"""Exit codes of errors; the nearest base class in this table counts."""


MODULES = {
    "leaderboard": "leaderboards",
    "copy": "copying",
    "backup": "copying",
    "restore": "copying",
    "diff": "past",
    "bisect": "past",
}
"""Modules of commands whose file has another name."""


def version() -> str:
    """The text for --version, such as 'laurels 0.1.0'."""
    from importlib import metadata  # noqa: PLC0415  # only --version needs it

    return f"laurels {metadata.version('laurels')}"


def _family(name: str, text: str, **commands: str) -> App:
    """Commands that share a first word, each given as 'module:function|help'."""
    family = App(name=name, help=text)
    for command, entry in commands.items():
        path, _, words = entry.partition("|")
        family.command(f"laurels.cli.{path}", name=command, help=words)
    return family


def app() -> App:
    """All commands."""
    made = App(
        name="laurels",
        help="Badges, points, levels, daily streaks and leaderboards for the users of any app.",
        version=version,
        version_format="plaintext",
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, words in {
        "serve": "Serve the HTTP API.",
        "demo": "Serve a sample community to try Laurels with.",
        "record": "Record events from a JSON Lines file or standard input.",
        "leaderboard": "Show a leaderboard, for any period.",
        "migrate": "Create the database, or update its schema.",
        "settings": "Show each setting, its value, and its source.",
        "doctor": "Find problems, and how to fix them.",
        "explain": "Explain why a user has a badge or not, or how a streak was computed.",
        "diff": "Show what changed for a user between two times.",
        "bisect": "Find the change after which a user has a badge, a level or points.",
        "simulate": "Run scenario files, or replay the history under another catalog.",
        "rebuild": "Recompute users and leaderboards from events and adjustments.",
        "verify": "Compare stored users with a recomputation.",
        "copy": "Copy a database into an empty one, of the same or another engine.",
        "backup": "Write a database into one file, while servers run.",
        "restore": "Fill an empty database from a backup.",
        "audit": "Print who did what, as JSON lines.",
    }.items():
        made.command(f"laurels.cli.{MODULES.get(name, name)}:{name}", name=name, help=words)
    for family in _families():
        made.command(family)
    return made


def _families() -> list[App]:
    """The commands that share a first word."""
    return [
        _users(),
        *_removals(),
        _family(
            "amnesty",
            "Excuse all users, or a group, from some days, such as those of an outage.",
            add="amnesties:add|Add an amnesty for a range of days.",
            list="amnesties:list_amnesties|List all amnesties, also those that were lifted.",
            lift="amnesties:lift|End an amnesty: its days are required again.",
        ),
        _family(
            "clock",
            "Show and move the clock of a sandbox, a database for tests.",
            show="clock:show|Show the time, and whether it can be moved.",
            set="clock:set_to|Set the clock to a time.",
            advance="clock:advance|Move the clock forward.",
        ),
        _catalogs(),
        _keys(),
        _secrets(),
    ]


def _users() -> App:
    """The commands about one user."""
    return _family(
        "user",
        "Show users, adjust them, sign them out, and erase them.",
        show="users:show|Show a user's profile.",
        history="history:history|Show a user's history, newest first.",
        export="users:export|Print everything that is stored about a user, as JSON.",
        **{kind.command: f"adjustments:{kind.command}|{kind.summary()}" for kind in kinds_for("app")},
        reverse="adjustments:reverse|Reverse an event, with all its effects.",
        undo="adjustments:undo|Undo an adjustment.",
        erase="erasing:erase|Erase all data of a user.",
        restore="erasing:restore_user|Undo the pending erasure of a user.",
        sessions="sessions:list_sessions|List the sessions of a user.",
        **{"sign-out": "sessions:sign_out|End all sessions of a user."},
    )


def _keys() -> App:
    """The commands about keys."""
    return _family(
        "key",
        "Create and revoke API keys and admin keys.",
        create="keys:create|Create a key and print it. It is shown only once.",
        list="keys:list_keys|List all keys, by name and first characters.",
        revoke="keys:revoke|Revoke a key. All servers refuse it immediately.",
        **{"reset-totp": "keys:reset_totp|Remove the second factor of an admin key, and end its sessions."},
    )


def _removals() -> list[App]:
    """The commands about what is erased or removed."""
    return [
        _family(
            "erasures",
            "List and run pending erasures, and list erased users and take what is left of them out of a file.",
            list="erasing:list_pending|List the users who are to be erased.",
            run="erasing:run_due|Erase the users who are due, and finish what is left.",
            export="erasures:export|Write the list of erased users, as hashes, into a file.",
            clean="erasures:clean|Rewrite an SQLite file, so that nothing of erased users is left in it.",
        ),
        _family(
            "retention",
            "Remove what is older than the settings keep it.",
            run="retention:run|Remove old sessions, notifications and rows of the audit now.",
        ),
    ]


def _catalogs() -> App:
    """The commands about catalog files and the catalog of the database."""
    return _family(
        "catalog",
        "Write and check catalog files, and show and change the catalog of the database.",
        init="catalog_files:init|Write a catalog to start from.",
        check="catalog:check|Check a catalog file, and report all errors.",
        show="catalog:show|Show the levels, badges and leaderboards.",
        schema="catalog_files:schema|Print the JSON Schema of catalog files, for editors.",
        plan="planning:plan|Show what putting a catalog in force would do, without doing it.",
        rollback="revisions:rollback|Put an earlier revision in force again, as the next one.",
        apply="revisions:apply|Put a catalog in force, as the next revision of the database's catalog.",
        adopt="revisions:adopt|Store the catalog of a database that an earlier version made.",
        history="revisions:history|List the revisions of the database's catalog.",
    )


def _secrets() -> App:
    """The commands about the file with the keys of the database."""
    return _family(
        "secret",
        "Move the secret of the database into a file, and replace the key there.",
        move="secrets:move|Move the secret into the file of the setting database.secret_file.",
        rotate="secrets:rotate|Use a new key from now on. The one before is still accepted.",
        **{"drop-old": "secrets:drop_old|End a rotation: the key before is used no longer."},
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are printed to standard error."""
    try:
        return app()(list(arguments), exit_on_error=False, print_error=False) or OK
    except (LaurelsError, CycloptsError) as error:
        return _failed(error)
    except ImportError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        return _failed(missing)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputError as error:
        return _output_failed(error)


def exit_code(error: Exception) -> int:
    """The exit code of an error."""
    return next(EXITS[kind] for kind in type(error).__mro__ if kind in EXITS)


def _failed(error: Exception) -> int:
    """Print an error, one line for each fault of a catalog and one line for any other, and return its exit code."""
    from laurels.storage import without_password  # noqa: PLC0415  # only a failure needs it

    lines = map(str, error.faults) if isinstance(error, CatalogError) else [" ".join(str(error).split())]
    sys.stderr.writelines(f"laurels: {without_password(line)}\n" for line in lines)
    return exit_code(error)


def _output_failed(error: OutputError) -> int:
    """Print why the output could not be written, and return the exit code."""
    discard_output()
    sys.stderr.write(f"laurels: standard output cannot be written: {error.strerror or 'unknown error'}\n")
    return BROKEN_PIPE if error.reader_ended else OUTPUT


def main() -> NoReturn:
    """The `laurels` command."""
    prepare_streams()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OutputError as error:
        code = _output_failed(error)
    sys.exit(code)
