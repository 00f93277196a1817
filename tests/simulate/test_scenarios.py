"""What scenarios can do and expect: each part, both as it is and as it is not."""

# ruff: noqa: E501, Q000  # scenarios are easier to read in one line each

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from laurels import ScenarioError
from laurels.simulate.files import read_scenarios
from laurels.simulate.results import ScenarioResult
from laurels.simulate.running import run_scenario

CATALOG = """
[catalog]
profile = { login_event = "login", login_streak = "login" }
metrics = { posts = { kind = "count", events = ["post"] } }
streaks = { login = { events = ["login"], freezes = { initial = 1, per_days = 5, most = 2 } } }
points = [{ id = "posts", events = ["post"], amount = 10 }]
levels = [{ title = "New", points = 0 }, { title = "Old \\"hand\\"", points = 100, unlocks = ["dark_mode"] }]
leaderboards = [
  { id = "weekly", period = "week" },
  { id = "teams", teams = "team:" },
]

[[catalog.badges]]
id = "first"
name = "First"
description = "Post"
icon = "1"
category = "usage"
points = 5
condition = "1 post"
when = { metric = "posts", at_least = 1 }

[[catalog.badges]]
id = "tenth"
name = "Tenth"
description = "Post ten times"
icon = "2"
category = "usage"
points = 50
condition = "10 posts"
when = { metric = "posts", at_least = 10 }
"""

Run = Callable[[str], list[ScenarioResult]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def runs(text: str) -> list[ScenarioResult]:
        file = tmp_path / "one.toml"
        file.write_text(f'{CATALOG}\n[[scenarios]]\nname = "it"\nstart = 2026-03-02T09:00:00Z\n{text}', "utf-8")
        return [asyncio.run(run_scenario(scenario)) for scenario in read_scenarios([file])]

    return runs


def steps(*tables: str) -> str:
    return "\n".join(f"[[scenarios.steps]]\n{table}" for table in tables)


POST = 'user = "ada"\nevent = "post"\nid = "p1"'
LOOK = 'user = "ada"\nexpect = '

AS_EXPECTED = {
    "an event": steps(POST + '\nanswers = { status = "recorded", awards = ["first"], points = 15, level = 0, counted = true }'),
    "a duplicate": steps(POST, POST + '\nanswers = { status = "duplicate" }'),
    "an event that no rule counts": steps('user = "ada"\nevent = "like"\nanswers = { counted = false, awards = [], points = 0 }'),
    "a quantity": steps('user = "ada"\nevent = "post"\ntimes = 10', LOOK + '{ points = 155, has_badges = ["tenth"], level = 2, title = "Old \\"hand\\"", unlocks = ["dark_mode"] }'),
    "a reversal": steps(POST, 'user = "ada"\nreverse = "p1"\nanswers = { revoked = ["first"], points = -15, status = "applied" }', LOOK + "{ badges = [], points = 0 }"),
    "a reversal before its event": steps('user = "ada"\nreverse = "p1"\nanswers = { status = "pending" }', POST + "\nanswers = { reversed = true }", LOOK + "{ points = 0 }"),
    "a grant and undoing it": steps(POST, 'user = "ada"\nid = "g1"\nadjust = { kind = "grant", badge = "tenth", reason = "thanks" }\nanswers = { awards = ["tenth"] }', 'user = "ada"\nundo = "g1"\nanswers = { status = "undone", revoked = ["tenth"] }'),
    "points given and spent": steps(POST, 'user = "ada"\nadjust = { kind = "points", amount = 50 }', 'user = "ada"\nadjust = { kind = "points", amount = 20, spend = true }', LOOK + "{ points = 65, balance = 45 }"),
    "spending too much": steps(POST, 'user = "ada"\nadjust = { kind = "points", amount = 20, spend = true }\nanswers = { refused = "the balance is 15" }'),
    "freezes, a pause and a repair": steps(
        'user = "ada"\nlogin = true\ntimes = 3\nevery = "1 day"',
        'user = "ada"\nadjust = { kind = "freezes", streak = "login", count = 2 }\nexpect = { streaks = { login = { length = 3, freezes = 3, status = "active" } } }',
        'user = "ada"\nadjust = { kind = "pause", streak = "login", first = 2026-03-05, last = 2026-03-20 }',
        'at = 2026-03-21T09:00:00\nuser = "ada"\nlogin = true\nexpect = { streaks = { login = { length = 4, longest = 4 } } }',
        'at = 2026-04-10T09:00:00\nuser = "ada"\nlogin = true\nexpect = { streaks = { login = 1 } }',
        'user = "ada"\nadjust = { kind = "repair", streak = "login", day = 2026-04-01 }\nexpect = { streaks = { login = { at_least = 5 } } }',
    ).replace("{ login = { at_least = 5 } }", "{ login = { length = { at_least = 5 } } }"),
    "an amnesty": steps('user = "ada"\nlogin = true', 'amnesty = { first = 2026-03-03, last = 2026-03-12 }', 'at = 2026-03-13T09:00:00\nuser = "ada"\nlogin = true\nexpect = { streaks = { login = 2 } }'),
    "days of a time zone": 'users = { ada = { zone = "Asia/Tokyo" }, ben = { zone = "UTC" } }\n' + steps(
        'at = 2026-03-02T23:00:00Z\nuser = "ada"\nevent = "post"\nexpect = { earned = { first = 2026-03-03 } }',
        'user = "ben"\nevent = "post"\nexpect = { earned = { first = 2026-03-02T23:00:00 } }',
    ),
    "a late event": steps(LOOK.replace("expect = ", "") + 'event = "post"\noccurred_at = 2026-02-27T09:00:00Z\nexpect = { earned = { first = 2026-02-27 } }'),
    "an event too late": "late_days = 2\n" + steps('user = "ada"\nevent = "post"\noccurred_at = 2026-02-20T09:00:00Z\nanswers = { refused = "late window" }'),
    "ranks and leaderboards": 'users = { ada = { groups = ["team:red"] }, ben = { groups = ["team:blue"] }, cyd = {} }\n' + steps(
        'user = "ben"\nevent = "post"\ntimes = 2', POST,
        LOOK + '{ ranks = { weekly = 2, points = { not = 1 } }, users = { cyd = { ranks = { weekly = "unranked" } } }, leaderboards = { weekly = ["ben", "ada"], teams = { top = ["team:blue"], lacks = ["team:green"] } } }',
        'after = "1 week"\nexpect = { leaderboards = { weekly = [], points = { lines = ["ben", "ada"], scores = { ben = 25, ada = { at_most = 15 } } } } }',
        'expect = { leaderboards = { weekly = { period = "previous", lines = ["ben", "ada"] } } }',
    ),
    "a user who is hidden": steps(POST, 'user = "ada"\nupdate = { visibility = "hidden" }\nexpect = { leaderboards = { points = [] } }'),
    "notifications": steps(
        POST + '\nexpect = { notifications = ["badge.earned first", "leaderboard.top points"] }',
        LOOK + "{ notifications = [] }",
        'user = "ada"\nevent = "post"\ntimes = 9\nexpect = { has_notifications = ["level.reached 2", "badge.earned"], lacks_notifications = ["level.lost", "badge.earned first"] }',
    ),
    "a duration over a change of clocks": 'zone = "Europe/Berlin"\n' + steps(
        'at = 2026-03-28T08:00:00\nuser = "ada"\nlogin = true', 'after = "1 day"\nuser = "ada"\nevent = "post"\nexpect = { earned = { first = 2026-03-29T06:00:00Z } }',
    ),
    "no user": '[scenarios.users.ada]\njoined = 2026-01-01T00:00:00Z\n[scenarios.expect.users.ada]\npoints = 0\nbadges = []',
}  # fmt: skip


@pytest.mark.parametrize("name", AS_EXPECTED)
def test_what_a_scenario_expects_is_so(run: Run, name: str) -> None:
    (result,) = run(AS_EXPECTED[name])

    assert [one.text for one in result.differences] == []
    assert result.checks or name == "a quantity of nothing"


OTHERWISE = {
    "{ points = 14 }": "points of ada: expected 14, but got 15",
    "{ points = { at_most = 14 } }": "points of ada: expected at most 14, but got 15",
    "{ points = { not = 15 } }": "points of ada: expected not 15, but got 15",
    "{ balance = 1 }": "balance of ada: expected 1, but got 15",
    "{ level = 2 }": "level of ada: expected 2, but got 1",
    '{ title = "Old \\"hand\\"" }': 'title of ada: expected Old "hand", but got New',
    '{ badges = ["tenth"] }': "badges of ada: expected tenth, but got first",
    '{ has_badges = ["tenth"] }': "badges of ada: expected tenth among them, but got first",
    '{ lacks_badges = ["first"] }': "badges of ada: expected first not among them, but got first",
    "{ earned = { first = 2026-03-03 } }": "when ada earned first: expected 2026-03-03, but got 2026-03-02",
    "{ earned = { tenth = 2026-03-03 } }": "when ada earned tenth: expected 2026-03-03, but got never",
    "{ earned = { first = 2026-03-02T09:00:01Z } }": "expected 2026-03-02T09:00:01Z, but got 2026-03-02T09:00:00Z",
    "{ streaks = { login = 2 } }": "streak login of ada: expected 2, but got 0",
    '{ streaks = { login = { status = "active" } } }': "status of streak login of ada: expected active, but got none",
    '{ unlocks = ["dark_mode"] }': "unlocks of ada: expected dark_mode, but got none",
    "{ ranks = { weekly = 2 } }": "rank of ada on weekly: expected 2, but got 1",
    '{ ranks = { weekly = "unranked" } }': "rank of ada on weekly: expected unranked, but got 1",
    '{ notifications = ["level.reached"] }': "notifications of ada: expected level.reached, but got badge.earned first, leaderboard.top points all 1",
    '{ has_notifications = ["level.reached"] }': "expected level.reached among them, but got badge.earned first, leaderboard.top points all 1",
    '{ lacks_notifications = ["badge.earned"] }': "expected badge.earned not among them, but got badge.earned first, leaderboard.top points all 1",
    '{ leaderboards = { weekly = ["ben", "ada"] } }': "leaderboard weekly: expected ben, ada, but got ada",
    '{ leaderboards = { weekly = { lacks = ["ada"] } } }': "leaderboard weekly: expected ada not on it, but got ada",
    "{ leaderboards = { weekly = { scores = { ben = 3 } } } }": "score of ben on leaderboard weekly: expected 3, but got none",
}  # fmt: skip


@pytest.mark.parametrize("expect", OTHERWISE)
def test_what_is_not_so_is_a_difference(run: Run, expect: str) -> None:
    (result,) = run(steps(POST, LOOK + expect))

    (difference,) = result.differences
    assert difference.text.startswith("step 2: ")
    assert OTHERWISE[expect] in difference.text
    assert not result.ok


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ("{ awards = [] }", "awards of the event post of ada: expected none, but got first"),
        ("{ points = 10 }", "points of the event post of ada: expected 10, but got 15"),
        ("{ counted = false }", "counted of the event post of ada: expected false, but got true"),
        ('{ refused = "late" }', "event post of ada: expected refused: late, but got not refused"),
    ],
)
def test_an_answer_that_is_not_as_expected_is_a_difference(run: Run, answers: str, says: str) -> None:
    (result,) = run(steps(f"{POST}\nanswers = {answers}"))

    assert [one.text for one in result.differences] == [f"step 1 (event post of ada): {says}"]


def test_a_refusal_that_is_not_expected_ends_the_scenario(run: Run) -> None:
    (result,) = run(steps(POST, POST.replace('"post"', '"login"'), LOOK + "{ points = 3 }"))

    (difference,) = result.differences
    assert difference.step == 2
    assert difference.actual.startswith("refused: ")


def test_a_missing_user_is_a_difference(run: Run) -> None:
    (result,) = run(steps(LOOK + "{ points = 0 }"))

    assert [one.text for one in result.differences] == [
        "step 1: user ada: expected a user, but got there is no such user"
    ]


def test_scenarios_know_nothing_of_each_other(run: Run) -> None:
    again = '\n[[scenarios]]\nname = "again"\n'
    first, second = run(steps(POST) + again + steps(POST + '\nanswers = { status = "recorded" }'))

    assert (first.ok, second.ok) == (True, True)


def test_a_catalog_that_comes_into_force_later(run: Run, tmp_path: Path) -> None:
    default = (Path(__file__).parents[2] / "laurels/cli/starter.toml").read_text("utf-8")
    (tmp_path / "old.toml").write_text(default, "utf-8")
    (tmp_path / "new.toml").write_text(default.replace("at_least = 1 }", "at_least = 2 }"), "utf-8")
    event = 'event = "post.published"'
    (result,) = run('catalog = "old.toml"\n' + steps(
        f'user = "ada"\n{event}\nexpect = {{ badges = ["first_post"] }}',
        'catalog = "new.toml"',
        f'user = "ben"\n{event}\nanswers = {{ awards = [] }}\nexpect = {{ users = {{ ada = {{ badges = ["first_post"] }} }} }}',
    ))  # fmt: skip

    assert [one.text for one in result.differences] == []


def test_names_are_those_of_the_catalogs(run: Run) -> None:
    with pytest.raises(ScenarioError) as caught:
        run(steps(POST + '\nexpect = { title = "Veteran", unlocks = ["drk_mode"], has_badges = ["tent"] }'))

    assert [fault.fix for fault in caught.value.faults] == [
        "did you mean 'tenth'?",
        "did you mean 'dark_mode'?",
        'known are New, Old "hand"',
    ]
