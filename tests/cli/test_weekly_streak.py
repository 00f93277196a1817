"""Weekly and monthly streaks in the terminal count weeks and months."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Cli

DEFAULT = Path(__file__).parents[2] / "laurels/engine/default.toml"


def test_a_weekly_streak_is_shown_in_weeks(cli: Cli) -> None:
    added = '[streaks.login]\nevents = ["login"]\n\n[streaks.chat]\nevents = ["login"]\ncadence = "weekly"\n'
    text = DEFAULT.read_text("utf-8").replace('[streaks.login]\nevents = ["login"]\n', added)
    of = ("--database", cli.database, "--catalog", cli.file("catalog.toml", text))
    ended = cli("record", cli.file("one.jsonl", '{"userId": "ada", "id": "1", "type": "login"}\n'), *of)

    assert ended.code == 0, ended.err
    shown = cli("user", "show", "ada", *of).out

    assert "1-week chat streak" in shown
    assert "1 week in all" in shown


MONTHLY = """
[streaks.login]
events = ["login"]

[streaks.training]
title = "Monthly training"
events = ["login"]
cadence = "monthly"
days = 2
"""


def test_a_monthly_streak_is_explained_in_months_and_days(cli: Cli) -> None:
    text = DEFAULT.read_text("utf-8").replace('[streaks.login]\nevents = ["login"]\n', MONTHLY)
    of = ("--database", cli.database, "--catalog", cli.file("catalog.toml", text))
    now = datetime.now(UTC)
    first = (now.replace(day=1) - timedelta(days=1)).replace(day=1, hour=12)
    lines = [
        {"userId": "ada", "id": str(number), "type": "login", "occurredAt": when.isoformat()}
        for number, when in enumerate([first, first + timedelta(days=1), now])
    ]
    sent = cli("record", cli.file("some.jsonl", "".join(json.dumps(line) + "\n" for line in lines)), "--any-age", *of)
    assert sent.code == 0, sent.err

    explained = cli("explain", "ada", "--streak", "training", *of).out
    assert "The streak “Monthly training” is 1 month long" in explained
    assert "this month has 1 of 2 days so far" in explained
    assert "2 different days of it had their events" in explained
    assert f"{first:%b %Y}" in explained
    shown = cli("user", "show", "ada", *of).out
    assert "1-month streak “Monthly training”, 1 of 2 days this month" in shown
    assert "1 month in all" in shown
