"""A number that is not whole is refused wherever a command takes one, not rounded and not converted."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli

WRONG = ["1.5", "0x10", "80.6", "1e3", "1_000", "0b11", "ten", "", "٣"]


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
    ],
    ids=" ".join,
)
def test_a_number_that_is_not_whole_is_refused(cli: Cli, command: list[str], number: str) -> None:
    ended = cli(*(number if word == "NUMBER" else word for word in command))

    assert ended.code == 2
    assert f"'{number}' is not a whole number; write digits only, such as 15" in ended.err
    assert list(cli.folder.iterdir()) == []


@pytest.mark.parametrize("number", ["80.6", "0x10", "1_000"])
def test_a_setting_that_is_not_whole_is_refused(cli: Cli, number: str) -> None:
    ended = cli("settings", "--port", number)

    assert ended.code == 2
    assert "server.port (--port) must be a whole number" in ended.err


@pytest.mark.parametrize(("amount", "after"), [("15", 15), ("+15", 15), ("015", 15)])
def test_a_whole_number_is_taken(cli: Cli, amount: str, after: int) -> None:
    line = '{"userId": "ada", "id": "1", "type": "message.sent"}'
    cli("record", cli.file("one.jsonl", line), "--database", cli.database)

    ended = cli("user", "adjust", "ada", amount, "--reason", "a gift", "--database", cli.database, "--json")

    assert ended.json["points"] == {"before": 0, "after": after}
