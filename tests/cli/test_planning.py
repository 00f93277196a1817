"""`laurels catalog plan`, `apply --plan` and `rollback`."""

from __future__ import annotations

import csv
import json
import re
import stat
from collections.abc import Sequence

import pytest

from tests.cli.conftest import Cli, Ended
from tests.support import badge, catalog_text, count

RULES = {"metrics": {"messages": count("message")}, "badges": [badge("first", 10, metric="messages", at_least=2)]}
EASIER = catalog_text(**{**RULES, "badges": [badge("first", 15, metric="messages", at_least=1)]})


@pytest.fixture
def bound(cli: Cli) -> Cli:
    """Two users, one of whom has a badge; easier.toml gives it to the other one, too."""
    cli.file("mine.toml", catalog_text(**RULES))
    cli.file("easier.toml", EASIER)
    record(cli, [("ada", "1"), ("bob", "1"), ("bob", "2")])
    return cli


def record(cli: Cli, events: Sequence[tuple[str, str]]) -> None:
    lines = "\n".join(json.dumps({"userId": user, "id": name, "type": "message"}) for user, name in events)
    file = cli.file("events.jsonl", lines)
    assert cli("record", file, "--database", cli.database, "--catalog", cli.folder / "mine.toml").code == 0


def catalog(cli: Cli, *arguments: str) -> Ended:
    return cli("catalog", *arguments, "--database", cli.database)


def points(cli: Cli) -> dict[str, int]:
    lines = cli("leaderboard", "--json", "--database", cli.database).json["standings"]
    return {line["userId"]: line["score"] for line in lines}


def test_a_plan_is_shown_and_its_token_is_the_only_line_for_programs_after_it(bound: Cli) -> None:
    ended = catalog(bound, "plan", str(bound.folder / "easier.toml"))

    assert ended.code == 0
    for line in (
        "badges 'first'.points: from 10 to 15",
        "badges 'first'.when: from '2 messages' to '1 messages'",
        "Warning: the points of all users grow by 150.0 %, from 10 to 25",
        "affected: 1 of 2 users",
        "badge first: gained by 1, lost by 0",
        "points: 10 -> 25; 15 more for 1 user, 0 fewer for 0 users",
        "leaderboard points: lines: 1 new, 0 gone, 0 with another score",
    ):
        assert line in ended.out, line
    assert re.search(r"^ada +0 -> 15 +1 -> 1 +\+first", ended.out, re.MULTILINE)
    assert ended.out.splitlines()[-1].startswith("plan-")
    assert "Computed from the stored progress of users, which suffices: 2 users in" in ended.err
    assert points(bound) == {"bob": 10}


def test_a_plan_as_json_has_the_whole_plan(bound: Cli) -> None:
    plan = catalog(bound, "plan", str(bound.folder / "easier.toml"), "--json", "--inflation", "200").json

    assert (plan["base"], plan["basis"], plan["users"], plan["affected"]) == (1, "progress", 2, 1)
    assert plan["warnings"] == []
    assert plan["badges"] == [{"badge": "first", "gained": 1, "lost": 0, "unqualified": 0, "noneLeft": 0}]
    assert [user["userId"] for user in plan["mostAffected"]] == ["ada"]


def test_a_plan_writes_every_change_into_a_file_that_only_its_owner_reads(bound: Cli) -> None:
    file = bound.folder / "changes.csv"

    assert catalog(bound, "plan", str(bound.folder / "easier.toml"), "--csv", str(file)).code == 0
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["userId", "change", "of", "period", "before", "after"],
        ["ada", "badge gained", "first", "", "0", "1"],
        ["ada", "points", "", "", "0", "15"],
        ["ada", "leaderboard", "points", "all", "", "15"],
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (bound.folder / "changes.csv.unfinished").exists()


def test_the_file_has_no_cell_that_a_spreadsheet_would_run(bound: Cli) -> None:
    record(bound, [("=HYPERLINK(1)", "1")])
    file = bound.folder / "changes.csv"

    assert catalog(bound, "plan", str(bound.folder / "easier.toml"), "--csv", str(file)).code == 0
    assert "'=HYPERLINK(1)," in file.read_text()
    assert "\n=" not in file.read_text()


def test_a_file_that_cannot_be_written_is_named(bound: Cli) -> None:
    ended = catalog(bound, "plan", str(bound.folder / "easier.toml"), "--csv", str(bound.folder / "no" / "such.csv"))

    assert (ended.code, ended.out) == (2, "")
    assert "cannot write" in ended.err
    assert "such.csv" in ended.err


def test_a_planned_catalog_is_applied_for_all_users_at_once(bound: Cli) -> None:
    file = str(bound.folder / "easier.toml")
    token = catalog(bound, "plan", file).out.splitlines()[-1]

    ended = catalog(bound, "apply", file, "--plan", token)

    assert ended.code == 0
    assert "Revision 2 of the catalog is in force" in ended.err
    assert "next read or written" not in ended.err
    assert points(bound) == {"ada": 15, "bob": 10}


def test_users_who_moved_since_the_plan_are_named(bound: Cli) -> None:
    file = str(bound.folder / "easier.toml")
    token = catalog(bound, "plan", file).out.splitlines()[-1]
    record(bound, [("cy", "1")])

    ended = catalog(bound, "apply", file, "--plan", token)

    assert "1 user changed since the plan, which may not be right for them: cy" in ended.err
    assert points(bound) == {"ada": 15, "bob": 10, "cy": 15}


def test_a_plan_of_another_catalog_or_base_is_refused(bound: Cli) -> None:
    file, mine = str(bound.folder / "easier.toml"), str(bound.folder / "mine.toml")
    token = catalog(bound, "plan", file).out.splitlines()[-1]

    other = catalog(bound, "apply", mine, "--plan", token)
    assert (other.code, "the plan is of another catalog" in other.err) == (1, True)
    assert catalog(bound, "apply", file, "--plan", token).code == 0
    again = catalog(bound, "apply", file, "--plan", token)
    assert (again.code, "has this text already; nothing changed" in again.err) == (0, True)
    assert catalog(bound, "rollback", "1").code == 0
    late = catalog(bound, "apply", file, "--plan", token)
    assert (late.code, "began from revision 1, and revision 3 is in force now" in late.err) == (1, True)
    wrong = catalog(bound, "apply", file, "--plan", "plan-x.y")
    assert (wrong.code, "is not the token of a plan of this database" in wrong.err) == (2, True)


def test_going_back_is_planned_and_applied(bound: Cli) -> None:
    assert catalog(bound, "apply", str(bound.folder / "easier.toml")).code == 0
    token = catalog(bound, "plan", "--rollback", "1").out.splitlines()[-1]

    ended = catalog(bound, "rollback", "1", "--plan", token, "--reason", "a mistake")

    assert (ended.code, "Revision 3 of the catalog is in force" in ended.err) == (0, True)
    shown = catalog(bound, "history", "--json").json["revisions"]
    assert [row["text"] for row in shown] == [catalog_text(**RULES), EASIER, catalog_text(**RULES)]
    assert shown[-1]["reason"] == "a mistake"


def test_a_silent_plan_is_applied_silently_and_shown_so(bound: Cli) -> None:
    file = str(bound.folder / "easier.toml")
    planned = catalog(bound, "plan", file, "--silent")
    token = planned.out.splitlines()[-1]

    loud = catalog(bound, "apply", file, "--plan", token)
    assert (loud.code, "was for a change that is silent, and this one is announced" in loud.err) == (1, True)
    assert "--silent --plan TOKEN" in planned.err
    assert catalog(bound, "apply", file, "--silent", "--plan", token).code == 0
    shown = catalog(bound, "history", "--json").json["revisions"]
    assert [(row["silent"], row["filled"]) for row in shown] == [(False, None), (True, 2)]


@pytest.mark.parametrize("arguments", [(), ("easier.toml", "--rollback", "1"), ("--rollback", "7")])
def test_what_is_to_be_planned_must_be_clear(bound: Cli, arguments: tuple[str, ...]) -> None:
    ended = catalog(bound, "plan", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert "--rollback N" in ended.err or "there is no revision 7" in ended.err
