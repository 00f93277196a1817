"""`laurels simulate` with scenario files: what it runs, what it says, and how it ends."""

# ruff: noqa: E501, Q000  # scenarios are easier to read in one line each

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest

from laurels.simulate.format import scenario_schema
from tests.cli.conftest import Cli, Ended

Simulate = Callable[..., Ended]


@pytest.fixture
def simulate(cli: Cli) -> Simulate:
    """Runs a scenario file with this text, next to the catalog to start from."""
    assert cli("catalog", "init").code == 0

    def run(text: str, *options: str) -> Ended:
        cli.file("one.toml", f'catalog = "catalog.toml"\n[[scenarios]]\nname = "it"\n{text}')
        return cli("simulate", "one.toml", *options)

    return run


POST = '[[scenarios.steps]]\nuser = "ada"\nevent = "post.published"\n'


# ---- the file to start from ---------------------------------------------------------------------


def test_the_scenarios_to_start_from_are_as_expected(cli: Cli) -> None:
    assert cli("catalog", "init").code == 0

    made, ran = cli("simulate", "--init"), cli("simulate", "scenarios/")

    assert made.code == 0
    assert "laurels simulate scenarios/" in made.err
    assert ran.code == 0, ran.out
    assert ran.out.count("ok  ") == 3
    assert "3 scenarios: 3 as expected" in ran.err


def test_the_scenarios_to_start_from_fit_the_schema_that_they_name(cli: Cli) -> None:
    cli("simulate", "--init", "checks")
    text = (cli.folder / "checks/first.toml").read_text("utf-8")
    schema = json.loads((cli.folder / "checks/scenarios.schema.json").read_text("utf-8"))

    assert text.startswith("#:schema ./scenarios.schema.json\n")
    assert schema == scenario_schema() == json.loads(cli("simulate", "--schema").out)
    validator = jsonschema_rs.Draft4Validator(schema)
    as_json = json.loads(json.dumps(tomllib.loads(text), default=lambda value: value.isoformat()))
    assert list(validator.iter_errors(as_json)) == []
    as_json["scenarios"][0]["steps"][0]["evnt"] = "x"
    assert [error.instance_path for error in validator.iter_errors(as_json)] == [["scenarios", 0, "steps", 0]]


def test_init_overwrites_nothing(cli: Cli) -> None:
    assert cli("simulate", "--init").code == 0
    again = cli("simulate", "--init")

    assert again.code == 2
    assert "scenarios/first.toml exists, and is not overwritten" in again.err


def test_a_change_of_the_catalog_is_seen_by_its_scenarios(cli: Cli) -> None:
    cli("catalog", "init")
    cli("simulate", "--init")
    text = (cli.folder / "catalog.toml").read_text("utf-8")
    cli.file("catalog.toml", text.replace("points = 50", "points = 40", 1))

    ran = cli("simulate", "scenarios/")

    assert ran.code == 1
    assert "FAILED  scenarios/first.toml: the first post earns a badge, once" in ran.out
    assert "step 1 (event post.published of ada): points of ada: expected 60, but got 50" in ran.out
    assert "3 scenarios: 1 as expected, 2 failed" in ran.err


# ---- what it prints and writes ------------------------------------------------------------------


def test_json_has_every_difference(simulate: Simulate) -> None:
    ended = simulate(POST + "expect = { points = 61, badges = [], level = { at_least = 1, not = 1 } }", "--json")

    result = ended.json["scenarios"][0]
    assert (ended.code, ended.json["ok"], ended.json["failed"], result["checks"]) == (1, False, 1, 4)
    differences = [(one["what"], one["expected"], one["actual"]) for one in result["differences"]]
    assert differences == [
        ("points of ada", "61", "60"),
        ("level of ada", "not 1", "1"),
        ("badges of ada", "none", "first_post"),
    ]
    assert result["differences"][0]["step"] == 1
    assert result["differences"][0]["at"] == "2026-01-05T12:00:00Z"


def test_junit_has_a_case_for_each_scenario(simulate: Simulate, cli: Cli) -> None:
    text = POST + 'expect = { points = 61 }\n[[scenarios]]\nname = "other <&>"\n' + POST

    assert simulate(text, "--junit", "results.xml").code == 1

    root = ET.parse(cli.folder / "results.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    cases = root.findall("./testsuite[@name='one.toml']/testcase")
    assert [case.get("name") for case in cases] == ["it", "other <&>"]
    failure = cases[0].find("failure")
    assert failure is not None
    assert "expected 61, but got 60" in (failure.text or "")
    assert cases[1].find("failure") is None


def test_a_junit_file_that_cannot_be_written_is_an_error(simulate: Simulate) -> None:
    ended = simulate(POST, "--junit", "no/such/results.xml")

    assert ended.code == 2
    assert "cannot write 'no/such/results.xml'" in ended.err


# ---- faults of files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (POST + "expct = {}", "one.toml: scenarios[1] 'it'.steps[1].expct: unknown key 'expct'; did you mean 'expect'?"),
        (POST.replace("user", "usr"), "steps[1].usr: unknown key 'usr'; did you mean 'user'?"),
        (POST.replace("published", "publishd"), "events of type 'post.publishd'; did you mean 'post.published'?"),
        (POST + 'expect = { badges = ["frst_post"] }', "expect.badges: unknown badge 'frst_post'; did you mean 'first_post'?"),
        (POST + "expect = { ranks = { weakly = 1 } }", "expect.ranks: unknown leaderboard 'weakly'; did you mean 'weekly'?"),
        (POST + "expect = { streaks = { logn = 1 } }", "unknown streak 'logn'; did you mean 'login'?"),
        (POST + 'answers = { awards = ["first_pst"] }', "answers.awards: unknown badge 'first_pst'; did you mean 'first_post'?"),
        (POST + 'expect = { notifications = ["badge.eaned"] }', "did you mean 'badge.earned'?"),
        (POST + "[scenarios.expect.users.adda]\npoints = 1", "unknown user 'adda'; did you mean 'ada'?"),
        (POST + 'quantity = "3"', "steps[1].quantity: must be a whole number, not '3'; write how many of the event, such as 3"),
        (POST + "expect = { points = true }", "expect.points: must be a whole number or a table, not True"),
        (POST + 'after = "a while"', "steps[1].after: must be a duration such as '1 day'"),
        (POST + "at = 2026-03-01", "steps[1].at: must be a date and time, such as 2026-03-01T09:00:00"),
        (POST + "login = true", "is a second action next to 'event'; make it a step of its own"),
        ('[[scenarios.steps]]\nevent = "post.published"', "user: is missing: 'event' is something that a user does"),
        ('[[scenarios.steps]]\nuser = "ada"', "steps[1]: does nothing and expects nothing"),
        ('[[scenarios.steps]]\nuser = "ada"\nexpect = {points = 0}\nquantity = 2', "has no meaning without 'event'"),
        ("[[scenarios.steps]]\nat = 2026-03-02T00:00:00\n[[scenarios.steps]]\nat = 2026-03-01T00:00:00", "is before the time of the step"),
        ('[[scenarios.steps]]\nuser = "ada"\nadjust = { kind = "grnt", badge = "x" }', "adjust.kind: unknown kind 'grnt'; did you mean 'grant'?"),
        ('[[scenarios.steps]]\nuser = "ada"\nlogin = true\nanswers = { points = 3 }', "answers.points: is nothing that 'login' answers"),
        (POST + 'data = { when = 2026-03-01 }', "data: must contain only JSON values"),
        ('zone = "Europe/Berlim"\n' + POST, "zone: unknown time zone 'Europe/Berlim'"),
        ('catalog = "no.toml"\n' + POST, "no.toml: cannot be read"),
        ("[scenarios.catalog]\nlevels = []\n", "scenarios[1] 'it'.catalog.levels"),
        ('[[scenarios]]\nname = "it"', "is the name of an earlier scenario of this file; give it another name"),
        ("steps = 3", "steps: must be a list, not 3"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place_and_the_fix(simulate: Simulate, text: str, says: str) -> None:
    ended = simulate(text)

    assert ended.code == 2
    assert says in ended.err, ended.err
    assert ended.out == ""


def test_all_faults_of_all_files_are_reported_and_nothing_runs(cli: Cli) -> None:
    cli.file("a.toml", "[[scenarios]]\nnme = 3\n")
    cli.file("b.toml", "scenarios = []\nx = 1\n")
    cli.file("c.toml", "= broken")
    cli.file("d.toml", '[[scenarios]]\nname = "fine"\n')

    ended = cli("simulate", ".", "missing.toml")

    assert ended.code == 2
    assert ended.out == ""
    faults = ended.err.splitlines()
    assert [re.sub(r"^laurels: (\S+?):.*", r"\1", line) for line in faults] == [
        "a.toml", "b.toml", "b.toml", "c.toml", "missing.toml",
    ]  # fmt: skip


def test_a_folder_may_have_catalogs_too_and_one_without_scenarios_is_a_fault(cli: Cli) -> None:
    cli("catalog", "init")

    ended = cli("simulate", ".")

    assert ended.code == 2
    assert "has no scenarios; write one: 'laurels simulate --init' makes a file to start from" in ended.err
    assert "name scenario files or a folder" in cli("simulate").err


# ---- a replay -----------------------------------------------------------------------------------


@pytest.fixture
def recorded(cli: Cli) -> Cli:
    """A database with three posts, and a candidate that pays less for them."""
    assert cli("catalog", "init").code == 0
    cli.file("laurels.toml", '[catalog]\nfile = "catalog.toml"\n')
    events = [{"userId": "ada", "id": f"p{number}", "type": "post.published"} for number in range(3)]
    cli.file("events.jsonl", "\n".join(map(json.dumps, events)))
    assert cli("record", "events.jsonl").code == 0
    text = (cli.folder / "catalog.toml").read_text("utf-8")
    cli.file("next.toml", text.replace("amount = 10", "amount = 4", 1))
    return cli


def test_a_replay_says_how_the_history_would_have_gone(recorded: Cli) -> None:
    ended = recorded("simulate", "--catalog", "next.toml", "--report", "report.html")

    assert ended.code == 0, ended.err
    assert re.search(r"points +80 +62", ended.out)
    assert "0 users would have more points, 1 fewer" in ended.out
    assert "as if it had always been in force" in ended.err
    assert "<svg" in (recorded.folder / "report.html").read_text("utf-8")


def test_a_replay_as_json(recorded: Cli) -> None:
    made = recorded("simulate", "--catalog", "next.toml", "--json").json

    assert (made["present"]["points"], made["candidate"]["points"], made["unlikeStored"]) == (80, 62, 0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--sample", "50"], "name the catalog to replay the history under, with --catalog FILE"),
        (["--catalog", "next.toml", "--sample", "0"], "--sample is a percentage from 1 to 100, not 0"),
        (["--catalog", "next.toml", "--from", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], "--from must be before --until"),
        (["--catalog", "next.toml", "--from", "yesterday"], "--from must be a time with its offset"),
        (["--catalog", "next.toml", "--report", "no/such.html"], "cannot write 'no/such.html'"),
        (["--catalog", "none.toml"], "cannot read the catalog 'none.toml'"),
        (["scenarios", "--catalog", "next.toml"], "take --catalog out, or the files"),
    ],
)  # fmt: skip
def test_what_a_replay_refuses_and_why(recorded: Cli, options: list[str], says: str) -> None:
    ended = recorded("simulate", *options)

    assert ended.code == 2
    assert says in ended.err
    assert not [*recorded.folder.glob("*.unfinished")]
