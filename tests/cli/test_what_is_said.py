"""What commands say about facts that are easy to mistake: who undid what, what was spent, what is not counted."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli
from tests.support import badge, catalog_text, count

CATALOG = catalog_text(
    metrics={
        "messages": count("message"),
        "time": {"kind": "min", "events": ["run"], "of": "seconds", "one": "second", "many": "seconds"},
    },
    points=[{"id": "message", "events": ["message"], "amount": 10}],
    badges=[badge("fast", metric="time", at_most=60)],
)


@pytest.fixture
def said(cli: Cli) -> Cli:
    """A database with two events of ada."""
    assert cli("migrate", "--database", cli.database).code == 0
    file = cli.file("catalog.toml", CATALOG)
    assert cli("catalog", "apply", file, "--reason", "a test", "--database", cli.database).code == 0
    record(cli, {"id": "m-1", "type": "message"}, {"id": "m-2", "type": "message"})
    return cli


def record(cli: Cli, *events: dict[str, object], options: tuple[str, ...] = ()) -> str:
    file = cli.file("events.jsonl", "".join(json.dumps({"userId": "ada", **event}) + "\n" for event in events))
    ended = cli("record", file, "--database", cli.database, *options)
    assert ended.code == 0, ended.err
    return ended.out if options else ended.err


def test_record_names_types_that_no_rule_counts_and_values_that_are_not_read(said: Cli) -> None:
    events = (
        {"id": "a", "type": "mesage"},
        {"id": "b", "type": "mesage"},
        {"id": "c", "type": "run", "data": {"seconds": "x"}},
    )
    text = record(said, *events)
    assert "3 recorded, 0 duplicates, 0 rejected" in text
    assert "No rule counts 2 events of the type 'mesage'; 'laurels doctor' names similar types." in text
    assert "1 event with a value that a metric cannot read, which is not counted." in text
    again = json.loads(record(said, *events, options=("--json",)))
    assert (again["uncounted"], again["ignored"], again["duplicates"]) == ({"mesage": 2}, 1, 3)


def test_an_explanation_of_a_best_time_says_at_most_and_what_it_is_now(said: Cli) -> None:
    before = said("explain", "ada", "fast", "--database", said.database)
    record(said, {"id": "r", "type": "run", "data": {"seconds": 75}})
    after = said("explain", "ada", "fast", "--database", said.database)
    assert "none yet" in before.out
    assert " ".join(after.out.split()).endswith("60 seconds or less 75 at most 60 not yet")


def test_the_history_says_what_was_spent_and_who_undid_what(said: Cli) -> None:
    options = ("--database", said.database)
    said("user", "adjust", "ada", "5", "--spend", "--reason", "a sticker", "--id", "order", "--actor", "anna", *options)
    said("user", "adjust", "ada", "7", "--reason", "a gift", "--id", "gift", "--actor", "anna", *options)
    assert said("user", "undo", "ada", "gift", "--reason", "wrong user", *options).code == 0
    out = " ".join(said("user", "history", "ada", *options).out.split())
    assert "points spent 5, by" in out
    assert "for anna: a sticker" in out
    assert ": a gift; undone" in out
    assert ": wrong user" in out


def test_reversing_an_event_that_has_not_arrived_says_so(said: Cli) -> None:
    options = ("--reason", "a test", "--database", said.database)
    one = said("user", "reverse", "new", "later", *options)
    more = said("user", "reverse", "ada", "m-1", "later", *options)
    assert "Not recorded yet, and not counted if it is recorded later" in one.out
    assert "Reversed 1 event of 'ada'; 0 had been reversed before." in more.err
    assert "1 event not recorded yet: not counted if recorded later." in more.err
    assert said("user", "show", "new", "--database", said.database).code != 0
