"""The commands that show what is stored: user show, leaderboard, settings, catalog, migrate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from laurels import Event
from laurels.engine.events import MAX_USER_ID
from laurels.settings import Settings
from laurels.shapes import HistoryShape, NextBadgeShape, ProfileShape, RankShape, StandingShape, StreakShape, UserShape
from laurels.testing import sandbox
from tests.cli.conftest import Cli

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
        (UserShape, document["user"]),
        (ProfileShape, profile),
        (RankShape, profile["rank"]),
        (list[NextBadgeShape], profile["next"]),
        (list[StreakShape], profile["streaks"]),
        (HistoryShape, profile["history"]),
    ):
        msgspec.json.decode(msgspec.json.encode(value), type=shape)
    assert (profile["points"], profile["level"], profile["streak"], profile["userRank"]) == (100, 2, 3, 1)


def test_showing_a_profile_changes_nothing_even_under_another_catalog(filled: Cli) -> None:
    easy = DEFAULT_CATALOG.read_text("utf-8").replace("at_least = 100 }", "at_least = 1 }")
    catalog = filled.file("easy.toml", easy)

    other = filled("user", "show", "ada", "--database", filled.database, "--catalog", catalog, "--json")
    same = filled("user", "show", "ada", "--database", filled.database, "--json")

    assert "made under another catalog" in other.err
    assert same.err == ""
    assert other.json["profile"]["points"] == same.json["profile"]["points"] == 100


def test_a_user_without_anything_is_shown_too(filled: Cli) -> None:
    ended = filled("user", "show", "dan", "--database", filled.database)

    assert ended.code == 0
    assert "0 of 100 points" in ended.out
    assert "No login streak yet" in ended.out


@pytest.mark.parametrize(("user", "code"), [("nobody", 3), ("x" * (MAX_USER_ID + 1), 2), ("", 2), ("a\x1b[31m", 2)])
def test_a_user_who_is_not_there_is_said_to_be_missing(filled: Cli, user: str, code: int) -> None:
    ended = filled("user", "show", user, "--database", filled.database)

    assert (ended.code, ended.out) == (code, "")
    assert "\x1b" not in ended.err


def test_the_leaderboard_is_in_order_and_counts_all_who_are_ranked(filled: Cli) -> None:
    document = filled("leaderboard", "--database", filled.database, "--json").json
    page = filled("leaderboard", "--limit", "1", "--after", "1", "--database", filled.database, "--json").json
    shown = filled("leaderboard", "--database", filled.database)

    standings = msgspec.convert(document["standings"], list[StandingShape])
    assert document["rankedUsers"] == 3
    assert [(one.rank, one.user_id, one.points) for one in standings] == [
        (1, "ada", 100),
        (2, "bob", 50),
        (3, "cyd", 50),
    ]
    assert [one["userId"] for one in page["standings"]] == ["bob"]
    assert "Ada [bold]L.[/bold]" in shown.out
    assert "3 ranked" in shown.out


def test_an_empty_board_says_so(cli: Cli) -> None:
    cli("migrate", "--database", cli.database)

    assert "Nobody is ranked" in cli("leaderboard", "--database", cli.database).out
    assert cli("leaderboard", "--database", cli.database, "--json").json == {"rankedUsers": 0, "standings": []}


# ---- settings ---------------------------------------------------------------------------------


def test_each_setting_says_where_it_came_from(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.file("laurels.toml", "port = 1\nworkers = 2\nlate_days = 3\n")
    monkeypatch.setenv("LAURELS_PORT", "11")
    monkeypatch.setenv("LAURELS_WORKERS", "12")

    document = cli("settings", "--port", "21", "--json").json
    shown = cli("settings", "--port", "21")

    assert document["port"] == {"value": 21, "source": "--port"}
    assert document["workers"] == {"value": 12, "source": "LAURELS_WORKERS"}
    assert document["late_days"] == {"value": 3, "source": str(cli.folder / "laurels.toml")}
    assert document["host"] == {"value": "127.0.0.1", "source": "default"}
    assert "LAURELS_WORKERS" in shown.out


def test_no_password_is_ever_shown(cli: Cli) -> None:
    address = "postgresql://laurels:geheim@127.0.0.1:1/app"
    for command in (
        ["settings"],
        ["doctor"],
        ["settings", "--json"],
        ["user", "show", "ada"],
        ["serve", "--port", "0"],
    ):
        shown = cli(*command, "--database", address)
        assert "geheim" not in shown.out + shown.err, command
    assert "laurels:***@127.0.0.1:1/app" in cli("settings", "--database", address).out


def test_each_setting_is_an_option_of_the_same_name(cli: Cli) -> None:
    for name in Settings.__slots__:
        default = getattr(Settings(), name)
        document = cli("settings", f"--{name.replace('_', '-')}", str(default), "--json").json

        assert document[name] == {"value": default, "source": f"--{name.replace('_', '-')}"}


def test_a_config_file_that_is_named_counts_for_every_command(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    config = filled.file("elsewhere.toml", f'database = "{filled.database}"\n')
    monkeypatch.setenv("LAURELS_CONFIG", str(config))

    assert filled("leaderboard", "--json").json["rankedUsers"] == 3


def test_a_fault_in_the_config_file_names_it(cli: Cli) -> None:
    cli.file("laurels.toml", "prot = 1\n")

    ended = cli("settings")

    assert (ended.code, ended.out) == (2, "")
    assert "unknown setting 'prot'; did you mean 'port'?" in ended.err


# ---- catalog ----------------------------------------------------------------------------------


def test_a_sound_catalog_is_said_to_be_sound(cli: Cli) -> None:
    ended = cli("catalog", "check", DEFAULT_CATALOG)

    assert (ended.code, ended.out) == (0, "")
    assert "is sound: 11 badges, 7 levels, 5 metrics, 1 streak" in ended.err
    assert cli("catalog", "check", "--json").json["ok"] is True


def test_every_fault_of_a_catalog_is_shown_at_once_with_its_mend(cli: Cli) -> None:
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
    assert set(document["faults"][0]) == {"where", "what", "mend"}


def test_the_catalog_of_the_settings_is_checked_where_none_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_CATALOG", str(cli.file("broken.toml", "this is not TOML")))

    assert cli("catalog", "check").code == 1


def test_the_catalog_shows_levels_and_badges(cli: Cli) -> None:
    shown = cli("catalog", "show").out
    document = cli("catalog", "show", "--json").json

    assert "Legend" in shown
    assert "Century Club" in shown
    assert len(document["badges"]) == 11
    assert len(document["levels"]) == 7


# ---- migrate ----------------------------------------------------------------------------------


def test_migrating_names_what_ran_and_twice_is_harmless(cli: Cli) -> None:
    first = cli("migrate", "--database", cli.database, "--json")
    again = cli("migrate", "--database", cli.database, "--json")

    assert first.json["ran"][0].startswith("0001")
    assert again.json == {"ran": []}
    assert "up to date" in again.err
