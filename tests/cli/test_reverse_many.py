"""`laurels user reverse` with several events."""

from __future__ import annotations

from tests.cli.conftest import Cli

EVENTS = "".join(f'{{"userId": "ada", "id": "a{number}", "type": "agent.created"}}\n' for number in range(3))


def test_several_events_of_a_user_are_reversed_by_one_command(cli: Cli) -> None:
    cli("record", cli.file("events.jsonl", EVENTS))

    first = cli("user", "reverse", "ada", "a0", "a1", "--reason", "a script", "--json").json
    again = cli("user", "reverse", "ada", "a0", "a1", "a2", "--reason", "a script")
    profile = cli("user", "show", "ada", "--json").json

    assert [one["status"] for one in first["results"]] == ["applied", "applied"]
    assert (again.code, again.err) == (0, "Reversed 1 event of 'ada'; 2 had been reversed before.\n")
    assert profile["profile"]["points"] == 0


def test_an_invalid_event_id_is_named(cli: Cli) -> None:
    cli("record", cli.file("events.jsonl", EVENTS))

    ended = cli("user", "reverse", "ada", "a0", "", "--reason", "a script")

    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
