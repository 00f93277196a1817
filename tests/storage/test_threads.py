from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import Future

import pytest

from laurels.errors import StoreUnavailable
from laurels.storage.threads import DaemonExecutor

BOUND_SECONDS = 60


def test_calls_run_in_order_in_one_daemon_thread() -> None:
    executor = DaemonExecutor("one")
    seen: list[tuple[int, threading.Thread]] = []

    for call in [
        executor.submit(lambda number: seen.append((number, threading.current_thread())), n) for n in range(9)
    ]:
        call.result(BOUND_SECONDS)

    assert [number for number, _ in seen] == list(range(9))
    (thread,) = {thread for _, thread in seen}
    assert (thread.name, thread.daemon) == ("one", True)
    executor.shutdown()
    assert not thread.is_alive()


def test_an_error_is_raised_where_the_call_came_from_and_the_next_call_runs() -> None:
    with DaemonExecutor("one") as executor:
        failing = executor.submit(int, "x")
        with pytest.raises(ValueError, match="invalid literal"):
            failing.result(BOUND_SECONDS)
        assert executor.submit(int, "7").result(BOUND_SECONDS) == 7


def test_a_call_cancelled_before_it_begins_does_not_run() -> None:
    ran: list[int] = []
    go_on = threading.Event()
    with DaemonExecutor("one") as executor:
        executor.submit(go_on.wait, BOUND_SECONDS)
        assert executor.submit(ran.append, 1).cancel()
        go_on.set()
    assert ran == []


def test_shutting_down_finishes_what_was_submitted_and_refuses_more() -> None:
    executor = DaemonExecutor("one")
    calls: list[Future[int]] = [executor.submit(int, "1") for _ in range(100)]
    executor.shutdown()
    executor.shutdown()
    assert all(call.done() for call in calls)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(int)


def test_the_thread_of_a_forgotten_one_ends() -> None:
    executor = DaemonExecutor("one")
    thread: threading.Thread = executor.submit(threading.current_thread).result(BOUND_SECONDS)
    forgotten = weakref.ref(executor)

    del executor
    gc.collect()

    assert forgotten() is None
    thread.join(BOUND_SECONDS)
    assert not thread.is_alive()


def test_the_result_of_a_call_is_not_held() -> None:
    class Result:
        """Something that can be referred to weakly."""

    with DaemonExecutor("one") as executor:
        result = weakref.ref(executor.submit(Result).result(BOUND_SECONDS))
        executor.submit(int).result(BOUND_SECONDS)
        gc.collect()
        assert result() is None


def test_a_thread_that_cannot_start_is_reported_and_started_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    executor = DaemonExecutor("test")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(StoreUnavailable, match="shutting down"):
            executor.submit(int)

    assert executor.submit(lambda: 5).result(5) == 5
    executor.shutdown()
