"""A number that is not whole is refused wherever a command takes one, not rounded and not converted."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from cyclopts import App, Argument

from laurels.cli import app
from laurels.cli.options import decimal_number, whole_number
from laurels.configuration import settings_in
from laurels.settings import Settings
from tests.cli.conftest import Cli

WRONG = ["1.5", "0x10", "80.6", "1e3", "1_000", "0b11", "ten", "", " 5", "٣"]
CONVERTERS = {"int": whole_number, "float": decimal_number}


def arguments(commands: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Argument]]:
    """Every argument of every command, with the command."""
    for name in commands.resolved_commands():
        if not name.startswith("-"):
            command = commands[name]
            yield from arguments(command, (*path, name))
            if command.default_command:
                yield from ((" ".join((*path, name)), one) for one in command.assemble_argument_collection())


NUMBERS = [
    (f"{command} {argument.names[0]}", argument, kind)
    for command, argument in arguments(app())
    for kind in CONVERTERS
    if kind in str(argument.hint)
]
WHOLE_SETTINGS = [
    row.option for row in settings_in(Settings) if "int" in str(msgspec.inspect.type_info(row.type)).lower()
]


def test_every_number_of_every_command_is_read_as_a_person_types_it() -> None:
    assert len(NUMBERS) >= 12
    assert [name for name, argument, kind in NUMBERS if argument.parameter.converter is not CONVERTERS[kind]] == []


@pytest.mark.parametrize("number", WRONG)
@pytest.mark.parametrize(
    "command",
    [
        ["user", "adjust", "ada", "NUMBER", "--reason", "a gift"],
        ["user", "freeze", "ada", "login", "NUMBER", "--reason", "a gift"],
        ["user", "history", "ada", "--limit", "NUMBER"],
        ["user", "history", "ada", "--before", "NUMBER"],
        ["explain", "ada", "--streak", "login", "--days", "NUMBER"],
        ["leaderboard", "--limit", "NUMBER"],
        ["demo", "--users", "NUMBER"],
        ["demo", "--seed", "NUMBER"],
        ["demo", "--days", "NUMBER"],
        ["verify", "--processes", "NUMBER"],
    ],
    ids=" ".join,
)
def test_a_number_that_is_not_whole_is_refused(cli: Cli, command: list[str], number: str) -> None:
    ended = cli(*(number if word == "NUMBER" else word for word in command))

    assert ended.code == 2
    assert f"'{number}' is not a whole number; write digits only, such as 15" in ended.err
    assert list(cli.folder.iterdir()) == []


@pytest.mark.parametrize("number", [one for one in WRONG if "." not in one])
def test_a_number_that_is_not_written_in_digits_is_refused(cli: Cli, number: str) -> None:
    for unit in ("--days", "--hours"):
        ended = cli("clock", "advance", unit, number, "--database", cli.database)

        assert ended.code == 2
        assert f"'{number}' is not a number; write digits and at most one dot, such as 1.5" in ended.err
    assert list(cli.folder.iterdir()) == []


@pytest.mark.parametrize("number", WRONG)
@pytest.mark.parametrize("setting", WHOLE_SETTINGS)
def test_a_setting_that_is_not_whole_is_refused(cli: Cli, setting: str, number: str) -> None:
    ended = cli("settings", f"{setting}={number}")

    assert ended.code == 2
    assert f"({setting}) must be a whole number from" in ended.err


@pytest.mark.parametrize(("amount", "after"), [("15", 15), ("+15", 15), ("015", 15)])
def test_a_whole_number_is_taken(cli: Cli, amount: str, after: int) -> None:
    line = '{"userId": "ada", "id": "1", "type": "message.sent"}'
    cli("record", cli.file("one.jsonl", line), "--database", cli.database)

    ended = cli("user", "adjust", "ada", amount, "--reason", "a gift", "--database", cli.database, "--json")

    assert ended.json["points"] == {"before": 0, "after": after}
