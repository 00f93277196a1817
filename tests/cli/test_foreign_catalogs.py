"""Every command with a catalog file: with a foreign one, with none, and with an older one, no user changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from laurels.cli import app
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.testing import TestClock
from tests.cli.conftest import Cli
from tests.support import badge, catalog_text, contents, count

NOW = datetime.now(UTC)
DEFAULT = Path(__file__).parents[2] / "laurels/engine/default.toml"

USER = ("ada", "--reason", "a test")
COMMANDS: dict[str, tuple[str, ...]] = {
    "record": ("events.jsonl",),
    "leaderboard": ("--close",),
    "explain": ("ada", "first"),
    "rebuild": (),
    "verify": ("--processes", "1"),
    "user show": ("ada",),
    "user export": ("ada",),
    "user grant": ("ada", "gift", "--reason", "a test"),
    "user revoke": ("ada", "first", "--reason", "a test"),
    "user adjust": ("ada", "5", "--reason", "a test"),
    "user exclude": USER,
    "user freeze": ("ada", "login", "1", "--reason", "a test"),
    "user pause": ("ada", "login", "--from", "2026-01-01", "--to", "2026-01-02", "--reason", "a test"),
    "user repair": ("ada", "login", "2026-01-01", "--reason", "a test"),
    "user zone": ("ada", "Asia/Tokyo", "--from", "2026-01-01", "--to", "2026-01-02", "--reason", "a test"),
    "user reverse": ("ada", "m-1", "--reason", "a test"),
    "user undo": ("ada", "grant-1"),
}
"""Every command that judges or shows users, with arguments."""

OF_FILES = {"catalog show", "catalog check", "doctor", "serve", "copy", "restore", "settings", "simulate"}
"""Commands that take a catalog file for another purpose; each has a test of its own."""

BY_SETTINGS: dict[str, tuple[str, ...]] = {
    "migrate": (),
    "user history": ("ada",),
    "diff": ("ada", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    "bisect": ("ada", "--points", "1"),
    "user sessions": ("ada",),
    "user sign-out": ("ada",),
    "audit": (),
    "erasures export": (),
    "erasures clean": (),
    "retention run": (),
    "erasures list": (),
    "erasures run": (),
    "user restore": ("ada",),
    "amnesty add": ("--from", "2026-01-01", "--to", "2026-01-02", "--reason", "a test"),
    "amnesty list": (),
    "amnesty lift": ("AMNESTY",),
    "clock show": (),
    "clock set": ("2026-03-01T09:00:00Z", "--mark-as-sandbox"),
    "clock advance": ("--days", "1", "--mark-as-sandbox"),
    "key create": ("--name", "app"),
    "key list": (),
    "key revoke": ("first",),
    "key reset-totp": ("first",),
    "secret move": ("--secret-file", "laurels.key"),
    "secret rotate": ("--secret-file", "laurels.key"),
    "secret drop-old": ("--secret-file", "laurels.key"),
    "backup": ("backup.db",),
    "catalog apply": ("mine.toml", "--reason", "a test"),
    "catalog plan": ("mine.toml",),
    "catalog rollback": ("2",),
    "catalog adopt": ("foreign.toml",),
    "catalog history": (),
}
"""Every other command of a database, with arguments: the settings may name a catalog file."""

ERASES = {"user erase"}
"""Changes its user, whatever file there is; see test_erasing.py."""

ALONE = {"demo", "catalog init", "catalog schema"}
"""Commands that never use the database of the settings."""

WRITE_NOTHING = {"leaderboard", "explain", "rebuild", "verify", "user show"}


def rules(points: int) -> str:
    badges = [badge("first", points, metric="messages", at_least=1), badge("gift", 1, metric="messages", at_least=9)]
    return catalog_text(metrics={"messages": count("message")}, badges=badges)


@pytest.fixture
def bound(cli: Cli) -> Cli:
    """Three users, judged by mine.toml; older.toml was in force before, and foreign.toml never was."""
    for name, points in (("older", 3), ("mine", 5), ("foreign", 500)):
        cli.file(f"{name}.toml", rules(points))
    cli.file("events.jsonl", '{"userId": "eve", "id": "e", "type": "message"}\n')

    async def fill() -> None:
        clock = TestClock(NOW - timedelta(days=2))
        async with Laurels.open(cli.database, Catalog.parse(rules(3)), clock=clock) as laurels:
            for user in ("ada", "bob", "cyd"):
                await laurels.record(Event(user, "m-1", "message"))

    asyncio.run(fill())
    assert cli("catalog", "apply", "mine.toml", "--reason", "a test", "--database", cli.database).code == 0
    assert cli("rebuild", "--database", cli.database).code == 0
    assert (
        cli("user", "grant", "ada", "gift", "--reason", "a test", "--id", "grant-1", "--database", cli.database).code
        == 0
    )
    return cli


def stored(cli: Cli) -> dict[str, Any]:
    """All that is stored, without the times of maintenance runs."""

    async def read() -> dict[str, Any]:
        store = open_store(cli.database)
        found = await contents(store)
        await store.close()
        return found

    found = asyncio.run(read())
    del found["maintenance_runs"]
    return found


def users(found: dict[str, Any], *, but: set[str]) -> list[Any]:
    """The rows of all tables that belong to users, without those of some."""
    names = {"users", "events", "awards", "ledger", "outbox", "standings", "adjustments"}
    return [row for table in sorted(names) for row in found[table] if not but & {*map(str, row)}]


def every_command(commands: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """The commands of an app, each with its options."""
    for name in commands.resolved_commands():
        if not name.startswith("-"):
            command = commands[name]
            yield from every_command(command, (*path, name))
            if command.default_command:
                options = {option for one in command.assemble_argument_collection() for option in one.names}
                yield " ".join((*path, name)), options


def test_the_lists_have_every_command() -> None:
    found = dict(every_command(app()))
    taking = {name for name, options in found.items() if "--catalog" in options} | {"catalog check"}
    assert taking == COMMANDS.keys() | OF_FILES
    assert found.keys() - taking == BY_SETTINGS.keys() | ALONE | ERASES


@pytest.mark.parametrize("file", ["foreign.toml", "older.toml"])
@pytest.mark.parametrize("command", COMMANDS)
def test_another_file_exits_2_names_both_and_changes_nothing(bound: Cli, command: str, file: str) -> None:
    before = stored(bound)

    ended = bound(*command.split(), *COMMANDS[command], "--database", bound.database, "--catalog", file)

    assert (ended.code, ended.out) == (2, "")
    assert f"'{file}'" in ended.err
    assert "revision 2" in ended.err
    assert f"laurels catalog apply {file}" in ended.err
    assert stored(bound) == before


@pytest.mark.parametrize("given", [(), ("--catalog", "mine.toml")], ids=["none", "its own"])
@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_file_the_database_judges(bound: Cli, command: str, given: tuple[str, ...]) -> None:
    before = stored(bound)

    ended = bound(*command.split(), *COMMANDS[command], "--database", bound.database, *given)

    assert ended.code in (0, 1, 3), ended.err  # 1 and 3: nothing to repair, or to undo
    after = stored(bound)
    touched = set[str]() if command in WRITE_NOTHING else {"ada", "eve"}
    assert users(after, but=touched) == users(before, but=touched)
    assert after["catalog_revisions"] == before["catalog_revisions"]
    assert {row[-1] for row in after["ledger"]} <= {1, 2}
    paid = {row[4] for row in after["ledger"] if row[6] == "first"}
    assert paid <= {3, 5, -3, 2}, "the points of the badge, or what a revocation takes back"


@pytest.mark.parametrize("file", ["foreign.toml", "older.toml", ""])
@pytest.mark.parametrize("command", [*COMMANDS, *BY_SETTINGS])
def test_a_file_that_the_settings_name_changes_no_user(
    bound: Cli, command: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [amnesty_of(bound) if one == "AMNESTY" else one for one in (COMMANDS | BY_SETTINGS)[command]]
    before = stored(bound)
    if file:
        monkeypatch.setenv("LAURELS_CATALOG", file)

    ended = bound(*command.split(), *arguments, "--database", bound.database)

    after = stored(bound)
    if file and command in COMMANDS:
        assert (ended.code, after) == (2, before)
    touched = {"ada", "eve"} if command in COMMANDS.keys() - WRITE_NOTHING else set[str]()
    assert users(after, but=touched) == users(before, but=touched)
    assert after["catalog_revisions"] == before["catalog_revisions"]


@pytest.mark.parametrize("command", sorted((COMMANDS | BY_SETTINGS).keys() - {"secret move", "secret drop-old"}))
def test_every_command_takes_the_file_of_the_secret(bound: Cli, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_SECRET_FILE", "laurels.key")
    assert bound("secret", "move", "--database", bound.database).code == 0
    arguments = [amnesty_of(bound) if one == "AMNESTY" else one for one in (COMMANDS | BY_SETTINGS)[command]]

    ended = bound(*command.split(), *arguments, "--database", bound.database)

    assert "database.secret_file" not in ended.err
    assert "Traceback" not in ended.err


def amnesty_of(cli: Cli) -> str:
    """The id of a new amnesty, under which every user has been brought."""
    added = cli("amnesty", "add", *BY_SETTINGS["amnesty add"], "--json", "--database", cli.database).json["id"]
    assert cli("rebuild", "--database", cli.database).code == 0
    return added


def test_the_setting_of_the_folder_is_a_file_too(bound: Cli) -> None:
    bound.file("laurels.toml", '[catalog]\nfile = "foreign.toml"\n')
    assert bound("rebuild", "--database", bound.database).code == 2


@pytest.mark.parametrize("command", [("migrate",), ("key", "create", "--name", "app"), ("doctor",), ("backup", "b.db")])
def test_these_commands_bind_no_catalog(cli: Cli, command: tuple[str, ...]) -> None:
    assert cli("migrate", "--database", cli.database).code == 0
    cli.file("other.toml", rules(1))
    cli(*command, "--database", cli.database)
    assert stored(cli)["catalog_revisions"] == []


def test_doctor_names_a_file_that_is_not_in_force(bound: Cli) -> None:
    ended = bound("doctor", "--database", bound.database, "--catalog", "foreign.toml", "--json")
    (finding,) = (one for one in ended.json["findings"] if one["what"] == "catalog")
    assert ended.code == 1
    assert all(part in finding["found"] for part in ("foreign.toml", "revision 2"))
    assert "laurels catalog apply foreign.toml" in finding["fix"]

    ended = bound("doctor", "--database", bound.database, "--json")
    (finding,) = (one for one in ended.json["findings"] if one["what"] == "catalog")
    assert finding["fix"] == ""
    assert "revision 2" in finding["found"]


def test_history_lists_the_revisions_and_show_shows_the_one_in_force(bound: Cli) -> None:
    listed = bound("catalog", "history", "--database", bound.database, "--json").json["revisions"]
    assert [row["number"] for row in listed] == [1, 2]
    assert (listed[1]["reason"], listed[1]["text"]) == ("a test", rules(5))

    shown = bound("catalog", "show", "--database", bound.database, "--json").json
    assert (shown["revision"], [one["points"] for one in shown["badges"]]) == (2, [5, 1])
    assert bound("catalog", "show", "--toml", "--database", bound.database).out == rules(5) + "\n"
    assert bound("catalog", "show", "--catalog", "foreign.toml", "--json").json["badges"][0]["points"] == 500


def test_applying_the_file_in_force_changes_nothing(bound: Cli) -> None:
    before = stored(bound)
    ended = bound("catalog", "apply", "mine.toml", "--database", bound.database, "--json")
    assert (ended.code, ended.json["isNew"]) == (0, False)
    assert stored(bound) == before


def test_a_file_with_faults_is_not_applied(bound: Cli) -> None:
    bound.file("broken.toml", "levels = []\n")
    before = stored(bound)
    assert bound("catalog", "apply", "broken.toml", "--database", bound.database).code == 2
    assert stored(bound) == before


def test_a_database_of_an_earlier_version_takes_its_own_catalog(bound: Cli) -> None:
    async def forget() -> None:
        store = open_store(bound.database)
        await store._in_transaction(lambda writer: writer.execute("DELETE FROM catalog_revisions"))  # type: ignore[attr-defined]
        await store.close()

    asyncio.run(forget())
    before = stored(bound)

    refused = bound("rebuild", "--database", bound.database)
    assert (refused.code, stored(bound)) == (2, before)
    assert "laurels catalog adopt FILE" in refused.err
    doctor = bound("doctor", "--database", bound.database)
    assert doctor.code == 1
    assert bound("catalog", "apply", "foreign.toml", "--database", bound.database).code == 2
    assert bound("catalog", "adopt", "mine.toml", "--database", bound.database).code == 0
    assert bound("rebuild", "--database", bound.database).code == 0
    assert users(stored(bound), but=set()) == users(before, but=set())
    assert bound("catalog", "adopt", "foreign.toml", "--database", bound.database).code == 2
