from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from laurels import Event, EventTooLate
from laurels.testing import TestClock, blocking_sandbox, sandbox
from tests.support import MONDAY, at, badge, catalog

pytestmark = pytest.mark.anyio


async def test_the_example_in_its_documentation() -> None:
    async with sandbox() as (laurels, clock):
        for _ in range(7):
            profile = await laurels.profile("ada", login=True)
            clock.advance(days=1)
        assert profile.badge_awarded == "login_streak_7"


async def test_two_sandboxes_share_nothing() -> None:
    async with sandbox() as (one, _), sandbox() as (other, _):
        await one.update_user("ada")
        assert (await other.store.counts()).users == 0


async def test_a_sandbox_takes_a_catalog_a_start_a_zone_and_a_window() -> None:
    made = catalog(badges=[badge("b", streak="login", streak_of=1)])
    start = datetime(2026, 7, 1, 20, tzinfo=UTC)
    window = timedelta(days=1)
    async with sandbox(made, start=start, default_zone="Asia/Tokyo", late_window=window) as (laurels, _):
        assert (await laurels.profile("ada", login=True)).badge_awarded == "b"
        row = await laurels.store.user("ada")
        assert row
        assert row.progress.days["login"].last == at("2026-07-02").toordinal()
        with pytest.raises(EventTooLate):
            await laurels.record(Event("ada", "e", "x", start - timedelta(days=2)))


async def test_a_sandbox_can_be_a_file(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'laurels.db'}"
    for expected in (1, 2):
        async with sandbox(database=database) as (laurels, clock):
            clock.advance(days=expected)
            assert (await laurels.profile("ada", login=True)).streak == expected


def test_a_clock_shows_the_same_time_until_it_is_moved() -> None:
    clock = TestClock(MONDAY)
    assert clock() == clock() == MONDAY
    clock.advance(days=1, hours=2, seconds=3)
    assert clock() == MONDAY + timedelta(days=1, hours=2, seconds=3)
    clock.set(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert (clock(), clock().tzinfo) == (at("2026-01-01"), UTC)


def test_a_blocking_sandbox_takes_what_a_sandbox_takes() -> None:
    made = catalog(badges=[badge("b", streak="login", streak_of=2)])
    start = datetime(2026, 7, 1, 20, tzinfo=UTC)
    window = timedelta(days=1)
    with blocking_sandbox(made, start=start, default_zone="Asia/Tokyo", late_window=window) as (laurels, clock):
        assert laurels.profile("ada", login=True).badge_awarded is None
        clock.advance(days=1)
        assert laurels.profile("ada", login=True).badge_awarded == "b"
        with pytest.raises(EventTooLate):
            laurels.record(Event("ada", "e", "x", start - timedelta(days=2)))


def run_pytest(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", folder],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_the_fixtures_work_as_documented(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs/testing.md").read_text("utf-8")
    conftest, tests = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:2]

    ran = run_pytest(tmp_path, conftest=conftest, test_app=tests)

    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_a_fixture_of_the_app_replaces_the_catalog_and_asynchronous_tests_get_the_same(tmp_path: Path) -> None:
    conftest = """
from importlib.resources import files
import pytest
from laurels import Catalog
pytest_plugins = ["laurels.testing.plugin"]

@pytest.fixture
def laurels_catalog():
    default = (files("laurels.engine") / "default.toml").read_text("utf-8")
    return Catalog.parse(default.replace('"Newcomer"', '"Only"'))

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
    tests = """
import pytest

def test_blocking(blocking_laurels):
    assert blocking_laurels.profile("ada", login=True).title == "Only"

@pytest.mark.anyio
async def test_asynchronous(async_laurels, laurels_clock):
    assert (await async_laurels.profile("ada", login=True)).title == "Only"
    laurels_clock.advance(days=1)
    assert (await async_laurels.profile("ada", login=True)).streak == 2
"""
    ran = run_pytest(tmp_path, conftest=conftest, test_app=tests)

    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_running_laurels_needs_no_pytest() -> None:
    program = "import sys, laurels, laurels.testing, laurels.cli; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], timeout=90, check=True)
