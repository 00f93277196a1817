from __future__ import annotations

import html
import json
import os
import pty
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Server, environment
from tests.support.files import opened
from tests.support.operator import Page

Serving = Callable[..., Server]

SMALL = ("--users", "40", "--days", "30")


def points(file: Path) -> dict[str, int]:
    with opened(file) as connection:
        return dict(connection.execute("SELECT user_id, points FROM users").fetchall())


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
def test_a_demo_file_is_used_again_and_some_member_is_always_one_message_short(
    serving: Serving, tmp_path: Path
) -> None:
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
    with opened(tmp_path / "demo.db") as file:
        assert file.execute("SELECT count(*), count(revoked_at) FROM api_keys").fetchone() == (6, 6)
        assert file.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


@pytest.mark.slow
def test_a_demo_for_programs_is_one_document(serving: Serving) -> None:
    demo = serving("demo", *SMALL, "--port", "0", "--json", until="^}$")

    visit = json.loads("\n".join(demo.lines))
    status, _, profile = demo.ask("/api/gamification/profile", headers={"Cookie": visit["session"]})

    with urllib.request.urlopen(visit["playground"], timeout=30) as page:
        assert visit["key"] in html.unescape(page.read().decode())
    assert demo.address == visit["address"]
    assert visit["playground"] == visit["address"] + "/playground"
    assert status == 200
    assert profile["streak"] >= 1
    assert demo.stop() == 0


@pytest.mark.slow
def test_the_address_of_the_playground_is_first_and_the_front_page_redirects_there(serving: Serving) -> None:
    demo = serving("demo", *SMALL, "--port", "0", until="Ctrl-C")

    with urllib.request.urlopen(demo.address, timeout=30) as page:
        assert page.url == f"{demo.address}/playground"
    assert next(line for line in demo.lines if line).endswith(page.url)
    assert demo.stop() == 0


@pytest.mark.slow
def test_the_admin_key_of_a_demo_opens_its_console(serving: Serving) -> None:
    demo = serving("demo", *SMALL, "--port", "0", "--json", until="^}$")
    visit = json.loads("\n".join(demo.lines))
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    with browser.open(visit["console"], timeout=30) as page:
        (form,) = Page(page.read().decode()).forms
    filled = urllib.parse.urlencode({**form.fields, "key": visit["adminKey"]}).encode()
    signing_in = urllib.request.Request(demo.address + form.action, filled, {"Origin": demo.address})
    with browser.open(signing_in, timeout=30) as page:
        assert page.status == 200
    with browser.open(visit["console"], timeout=30) as page:
        assert not page.url.endswith("/sign-in")
        assert "demo-admin-" in page.read().decode()
    assert demo.stop() == 0


@pytest.mark.slow
def test_the_clock_of_a_demo_can_be_moved_and_keeps_its_time_also_in_an_older_file(serving: Serving, cli: Cli) -> None:
    kept = ("--database", "sqlite:///demo.db")
    cli("demo", *SMALL, "--fill-only", *kept)
    assert cli("clock", "show", *kept, "--json").json["sandbox"]
    with opened(cli.folder / "demo.db") as before_sandboxes:
        before_sandboxes.execute("DELETE FROM sandbox")

    days: list[date] = []
    for _ in range(2):
        demo = serving("demo", "--port", "0", *kept, "--json", until="^}$")
        key = json.loads("\n".join(demo.lines))["key"]
        moved = demo.ask("/api/gamification/clock", {"days": 1}, headers={"Authorization": f"Bearer {key}"})
        days.append(date.fromisoformat(moved[2]["now"][:10]))
        assert demo.stop() == 0

    assert days[1] - days[0] == timedelta(days=1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs a terminal without a display")
@pytest.mark.parametrize(
    ("options", "surroundings", "opened"),
    [
        ([], {"DISPLAY": ":0"}, True),
        (["--no-open"], {"DISPLAY": ":0"}, False),
        ([], {"DISPLAY": ""}, False),
        ([], {"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, False),
    ],
)
def test_a_browser_opens_where_a_terminal_and_a_display_show_it(
    tmp_path: Path, options: list[str], surroundings: dict[str, str], opened: bool
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    inside, outside = pty.openpty()
    clean = {name: value for name, value in environment().items() if name not in ("SSH_CONNECTION", "WAYLAND_DISPLAY")}
    demo = subprocess.Popen(
        [sys.executable, "-m", "laurels", "demo", *SMALL, "--port", "0", *options],
        cwd=tmp_path,
        env={**clean, "BROWSER": f"{browser} %s", **surroundings},
        stdout=outside,
        stderr=subprocess.STDOUT,
    )
    try:
        said = ""
        while "Ctrl-C" not in said:
            said += os.read(inside, 4096).decode()
        deadline = time.monotonic() + (30 if opened else 1)
        while not (tmp_path / "opened").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        found = (tmp_path / "opened").read_text().strip() if opened else None
    finally:
        demo.terminate()
        demo.wait(30)
        os.close(inside)
        os.close(outside)

    assert (tmp_path / "opened").exists() is opened
    assert found is None or found in said
    assert found is None or found.endswith("/playground")


def test_no_variable_gives_a_server_the_playground(serving: Serving) -> None:
    server = serving("serve", "--port", "0", "--database", "sqlite:///app.db", LAURELS_PLAYGROUND="1")

    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(f"{server.address}/playground", timeout=30)

    with answer.value as error:
        assert error.code == 404
    assert "LAURELS_PLAYGROUND is not a setting" in server.errors.read_text()


def test_two_fillings_with_the_same_seed_give_each_member_the_same_points(cli: Cli) -> None:
    for name in ("one", "two"):
        assert cli("demo", *SMALL, "--fill-only", "--database", f"sqlite:///{name}.db").code == 0
    cli("demo", *SMALL, "--fill-only", "--seed", "8", "--database", "sqlite:///three.db")

    one, two, three = (points(cli.folder / f"{name}.db") for name in ("one", "two", "three"))
    assert one == two
    assert len(one) == 40
    assert one != three


def test_a_filled_demo_is_consistent(cli: Cli) -> None:
    cli("demo", *SMALL, "--fill-only", "--database", "sqlite:///demo.db")

    shown = cli("user", "show", "maple-fox", "--database", "sqlite:///demo.db", "--catalog", "demo.catalog.toml")
    with opened(cli.folder / "demo.db") as ledger:
        wrong = ledger.execute(
            "SELECT user_id FROM users u WHERE points <> (SELECT coalesce(sum(amount), 0) FROM ledger WHERE user_id = u.user_id)"
        ).fetchall()

    assert wrong == []
    assert (shown.code, shown.err) == (0, "")
    assert "1 more message" in shown.out
    assert sorted(path.name for path in cli.folder.iterdir()) == ["demo.catalog.toml", "demo.db"]


def test_past_weeks_have_users_and_are_closed(cli: Cli) -> None:
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


def test_a_database_that_is_not_a_demo_is_not_changed(cli: Cli) -> None:
    cli(
        "record",
        cli.file("one.jsonl", '{"userId": "ada", "id": "1", "type": "agent.created"}'),
        "--database",
        cli.database,
    )
    before = (cli.folder / "laurels.db").read_bytes()

    ended = cli("demo", "--fill-only", "--database", cli.database)

    assert ended.code == 2
    assert "is not a demo database" in ended.err
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
def test_a_demo_with_wrong_options_is_refused(cli: Cli, arguments: list[str], said: str) -> None:
    ended = cli("demo", *arguments)

    assert ended.code == 2
    assert said in ended.err


def test_the_database_of_the_settings_is_never_used_for_a_demo(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_DATABASE", cli.database)

    assert cli("demo", "--fill-only").code == 2
    assert not (cli.folder / "laurels.db").exists()
