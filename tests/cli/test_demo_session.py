"""The session that a demo prints works as long as the demo runs, however far its clock is moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from laurels.cli.demo import settings_for
from tests.cli.conftest import Server


def test_the_printed_session_survives_moves_of_the_clock(serving: Callable[..., Server]) -> None:
    demo = serving("demo", "--json", "--users", "8", "--days", "7", "--port", "0", until="^}")
    printed = json.loads("\n".join(demo.lines))
    for days in (2, 400, 3000):
        by_key = {"Authorization": f"Bearer {printed['key']}"}
        assert demo.ask("/api/gamification/clock", {"days": days}, headers=by_key)[0] == 200

        assert demo.ask("/api/gamification/profile", headers={"Cookie": printed["session"]})[0] == 200


def test_a_demo_that_others_visit_over_http_lets_an_operator_sign_in(tmp_path: Path) -> None:
    assert settings_for(tmp_path / "demo.db", "0.0.0.0", "0").auth.cookie_secure == "never"
