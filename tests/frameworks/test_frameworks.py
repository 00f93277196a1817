"""The examples for Django, Flask and FastAPI, in the real frameworks and servers."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels import BlockingLaurels, Catalog, Event
from laurels.testing import TestClock
from tests.frameworks.servers import BOUND_SECONDS, EXAMPLES, PRELOADED, Server, running
from tests.support import LASTING_ENGINES

EARNED = ["first_agent", "message_100"]
BADGES = [
    {name: getattr(badge, name) for name in ("id", "name", "description", "icon", "category", "points")}
    | {"condition": badge.condition_text}
    for badge in Catalog.default().badges
]

EXAMPLE = {
    "badges": [badge for badge in BADGES if badge["id"] in EARNED],
    "points": 150,
    "level": 2,
    "title": "Beginner",
    "nextLevel": 500,
    "progress": 30,
    "streak": 3,
    "badgeAwarded": None,
    "leaderboard": [
        {"userId": "cleo", "name": "Cleo", "points": 750, "level": 3, "title": "Intermediate"},
        {"userId": "dan", "name": "Anonymous", "points": 600, "level": 3, "title": "Intermediate"},
        {"userId": "bob", "name": "Bob", "points": 200, "level": 2, "title": "Beginner"},
        {"userId": "ada", "name": "Ada", "points": 150, "level": 2, "title": "Beginner"},
    ],
    "userRank": 4,
    "availableBadges": [badge for badge in BADGES if badge["id"] not in EARNED],
}
"""The contract's example: 150 points, three days of login, three users above."""

EVENTS = {
    "ada": [("agent.created", 1), ("message.sent", 100)],
    "bob": [("agent.created", 3)],
    "cleo": [("referral.completed", 1), ("agent.created", 1), ("message.sent", 1000)],
    "dan": [("referral.completed", 5)],
}

MOST_LINES = 8

lasting = pytest.mark.parametrize("engine", LASTING_ENGINES, indirect=True)


@pytest.fixture
def filled(database: str) -> str:
    """The address of a database in which `ada` was here yesterday and the day before."""
    clock = TestClock(datetime.now(UTC))
    with BlockingLaurels(database, clock=clock) as laurels:
        for days in (2, 1):
            clock.set(datetime.now(UTC) - timedelta(days=days))
            laurels.profile("ada", login=True)
        for user, events in EVENTS.items():
            laurels.record_many([Event(user, type_, type_, quantity=quantity) for type_, quantity in events])
        for user in ("ada", "bob", "cleo"):
            laurels.update_user(user, name=user.title())
    return database


def code_lines(file: Path) -> int:
    """The lines of code in a file, without imports, docstrings and empty lines."""
    tree = ast.parse(file.read_text("utf-8"))
    texts = (ast.Import, ast.ImportFrom)
    code = [
        node
        for node in tree.body
        if not isinstance(node, texts) and not isinstance(getattr(node, "value", None), ast.Constant)
    ]
    lines = file.read_text("utf-8").splitlines()
    first = [min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) for node in code]
    return sum(
        bool(line.strip())
        for node, begin in zip(code, first, strict=True)
        for line in lines[begin - 1 : node.end_lineno]
    )


@pytest.mark.parametrize("file", ["flask/app.py", "django/urls.py", "fastapi/app.py"])
def test_an_app_needs_at_most_eight_lines(file: str) -> None:
    assert 4 <= code_lines(EXAMPLES / file) <= MOST_LINES


@lasting
@pytest.mark.parametrize("name", ["flask", "django", "fastapi"])
def test_an_app_answers_the_json_of_the_contract(name: str, filled: str, tmp_path: Path) -> None:
    with running(name, filled, tmp_path) as server:
        content_type, profile = server.profile("ada")

    assert content_type.partition(";")[0] == "application/json"
    assert profile == EXAMPLE
    assert len(profile) == 11


@lasting
@pytest.mark.parametrize("name", ["flask", "flask with reloader", "django", "django with reloader", "fastapi"])
def test_one_interrupt_ends_a_development_server(name: str, database: str, tmp_path: Path) -> None:
    with running(name, database, tmp_path) as server:
        assert server.profile("ada")[1]["streak"] == 1

        server.end(signal.SIGINT)

        assert server.is_gone(), server.log.read_text()


@lasting
@pytest.mark.parametrize("name", ["gunicorn with flask", "gunicorn with django"])
def test_both_workers_of_a_preloaded_server_answer_and_it_stops(name: str, filled: str, tmp_path: Path) -> None:
    with running(name, filled, tmp_path, *PRELOADED) as server:
        profiles, workers = answers_of_workers(server)
        status = server.end(signal.SIGTERM)

        assert server.is_gone(), server.log.read_text()
    assert all(profile == EXAMPLE for profile in profiles)
    assert len(workers - {str(server.process.pid)}) == 2
    assert status == 0


def answers_of_workers(server: Server) -> tuple[list[Any], set[str]]:
    """Ask until two processes have answered: what they answered, and their ids, as the access log has them."""
    profiles: list[Any] = []
    workers: set[str] = set()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(100):
            profiles += [profile for _, profile in threads.map(server.profile, ["ada"] * 8)]
            workers = set(re.findall(r"answered by <(\d+)>", server.log.read_text()))
            if len(workers) > 1:
                break
    return profiles, workers


@pytest.mark.parametrize("arguments", [["check"], ["shell", "-c", "import urls; print(urls.laurels.leaderboards())"]])
def test_a_command_of_django_that_imports_the_app_ends_by_itself(
    database: str, tmp_path: Path, arguments: list[str]
) -> None:
    ran = run_manage(database, tmp_path, *arguments)

    assert ran.returncode == 0, ran.stderr


def test_a_command_of_django_that_raises_ends_by_itself(database: str, tmp_path: Path) -> None:
    ran = run_manage(database, tmp_path, "shell", "-c", "import urls; 1 / 0")

    assert ran.returncode == 1
    assert "ZeroDivisionError" in ran.stderr


def run_manage(database: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / "django/manage.py", *arguments],
        cwd=folder,
        env={**os.environ, "DATABASE": database},
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
