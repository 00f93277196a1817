"""The commands that show what is stored: user show, leaderboard, settings, catalog, migrate."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from laurels import Catalog, Event
from laurels.engine.events import MAX_USER_ID
from laurels.present.badges import NextBadge
from laurels.present.history import History
from laurels.present.leaderboards import LeaderboardList, LeaderboardStanding
from laurels.present.profiles import Profile, UserRank
from laurels.present.streaks import UserStreak
from laurels.present.users import User
from laurels.testing import sandbox
from tests.cli.conftest import Cli, Ended

DEFAULT_CATALOG = Path(__file__).parents[2] / "laurels/engine/default.toml"


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """Ada with 73 messages and a streak of three days, Bob and Cyd with one agent each, Dan with nothing."""

    async def fill() -> None:
        start = datetime.now(UTC) - timedelta(days=2)
        async with sandbox(database=cli.database, start=start) as (laurels, clock):
            await laurels.update_user("ada", name="Ada [bold]L.[/bold]", time_zone="Europe/London")
            for _ in range(3):
                await laurels.profile("ada", login=True)
                clock.advance(days=1)
            clock.advance(days=-1)
            await laurels.record(Event("ada", "onboarded", "onboarding.completed"))
            await laurels.record(Event("ada", "messages", "message.sent", quantity=73))
            for user in ("bob", "cyd"):
                await laurels.record(Event(user, "agent", "agent.created"))
                clock.advance(seconds=1)
            await laurels.update_user("dan", name="Dan")

    asyncio.run(fill())
    return cli


def test_a_profile_shows_level_streak_badges_and_what_is_missing(filled: Cli) -> None:
    ended = filled("user", "show", "ada", "--database", filled.database)

    assert (ended.code, ended.err) == (0, "")
    for said in (
        "Ada [bold]L.[/bold] · ada · Europe/London",
        "Level 2 · Beginner",
        "rank 1 of 3",
        "100 of 500 points",
        "3-day login streak",
        "Getting Started",
        "27 more messages",
        "4 more days in a row",
        "message.sent × 73",
    ):
        assert said in ended.out


def test_a_profile_as_json_has_the_shapes_of_the_api(filled: Cli) -> None:
    document = filled("user", "show", "ada", "--database", filled.database, "--json").json

    profile = document["profile"]
    for shape, value in (
        (User, document["user"]),
        (Profile, profile),
        (UserRank, profile["rank"]),
        (list[NextBadge], profile["next"]),
        (list[UserStreak], profile["streaks"]),
        (History, profile["history"]),
    ):
        msgspec.json.decode(msgspec.json.encode(value), type=shape)
    assert (profile["points"], profile["level"], profile["streak"], profile["userRank"]) == (100, 2, 3, 1)


def test_showing_a_profile_changes_nothing_even_after_another_catalog_was_applied(filled: Cli) -> None:
    easy = DEFAULT_CATALOG.read_text("utf-8").replace("at_least = 100 }", "at_least = 1 }")
    catalog = filled.file("easy.toml", easy)

    same = filled("user", "show", "ada", "--database", filled.database, "--json")
    assert filled("catalog", "apply", catalog, "--database", filled.database).code == 0
    other = filled("user", "show", "ada", "--database", filled.database, "--catalog", catalog, "--json")

    assert "computed under an earlier revision of the catalog" in other.err
    assert same.err == ""
    assert other.json["profile"]["points"] == same.json["profile"]["points"] == 100


def test_a_user_without_anything_is_shown_too(filled: Cli) -> None:
    ended = filled("user", "show", "dan", "--database", filled.database)

    assert ended.code == 0
    assert "0 of 100 points" in ended.out
    assert "No login streak yet" in ended.out


@pytest.mark.parametrize(("user", "code"), [("nobody", 3), ("x" * (MAX_USER_ID + 1), 2), ("", 2), ("a\x1b[31m", 2)])
def test_a_missing_user_is_an_error(filled: Cli, user: str, code: int) -> None:
    ended = filled("user", "show", user, "--database", filled.database)

    assert (ended.code, ended.out) == (code, "")
    assert "\x1b" not in ended.err


def test_the_leaderboard_is_in_order_and_counts_all_who_are_ranked(filled: Cli) -> None:
    document = board(filled, "--json").json
    shown = board(filled)

    standings = msgspec.convert(document["standings"], list[LeaderboardStanding])
    assert document["rankedUsers"] == 3
    assert [(one.rank, one.user_id, one.points) for one in standings] == [
        (1, "ada", 100),
        (2, "bob", 50),
        (3, "cyd", 50),
    ]
    assert (shown.code, shown.err) == (0, "")
    assert "Ada [bold]L.[/bold]" in shown.out
    assert "3 ranked" in shown.out
    assert shown.out.startswith("All time  points  of all time\n\n")


def test_the_pages_of_a_leaderboard_follow_one_another(filled: Cli) -> None:
    first = board(filled, "--limit", "1", "--json").json
    shown = board(filled, "--limit", "1").out
    second = board(filled, "--limit", "5", "--after", first["next"], "--json").json

    assert f"more: --after {first['next']}" in shown
    assert [one["userId"] for one in second["standings"]] == ["bob", "cyd"]
    assert second["next"] is None


def test_the_lines_around_a_user_have_theirs_marked(filled: Cli) -> None:
    document = board(filled, "--around", "cyd", "--limit", "2", "--json").json
    shown = board(filled, "--around", "cyd", "--limit", "2").out

    assert [one["userId"] for one in document["standings"]] == ["bob", "cyd"]
    assert document["me"] == document["standings"][1]
    assert marked(shown) == ["▸ 3  Anonymous  cyd"]


def test_an_own_line_that_is_not_among_the_others_is_shown_below_them(filled: Cli) -> None:
    below = board(filled, "--me", "cyd", "--limit", "1").out.splitlines()
    among = board(filled, "--me", "ada", "--limit", "1").out

    assert [line.split()[0] for line in below[3:6]] == ["1", "…", "▸"]
    assert "…" not in among
    assert "▸ 1  Ada" in among


def marked(shown: str) -> list[str]:
    """The lines that are marked, up to their user."""
    return [line.strip()[: line.strip().index("cyd") + 3] for line in shown.splitlines() if "▸" in line]


@pytest.mark.parametrize(
    ("ties", "ranks"), [("first", ["1", "2", "3"]), ("shared", ["1", "2", "2"]), ("dense", ["1", "2", "2"])]
)
def test_equal_scores_have_the_ranks_of_their_board(filled: Cli, ties: str, ranks: list[str]) -> None:
    text = DEFAULT_CATALOG.read_text("utf-8").replace('period = "week"', f'period = "week"\nties = "{ties}"')
    catalog = filled.file("ties.toml", text)
    assert filled("catalog", "apply", catalog, "--database", filled.database).code == 0
    shown = board(filled, "weekly", "--catalog", catalog).out

    lines = [line.split() for line in shown.splitlines() if re.match(r" *[0-9]+ ", line) and "ranked" not in line]
    assert [line[0] for line in lines] == ranks


def test_a_period_is_described_in_words(cli: Cli) -> None:
    async def fill() -> None:
        async with sandbox(database=cli.database, start=datetime(2026, 1, 5, 12, tzinfo=UTC)) as (laurels, _):
            await laurels.set_clock_offset(datetime(2026, 1, 14, tzinfo=UTC) - datetime.now(UTC))
            await laurels.record(Event("ada", "1", "agent.created"))

    asyncio.run(fill())

    said = {period: board(cli, "weekly", "--period", period).out for period in ("current", "previous", "2026-W04")}
    assert "Mon 2026-01-12 to Sun 2026-01-18 (UTC): ends in 4 days." in said["current"]
    assert "Mon 2026-01-05 to Sun 2026-01-11 (UTC): closed " in said["previous"]
    assert "No one was ranked here." in said["previous"]
    assert "Mon 2026-01-19 to Sun 2026-01-25 (UTC): begins in 4 days." in said["2026-W04"]
    assert "No one is ranked here yet." in said["2026-W04"]


def test_due_periods_are_closed_and_listed(cli: Cli) -> None:
    at = ("--database", "sqlite:///app.db")
    assert cli("clock", "set", "2026-01-07T12:00:00Z", *at).code == 0
    cli.file("events.jsonl", '{"userId": "ada", "id": "e", "type": "agent.created"}\n')
    assert cli("record", "events.jsonl", *at).code == 0
    assert "No period is due" in cli("leaderboard", "--close", *at).out
    assert "No period is closed here yet" in cli("leaderboard", "weekly", "--history", *at).out
    cli("clock", "advance", "--days", "8", *at)

    assert cli("leaderboard", "--close", "--json", *at).json == {"closed": [{"board": "weekly", "period": "2026-W02"}]}

    assert cli("leaderboard", "--close", "--json", *at).json == {"closed": []}
    assert cli("leaderboard", "weekly", "--history", "--json", *at).json["closings"][0]["period"] == "2026-W02"
    assert "2026-W02" in cli("leaderboard", "weekly", "--history", *at).out


def test_all_leaderboards_are_listed_with_what_they_count(filled: Cli) -> None:
    listed = filled("leaderboard", "--list", "--database", filled.database)
    document = filled("leaderboard", "--list", "--database", filled.database, "--json").json

    assert listed.code == 0
    assert "weekly       Weekly    points  week, UTC   1 2 3 4" in listed.out
    assert [one.id for one in msgspec.convert(document, LeaderboardList).leaderboards] == [
        "points",
        "weekly",
        "monthly",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 3, "it has points, weekly, monthly"),
        (["weekly", "--period", "2026-11"], 3, "a key such as 2026-W47"),
        (["points", "--period", "previous"], 3, "it counts all time"),
        (["--after", "nonsense"], 2, "must be the 'next' of an earlier answer"),
        (["--around", "a\x1b[31m"], 2, "control characters"),
        (["a\x1b[31m"], 3, "no leaderboard"),
    ],
)
def test_a_missing_leaderboard_or_period_is_an_error(filled: Cli, arguments: list[str], code: int, said: str) -> None:
    ended = board(filled, *arguments)

    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "\x1b" not in ended.err


def test_a_long_id_is_shown_whole_and_a_long_name_in_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with sandbox(database=cli.database, start=datetime.now(UTC)) as (laurels, _):
            await laurels.record(Event("i" * 70, "1", "agent.created"))
            await laurels.update_user("i" * 70, name="n" * 90)

    asyncio.run(fill())
    monkeypatch.setattr("laurels.cli.tables.PLAIN_WIDTH", 80)
    shown = board(cli).out

    assert sum(line.count("i") for line in shown.splitlines()[3:-2]) == 70
    assert [line for line in shown.splitlines() if "nnn" in line] == [
        line for line in shown.splitlines() if "50" in line
    ]
    assert all(len(line) <= 80 for line in shown.splitlines() if "more:" not in line)


def test_teams_are_shown_with_their_members_and_the_own_marked(filled: Cli) -> None:
    async def join() -> None:
        async with sandbox(database=filled.database, catalog=Catalog.parse(teams), start=datetime.now(UTC)) as (
            laurels,
            _,
        ):
            for user, team in (("ada", "team:red"), ("bob", "team:blue"), ("cyd", "team:blue")):
                await laurels.update_user(user, groups=[team])

    teams = (
        DEFAULT_CATALOG.read_text("utf-8") + '\n[[leaderboards]]\nid = "teams"\nteams = "team:"\nteam_score = "mean"\n'
    )
    asyncio.run(join())
    shown = board(filled, "teams", "--me", "bob", "--catalog", filled.file("teams.toml", teams))

    assert shown.code == 0
    lines = [line.split()[:5] for line in shown.out.splitlines() if {"red", "blue"} & {*line.split()}]
    assert lines[0][:4] == ["1", "red", "100", "1"]
    assert lines[1] == ["▸", "2", "blue", "50", "2"]
    assert "2 teams" in shown.out
    assert "not ranked" not in shown.out


@pytest.mark.parametrize(
    ("user", "options", "ranks"),
    [
        ("bob", (), ["1", "▸ 2", "2"]),
        ("bob", ("--around", "bob"), ["1", "▸ 2", "2"]),
        ("cyd", (), ["1", "2", "▸ 3"]),
        ("cyd", ("--limit", "1"), ["1", "…", "▸ 3"]),
        ("ada", ("--limit", "1"), ["▸ 1", "1"]),
    ],
)
def test_the_line_of_a_hidden_user_is_in_its_place(
    filled: Cli, user: str, options: tuple[str, ...], ranks: list[str]
) -> None:
    async def hide() -> None:
        async with sandbox(database=filled.database, start=datetime.now(UTC)) as (laurels, _):
            await laurels.update_user(user, visibility="hidden")

    asyncio.run(hide())
    shown = board(filled, "--me", user, *options)

    found = [re.match(r" *(▸ ?\d|\d|…) ", line) for line in shown.out.splitlines()]
    assert [re.sub(r"▸ ?", "▸ ", one[1]) for one in found if one][: len(ranks)] == ranks
    assert f"Only '{user}' sees the line marked ▸." in shown.out
    assert "2 ranked" in shown.out


def test_a_user_without_a_rank_is_shown_as_such(filled: Cli) -> None:
    shown = board(filled, "--around", "dan").out

    assert "'dan' is not ranked here." in shown
    assert "3 ranked" in shown


def test_an_empty_board_says_so(cli: Cli) -> None:
    cli("migrate", "--database", cli.database)
    document = board(cli, "--json").json

    assert "No one is ranked here yet.\n" in board(cli).out
    assert "--period previous" in board(cli, "weekly").out
    assert (document["rankedUsers"], document["standings"], document["next"]) == (0, [], None)


def board(cli: Cli, *arguments: str | Path) -> Ended:
    return cli("leaderboard", *arguments, "--database", cli.database)


# ---- catalog ----------------------------------------------------------------------------------


def test_a_valid_catalog_is_reported_as_valid(cli: Cli) -> None:
    ended = cli("catalog", "check", DEFAULT_CATALOG)

    assert (ended.code, ended.out) == (0, "")
    assert "is valid: 11 badges, 7 levels, 5 metrics, 1 streak, 3 leaderboards" in ended.err
    assert cli("catalog", "check", "--json").json["ok"] is True


def test_every_error_of_a_catalog_is_shown_at_once_with_its_fix(cli: Cli) -> None:
    text = (
        DEFAULT_CATALOG.read_text("utf-8")
        .replace('metric = "messages"', 'metric = "mesages"')
        .replace("500\n", "true\n", 1)
    )
    faulty = cli.file("faulty.toml", text)

    ended = cli("catalog", "check", faulty)
    document = cli("catalog", "check", faulty, "--json").json

    assert (ended.code, ended.out) == (1, "")
    assert "unknown metric 'mesages'; did you mean 'messages'?" in ended.err.replace("\n", " ")
    assert document["ok"] is False
    assert len(document["faults"]) == 4
    assert set(document["faults"][0]) == {"where", "what", "fix"}


def test_the_catalog_of_the_settings_is_checked_where_none_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_CATALOG", str(cli.file("broken.toml", "this is not TOML")))

    assert cli("catalog", "check").code == 1


def test_the_catalog_shows_levels_badges_and_leaderboards(cli: Cli) -> None:
    shown = cli("catalog", "show").out
    document = cli("catalog", "show", "--json").json

    assert "Legend" in shown
    assert "Century Club" in shown
    assert len(document["badges"]) == 11
    assert len(document["levels"]) == 7
    assert "Monthly" in shown
    assert [one["id"] for one in document["leaderboards"]] == ["points", "weekly", "monthly"]


# ---- migrate ----------------------------------------------------------------------------------


def test_migrating_names_what_ran_and_twice_is_harmless(cli: Cli) -> None:
    first = cli("migrate", "--database", cli.database, "--json")
    again = cli("migrate", "--database", cli.database, "--json")

    assert first.json["ran"][0] == {"name": "0001_start", "mark": "post"}
    assert "Applied 0001_start (post: servers of older versions must be stopped)" in first.err
    assert again.json == {"ran": []}
    assert "up to date" in again.err
