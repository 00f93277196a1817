from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels import (
    Admin,
    BlockingAdmin,
    BlockingLaurels,
    Event,
    EventResult,
    Laurels,
    NumberChange,
    SettingsError,
    StoreUnavailable,
    UserNotFound,
    ZoneChangeTooSoon,
)
from laurels.testing import TestClock, blocking_sandbox
from tests.support import MONDAY

ROOT = Path(__file__).parents[2]

NOT_BLOCKING = {"open": "the constructor of BlockingLaurels does it", "start": "open does it"}
"""Public methods of `Laurels` that `BlockingLaurels` does not have, and why."""

BOUND_SECONDS = 60
"""No test measures a time: what has not ended after this long hangs."""


def public_methods(cls: type) -> dict[str, Callable[..., Any]]:
    return {name: method for name, method in inspect.getmembers(cls, inspect.isroutine) if not name.startswith("_")}


def parameters(method: Callable[..., Any]) -> list[inspect.Parameter]:
    return [one for name, one in inspect.signature(method).parameters.items() if name != "self"]


# ---- the methods ------------------------------------------------------------------------------


@pytest.mark.parametrize(("blocking", "original"), [(BlockingLaurels, Laurels), (BlockingAdmin, Admin)])
def test_every_public_method_exists_with_the_same_parameters(blocking: type, original: type) -> None:
    have, want = public_methods(blocking), public_methods(original)

    missing = want.keys() - have.keys() - NOT_BLOCKING.keys()
    assert want
    assert not missing, f"add to {blocking.__name__}: {missing}"
    for name in want.keys() & have.keys():
        assert parameters(have[name]) == parameters(want[name]), name
        assert inspect.unwrap(have[name]) is inspect.unwrap(want[name]) or name in ("close", "pretend"), name
        assert not inspect.iscoroutinefunction(have[name])


def test_the_constructor_takes_what_open_takes() -> None:
    assert parameters(BlockingLaurels.__init__) == parameters(Laurels.open)


def test_type_checkers_know_what_each_method_takes_and_returns(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("""\
from collections.abc import Iterator
from typing import assert_type
from laurels import BlockingLaurels, Event, EventResult

laurels = BlockingLaurels("sqlite://")
assert_type(laurels.record(Event("ada", "e-1", "x")), EventResult)
assert_type(laurels.profile("ada", login=True).points, int)
assert_type(laurels.admin.rebuild("ada"), bool)
assert_type(laurels.admin.users(), Iterator[str])
laurels.profile("ada", logn=True)
laurels.admin.rebuild()
""")

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", tmp_path, program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10 * BOUND_SECONDS,
        check=False,
    )

    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in errors] == ["10", "11"], checked.stdout


def test_every_method_returns_when_it_is_done() -> None:
    with BlockingLaurels("sqlite://", clock=TestClock(MONDAY)) as laurels:
        assert laurels.record(Event("ada", "e-1", "message.sent", quantity=100)).points == NumberChange(
            before=0, after=100
        )
        assert [type(one) for one in laurels.record_many([Event("ada", "e-2", "x")])] == [EventResult]
        assert laurels.update_user("ada", name="Ada", visibility="public").name == "Ada"
        assert laurels.user("ada").points == 100
        assert laurels.profile("ada", login=True, include=["rank"]).streak == 1
        assert laurels.rank("ada").rank == 1
        assert [line.name for line in laurels.leaderboard().standings] == ["Ada"]
        assert laurels.leaderboard("weekly", "current", limit=1, around="ada", me="ada").me is not None
        assert [board.id for board in laurels.leaderboards().leaderboards] == ["points", "weekly", "monthly"]
        assert laurels.closings("weekly").closings == []
        assert len(laurels.history("ada").entries) == 3
        assert [one.name for one in laurels.streaks("ada").streaks] == ["login"]
        assert laurels.explain("ada", "message_100").earned
        laurels.erase_user("ada")
        with pytest.raises(UserNotFound):
            laurels.user("ada")


def test_the_admin_returns_when_it_is_done() -> None:
    with BlockingLaurels("sqlite://", clock=TestClock(MONDAY)) as laurels:
        laurels.record_many([Event(user, "e-1", "message.sent", quantity=100) for user in ("ada", "bob")])

        laurels.admin.reverse("bob", "e-1", "sent by a script", "eve")
        laurels.admin.add_amnesty(MONDAY.date(), MONDAY.date(), "outage", "eve")

        assert laurels.user("bob").points == 0
        assert list(laurels.admin.users()) == ["ada", "bob"]
        assert [list(page) for page in BlockingAdmin(laurels).pages(after="ada")] == [["bob"]]
        assert [laurels.admin.verify(user) for user in ("ada", "bob")] == [[], []]
        assert laurels.admin.rebuild("ada") is False


def test_an_iterator_may_be_left_before_its_end() -> None:
    with BlockingLaurels("sqlite://") as laurels:
        for user in ("ada", "bob"):
            laurels.update_user(user)
        assert next(laurels.admin.users()) == "ada"


def test_a_thread_can_pretend_another_time_in_a_sandbox() -> None:
    with blocking_sandbox() as (laurels, clock):
        laurels.set_clock_offset(timedelta())
        with laurels.pretend(clock.now + timedelta(days=3)):
            assert laurels.now() == clock.now + timedelta(days=3)
        assert laurels.now() == clock.now


def test_errors_are_raised_in_the_calling_thread() -> None:
    with BlockingLaurels("sqlite://") as laurels:
        for zone in ("UTC", "Asia/Tokyo"):
            laurels.update_user("ada", time_zone=zone)
        with pytest.raises(ZoneChangeTooSoon):
            laurels.update_user("ada", time_zone="UTC")


def test_many_threads_share_one(tmp_path: Path) -> None:
    events = [Event("ada", f"e-{i}", "message.sent") for i in range(100)]
    with BlockingLaurels(f"sqlite:///{tmp_path / 'laurels.db'}") as laurels:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(laurels.record, events * 4))
        assert sum(not answer.duplicate for answer in answers) == 100
        assert sum(len(answer.awards) for answer in answers if not answer.duplicate) == 1
        assert laurels.profile("ada").points == 100


# ---- inside an event loop ---------------------------------------------------------------------


def test_a_call_in_a_thread_that_runs_an_event_loop_is_refused() -> None:
    async def call() -> None:
        with BlockingLaurels("sqlite://") as laurels:  # as when a server imports the app within its loop
            with pytest.raises(RuntimeError, match=r"use 'async with Laurels\.open"):
                laurels.leaderboards()
            assert await asyncio.to_thread(laurels.leaderboards)

    asyncio.run(call())


def test_a_clock_that_calls_back_gets_an_error_and_no_deadlock() -> None:
    opened: list[BlockingLaurels] = []
    clock = TestClock(MONDAY)

    def asking() -> Any:
        if opened:
            opened[0].leaderboards()
        return clock()

    with BlockingLaurels("sqlite://", clock=asking) as laurels:
        opened.append(laurels)
        with pytest.raises(RuntimeError, match="event loop"):
            laurels.record(Event("ada", "e-1", "x"))


# ---- closing ----------------------------------------------------------------------------------


def test_closing_twice_is_harmless_and_ends_the_thread() -> None:
    before = threading.active_count()
    laurels = BlockingLaurels("sqlite://")
    assert threading.active_count() > before
    laurels.close()
    laurels.close()
    assert threading.active_count() == before


def test_many_threads_may_close_and_each_returns_when_it_is_closed(tmp_path: Path) -> None:
    before = threading.active_count()
    laurels = BlockingLaurels(f"sqlite:///{tmp_path / 'laurels.db'}")
    with ThreadPoolExecutor(8) as threads:
        for closed in [threads.submit(laurels.close) for _ in range(8)]:
            closed.result(BOUND_SECONDS)
    assert threading.active_count() == before


def test_a_closed_one_refuses_calls() -> None:
    laurels = BlockingLaurels("sqlite://")
    laurels.close()
    for call in (laurels.leaderboards, lambda: laurels.catalog, laurels.pretend(MONDAY).__enter__):
        with pytest.raises(StoreUnavailable, match="is closed"):
            call()


def test_closing_while_others_call_answers_all_of_them(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'laurels.db'}"
    laurels = BlockingLaurels(database)
    acknowledged: list[str] = []
    started = threading.Barrier(9)

    def record(name: str) -> None:
        started.wait(BOUND_SECONDS)
        for index in range(100_000):
            laurels.record(Event("ada", f"{name}-{index}", "message.sent"))
            acknowledged.append(f"{name}-{index}")

    with ThreadPoolExecutor(8) as threads:
        recording = [threads.submit(record, f"t{number}") for number in range(8)]
        started.wait(BOUND_SECONDS)
        laurels.close()
        errors = [one.exception(BOUND_SECONDS) for one in recording]

    assert {type(error).__name__ for error in errors} <= {"StoreUnavailable", "Overloaded"}
    with BlockingLaurels(database) as reopened:
        answers = reopened.record_many([Event("ada", name, "message.sent") for name in acknowledged])
        assert all(isinstance(answer, EventResult) and answer.duplicate for answer in answers)


def test_a_call_that_does_not_end_is_given_up_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("laurels.service.loop_thread.GRACE_SECONDS", 0.01)
    laurels = BlockingLaurels("sqlite://")
    began = threading.Event()

    async def wait_forever(_: Laurels) -> None:
        began.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(laurels.run, wait_forever)
        assert began.wait(BOUND_SECONDS)
        laurels.close()
        with pytest.raises(StoreUnavailable, match="closed during this call"):
            call.result(BOUND_SECONDS)


@pytest.mark.parametrize(("database", "error"), [("mysql://", SettingsError), ("sqlite:////", StoreUnavailable)])
def test_what_cannot_be_opened_raises_and_leaves_no_thread(database: str, error: type[Exception]) -> None:
    before = threading.active_count()
    with pytest.raises(error):
        BlockingLaurels(database)
    assert threading.active_count() == before
