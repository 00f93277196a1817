"""A weekly streak in the terminal counts weeks."""

from __future__ import annotations

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
