"""An event loop in a daemon thread, with an open Laurels on it: what `BlockingLaurels` calls into."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypeVar, TypeVarTuple

from laurels.errors import StoreUnavailable
from laurels.service.laurels import Laurels
from laurels.storage.threads import DaemonExecutor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GRACE_SECONDS = 5
"""How long reads may continue while Laurels is being closed."""


class LoopThread:
    """Opens a Laurels in a thread of its own, and runs calls on it until it is closed."""

    def __init__(self, open_laurels: Callable[[], AbstractAsyncContextManager[Laurels]]) -> None:
        """Return when it is open. Raises what opening raises, after ending the thread."""
        self.pid = os.getpid()
        self._loop = _Loop()
        self._closing = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()
        self._answers: set[Future[Any]] = set()
        self._opened: Future[Laurels] = Future()
        self._closed: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(open_laurels,), name="laurels", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # while the interpreter exits, no thread can be started
            self._loop.close()
            raise StoreUnavailable(f"no thread could be started for Laurels: {error}") from error
        try:
            self.laurels = self._opened.result()
        except BaseException:
            self.close()
            raise

    def is_current(self) -> bool:
        """Whether the caller runs in this thread, and so cannot wait for it."""
        return threading.current_thread() is self._thread

    def submit(self, work: Callable[[Laurels], Coroutine[Any, Any, T]]) -> Future[T]:
        """Begin a call. Those submitted before `close` are all answered, with a result or an error.

        The coroutine is made in the loop's thread: a signal handler that raises here leaves none that is never awaited.
        """
        answer: Future[T] = Future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        try:
            self._loop.call_soon_threadsafe(self._begin, work, answer)
        except RuntimeError as error:  # a signal handler closed it in the middle of this call
            self._answers.discard(answer)
            raise StoreUnavailable("Laurels is closed") from error
        return answer

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait up to `seconds` for all running calls. Returns whether all have ended."""
        idle = asyncio.run_coroutine_threadsafe(self._idle(), self._loop)
        try:
            idle.result(seconds)
        except TimeoutError:
            idle.cancel()
            return False
        return True

    def close(self) -> None:
        """Finish queued writes, close the database and end the thread. Any number of threads may call it."""
        with suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._begin_to_close)
        if not self.is_current():
            self._thread.join()
            self._closed.result()

    def _run(self, open_laurels: Callable[[], AbstractAsyncContextManager[Laurels]]) -> None:
        self._serving = self._loop.create_task(self._serve(open_laurels))
        try:
            self._loop.run_until_complete(self._serving)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except BaseException as error:  # noqa: BLE001  # raised again in `close`
            self._closed.set_exception(error)
        else:
            self._closed.set_result(None)
        finally:
            self._loop.close()
            for answer in list(self._answers):  # submitted when the loop had ended already
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(StoreUnavailable("Laurels is closed"))

    async def _serve(self, open_laurels: Callable[[], AbstractAsyncContextManager[Laurels]]) -> None:
        try:
            async with open_laurels() as laurels:
                self._opened.set_result(laurels)
                await self._closing.wait()
                await laurels.group_commit.close()
                await self._end_calls()
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    def _begin_to_close(self) -> None:
        self._closing.set()
        if not self._opened.done():  # opening takes long if the database does not respond
            self._serving.cancel()

    def _begin(self, work: Callable[[Laurels], Coroutine[Any, Any, T]], answer: Future[T]) -> None:
        call = self._loop.create_task(self._call(work))

        def pass_on(ended: asyncio.Task[T]) -> None:
            if ended.cancelled():
                answer.cancel()
            elif answer.set_running_or_notify_cancel():
                error = ended.exception()
                answer.set_exception(error) if error else answer.set_result(ended.result())

        def pass_back(ended: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop has ended already
                if ended.cancelled():
                    self._loop.call_soon_threadsafe(call.cancel)

        call.add_done_callback(pass_on)
        answer.add_done_callback(pass_back)

    async def _call(self, work: Callable[[Laurels], Coroutine[Any, Any, T]]) -> T:
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        try:
            return await work(self.laurels)
        finally:
            self._calls.discard(call)

    async def _idle(self) -> None:
        while self._calls:
            await asyncio.wait(self._calls)

    async def _end_calls(self) -> None:
        """Give running calls some time to end, then cancel the rest."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=GRACE_SECONDS)
        for call in self._calls:
            call.cancel()
        await self._idle()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose default executor is a daemon thread, so that it works until the interpreter exits."""

    def __init__(self) -> None:
        super().__init__()
        self._names = DaemonExecutor("laurels-names")

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As in the base class; the default executor, used for DNS look-ups, is the daemon thread."""
        return super().run_in_executor(executor or self._names, func, *args)

    def close(self) -> None:
        """End the loop and its thread."""
        self._names.shutdown(wait=False)
        super().close()
