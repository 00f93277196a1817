from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Server

Serving = Callable[..., Server]

SMALL = ("--users", "40", "--days", "30")


def points(file: Path) -> dict[str, int]:
    connection = sqlite3.connect(file)
    try:
        return dict(connection.execute("SELECT user_id, points FROM users").fetchall())
    finally:
        connection.close()


def curl(command: str) -> dict[str, object]:
    """Run a command as it was printed, in a shell, and read its answer."""
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    return json.loads(ran.stdout)


def badges(profile: dict[str, object]) -> set[str]:
    earned = profile["badges"]
    assert isinstance(earned, list)
    return {badge["id"] for badge in earned}


@pytest.mark.slow
def test_the_two_printed_commands_make_a_badge_appear(serving: Serving) -> None:
    demo = serving("demo", "--port", "0", until="Ctrl-C")
    read_profile, send_event = [line for line in demo.lines if line.startswith("curl ")]

    before, answer, after = curl(read_profile), curl(send_event), curl(read_profile)

    new = badges(after) - badges(before)
    assert new == {"message_100"}
    assert answer["recorded"] == 1
    assert [award["id"] for award in answer["results"][0]["awards"]] == ["message_100"]
    assert after["level"] == before["level"] + 1
    assert before["streak"] == 13
    assert demo.stop() == 0


@pytest.mark.slow
def test_the_file_of_one_run_is_gone_after_it(serving: Serving, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()

    demo = serving("demo", *SMALL, "--port", "0", until="Ctrl-C", TMPDIR=str(folder))
    while_it_runs = list(folder.glob("laurels-demo-*/demo.db"))
    code = demo.stop(signal.SIGINT)

    assert code == 0
    assert len(while_it_runs) == 1
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_kept_demo_is_used_again_and_somebody_is_always_on_the_brink(serving: Serving, tmp_path: Path) -> None:
    given: list[str] = []
    for _ in range(3):
        demo = serving("demo", *SMALL, "--port", "0", "--database", "sqlite:///demo.db", until="Ctrl-C")
        read_profile, send_event = [line for line in demo.lines if line.startswith("curl ")]
        before, answer, after = curl(read_profile), curl(send_event), curl(read_profile)
        new = badges(after) - badges(before)
        assert new >= {answer["results"][0]["awards"][0]["id"]}
        assert next(iter(new)).startswith("message_")
        given.append(answer["results"][0]["userId"])
        assert demo.stop() == 0

    assert given[0] == "maple-fox"
    assert len(set(given)) == 3
    assert len(points(tmp_path / "demo.db")) == 40


@pytest.mark.slow
def test_a_demo_for_programs_is_one_document(serving: Serving) -> None:
    demo = serving("demo", *SMALL, "--port", "0", "--json", until="^}$")

    visit = json.loads("\n".join(demo.lines))
    status, _, profile = demo.ask("/api/gamification/profile", headers={"Cookie": visit["session"]})

    assert demo.address == visit["address"]
    assert status == 200
    assert profile["streak"] >= 1
    assert demo.stop() == 0


def test_two_fillings_with_the_same_seed_give_everybody_the_same_points(cli: Cli) -> None:
    for name in ("one", "two"):
        assert cli("demo", *SMALL, "--fill-only", "--database", f"sqlite:///{name}.db").code == 0
    cli("demo", *SMALL, "--fill-only", "--seed", "8", "--database", "sqlite:///three.db")

    one, two, three = (points(cli.folder / f"{name}.db") for name in ("one", "two", "three"))
    assert one == two
    assert len(one) == 40
    assert one != three


def test_a_filled_demo_holds_together(cli: Cli) -> None:
    cli("demo", *SMALL, "--fill-only", "--database", "sqlite:///demo.db")

    shown = cli("user", "show", "maple-fox", "--database", "sqlite:///demo.db", "--catalog", "demo.catalog.toml")
    ledger = sqlite3.connect(cli.folder / "demo.db")
    wrong = ledger.execute(
        "SELECT user_id FROM users u WHERE points <> (SELECT coalesce(sum(amount), 0) FROM ledger WHERE user_id = u.user_id)"
    ).fetchall()
    ledger.close()

    assert wrong == []
    assert (shown.code, shown.err) == (0, "")
    assert "1 more message" in shown.out
    assert sorted(path.name for path in cli.folder.iterdir()) == ["demo.catalog.toml", "demo.db"]


def test_past_weeks_are_alive_and_closed_by_rule(cli: Cli) -> None:
    cli("demo", *SMALL, "--fill-only", "--database", "sqlite:///demo.db")
    of_demo = ("--database", "sqlite:///demo.db", "--catalog", "demo.catalog.toml", "--json")
    (weekly,) = [one for one in cli("leaderboard", "--list", *of_demo).json["leaderboards"] if one["id"] == "weekly"]
    before_last = date.fromisoformat(weekly["current"]["start"][:10]) - timedelta(days=10)
    key = "{}-W{:02}".format(*before_last.isocalendar())

    last = cli("leaderboard", "weekly", "--period", "previous", "--me", "maple-fox", *of_demo).json
    closed = cli("leaderboard", "weekly", "--period", key, *of_demo).json

    assert last["rankedUsers"] >= 10
    assert last["me"]["score"] > 0
    assert closed["rankedUsers"] >= 10
    assert closed["period"]["status"] == "closed"


def test_filling_only_as_json(cli: Cli) -> None:
    document = cli("demo", *SMALL, "--fill-only", "--database", "sqlite:///demo.db", "--json").json

    assert document == {"database": "sqlite:///demo.db", "catalog": "demo.catalog.toml"}


def test_a_database_that_is_no_demo_is_left_alone(cli: Cli) -> None:
    cli(
        "record",
        cli.file("one.jsonl", '{"userId": "ada", "id": "1", "type": "agent.created"}'),
        "--database",
        cli.database,
    )
    before = (cli.folder / "laurels.db").read_bytes()

    ended = cli("demo", "--fill-only", "--database", cli.database)

    assert ended.code == 2
    assert "holds something else than a demo" in ended.err
    assert (cli.folder / "laurels.db").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fill-only"], "needs --database"),
        (["--database", "sqlite://"], "the demo cannot use"),
        (["--database", "sqlite:///none/demo.db"], "there is no folder"),
        (["--users", "0"], "0"),
        (["--days", "3"], "3"),
    ],
)
def test_a_demo_that_cannot_be_is_refused(cli: Cli, arguments: list[str], said: str) -> None:
    ended = cli("demo", *arguments)

    assert ended.code == 2
    assert said in ended.err


def test_the_database_of_the_settings_is_never_taken_for_a_demo(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_DATABASE", cli.database)

    assert cli("demo", "--fill-only").code == 2
    assert not (cli.folder / "laurels.db").exists()
