"""A thread that runs calls one after the other, and that the interpreter does not wait for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from laurels.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_Calls = SimpleQueue[Callable[[], None] | None]


class DaemonExecutor(Executor):
    """One daemon thread, started at the first call.

    The interpreter ends the threads of a `ThreadPoolExecutor` before it runs `atexit` functions, which then could not write any
    more. This thread works until the interpreter exits.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: _Calls = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()
        weakref.finalize(self, self._calls.put, None).atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run this after the calls before it. Raises RuntimeError after `shutdown`, StoreUnavailable without a thread."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the thread {self._name} was shut down")
            if self._thread is None:
                self._thread = self._started()
            self._calls.put(partial(_settle, future, partial(fn, *args, **kwargs)))
        return future

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=_work, args=(self._calls,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise StoreUnavailable("the interpreter is shutting down, and starts no thread any more") from error
        return thread

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  # as Executor has it
        """Accept no more calls, and end the thread when those submitted are done."""
        with self._lock:
            self._closed = True
            self._calls.put(None)
        if wait and self._thread is not None:
            self._thread.join()


def _work(calls: _Calls) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # or its result would stay in memory until the next call


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # raised again in the caller
        future.set_exception(error)
    else:
        future.set_result(result)
