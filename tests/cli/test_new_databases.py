"""A mistyped address: a command that makes a database says so, and a key is made in a new one only on demand."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli

LINE = '{"userId": "ada", "id": "1", "type": "message.sent"}\n'


@pytest.mark.parametrize("more", [[], ["--admin"], ["--json"]])
def test_a_key_is_not_created_in_a_database_that_does_not_exist(cli: Cli, more: list[str]) -> None:
    ended = cli("key", "create", "--name", "app", *more, "--database", cli.database)

    assert (ended.code, ended.out) == (4, "")
    assert ended.err == f"laurels: there is no database at {cli.folder / 'laurels.db'}; add --create to create it\n"
    assert list(cli.folder.iterdir()) == []


def test_with_create_the_database_is_created_once_and_the_command_says_so(cli: Cli) -> None:
    create = ("key", "create", "--scope", "all", "--database", cli.database)
    first = cli(*create, "--create", "--name", "app")
    second = cli(*create, "--create", "--name", "other")
    third = cli(*create, "--name", "third")

    assert first.err == f"Created a new database, {cli.database}.\n"
    assert (second.code, second.err, third.code, third.err) == (0, "", 0, "")


def test_record_says_that_it_created_the_database(cli: Cli) -> None:
    events = cli.file("events.jsonl", LINE)
    first = cli("record", events, "--database", cli.database)
    second = cli("record", events, "--database", cli.database)

    assert first.err == f"Created a new database, {cli.database}.\n1 recorded, 0 duplicates, 0 rejected\n"
    assert second.err == "0 recorded, 1 duplicates, 0 rejected\n"


@pytest.mark.parametrize("command", [["set", "2026-03-01T09:00:00Z"], ["advance", "--days", "1"]])
def test_moving_a_clock_says_that_it_created_the_database(cli: Cli, command: list[str]) -> None:
    assert f"Created a new database, {cli.database}.\n" in cli("clock", *command, "--database", cli.database).err
    assert "Created" not in cli("clock", "advance", "--days", "1", "--database", cli.database).err
