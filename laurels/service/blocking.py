"""Laurels for synchronous programs (Django, Flask, scripts): the methods of `Laurels` and `Admin`, as ordinary functions.

The calls run on an event loop in a daemon thread, so a program may exit without closing: an `atexit` function does it.
Before a fork the thread and the database are closed, and the next call opens them again, in the parent as in the child.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from laurels.engine.catalog import Catalog
from laurels.errors import StoreUnavailable
from laurels.service.admin import Admin
from laurels.service.clock import Clock, utc_now
from laurels.service.group_commit import BATCH_LIMIT, QUEUE_LIMIT, QUEUE_SECONDS
from laurels.service.laurels import LATE_WINDOW, Laurels
from laurels.service.loop_thread import LoopThread
from laurels.service.rules import OnDifference
from laurels.storage import is_in_memory
from laurels.storage.contract import CONNECTIONS, SCHEMA, Principal, Source

P = ParamSpec("P")
log = logging.getLogger(__name__)

T = TypeVar("T")

FORK_SECONDS = 10
"""How long a fork waits for the calls that run in other threads."""


def _blocking(
    method: Callable[Concatenate[Laurels, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BlockingLaurels, P], T]:
    """A method of `Laurels` without async."""

    @wraps(method)
    def call(self: BlockingLaurels, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(lambda laurels: method(laurels, *args, **kwargs))

    return call


def _admin(
    method: Callable[Concatenate[Admin, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BlockingAdmin, P], T]:
    """A method of `Admin` without async."""

    @wraps(method)
    def call(self: BlockingAdmin, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.laurels.run(lambda laurels: method(Admin(laurels, self.source), *args, **kwargs))

    return call


def _admin_each(
    method: Callable[Concatenate[Admin, P], AsyncIterator[T]],
) -> Callable[Concatenate[BlockingAdmin, P], Iterator[T]]:
    """An asynchronous iterator of `Admin`, as a plain one."""

    @wraps(method)
    def iterate(self: BlockingAdmin, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        async def begin(laurels: Laurels) -> AsyncIterator[T]:
            return method(Admin(laurels, self.source), *args, **kwargs)

        items = self.laurels.run(begin)
        while item := self.laurels.run(lambda _: _next(items)):
            yield from item

    return iterate


async def _next(items: AsyncIterator[T]) -> list[T]:
    """The next item in a list, or an empty list at the end."""
    async for item in items:
        return [item]
    return []


class BlockingLaurels:
    """`Laurels` for synchronous code. Any number of threads may share one.

        laurels = BlockingLaurels("sqlite:///laurels.db")
        laurels.record(Event("ada", "e-1", "agent.created"))
        print(laurels.profile("ada"))

    Open one when the program starts; it is closed when the program exits. A forked process opens its own connections at
    its first call. A thread that runs an event loop cannot call it (RuntimeError): use `Laurels` there.
    """

    def __init__(
        self,
        database: str = "sqlite:///laurels.db",
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        erase_after: timedelta = timedelta(),
        connections: int = CONNECTIONS,
        schema: str = SCHEMA,
        secret_file: str = "",
        queue_limit: int = QUEUE_LIMIT,
        batch_limit: int = BATCH_LIMIT,
        queue_seconds: float = QUEUE_SECONDS,
        clock: Clock = utc_now,
        on_difference: OnDifference = "raise",
        principal: Principal | None = None,
    ) -> None:
        """As `Laurels.open`, with the same parameters and errors."""
        self._open = partial(
            Laurels.open,
            database,
            catalog,
            default_zone=default_zone,
            late_window=late_window,
            erase_after=erase_after,
            connections=connections,
            schema=schema,
            secret_file=secret_file,
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            queue_seconds=queue_seconds,
            clock=clock,
            on_difference=on_difference,
            principal=principal,
        )
        self._in_memory = is_in_memory(database)
        self._lock = threading.RLock()  # not a plain lock: a signal handler may close or fork in the middle of a call
        self._closed = False
        self._thread: LoopThread | None = LoopThread(self._open)
        _opened.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish queued writes, close the database and end the thread. Safe at any time, from any thread, and to repeat.

        Calls that other threads are waiting for end with their result or with an error.
        """
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None and thread.pid == os.getpid():
            thread.close()
        _opened.discard(self)

    @property
    def admin(self) -> BlockingAdmin:
        """The methods of `Admin` on this Laurels."""
        return BlockingAdmin(self)

    @property
    def catalog(self) -> Catalog:
        """The catalog that is in force."""
        return self._ready().laurels.catalog

    @contextmanager
    def pretend(self, at: datetime) -> Generator[None]:
        """In a sandbox, make everything that this thread does happen at this time. Raises NotASandbox otherwise."""
        with self._ready().laurels.pretend(at):
            yield

    now = _blocking(Laurels.now)
    prepare = _blocking(Laurels.prepare)
    follow_catalog = _blocking(Laurels.follow_catalog)
    sandboxed = _blocking(Laurels.sandboxed)
    set_clock_offset = _blocking(Laurels.set_clock_offset)
    record = _blocking(Laurels.record)
    record_many = _blocking(Laurels.record_many)
    update_user = _blocking(Laurels.update_user)
    user = _blocking(Laurels.user)
    erase_user = _blocking(Laurels.erase_user)
    restore_user = _blocking(Laurels.restore_user)
    erase_due = _blocking(Laurels.erase_due)
    history = _blocking(Laurels.history)
    profile = _blocking(Laurels.profile)
    overview = _blocking(Laurels.overview)
    streaks = _blocking(Laurels.streaks)
    entitlements = _blocking(Laurels.entitlements)
    explain = _blocking(Laurels.explain)
    leaderboards = _blocking(Laurels.leaderboards)
    find_leaderboard = _blocking(Laurels.find_leaderboard)
    leaderboard = _blocking(Laurels.leaderboard)
    close_periods = _blocking(Laurels.close_periods)
    closings = _blocking(Laurels.closings)
    newest_notification = _blocking(Laurels.newest_notification)
    notifications = _blocking(Laurels.notifications)
    rank = _blocking(Laurels.rank)

    def run(self, work: Callable[[Laurels], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, a coroutine function that takes the underlying `Laurels`. Every call uses this."""
        _refuse_in_an_event_loop()
        future = self._submit(work)
        try:
            return future.result()
        except CancelledError:
            raise StoreUnavailable(
                "BlockingLaurels was closed during this call, which may have been recorded"
            ) from None
        finally:
            future.cancel()  # after Ctrl-C, no one waits for it

    def _submit(self, work: Callable[[Laurels], Coroutine[Any, Any, T]]) -> Future[T]:
        self._check()
        with self._lock:
            return self._ready().submit(work)

    def _ready(self) -> LoopThread:
        """The thread, opened again if a fork closed it. Raises StoreUnavailable if it is closed or of another process."""
        self._check()  # before the lock: in a process forked without our hooks it may be locked forever
        with self._lock:
            self._check()
            if self._thread is None:  # the catalogs were compared before the fork
                self._thread = LoopThread(partial(self._open, on_difference="follow"))
            return self._thread

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("this BlockingLaurels is closed")
        thread = self._thread
        if thread is None or thread.pid == os.getpid():
            return
        if self._in_memory:
            raise StoreUnavailable(
                "a forked process cannot reach a database in its parent's memory; "
                "use a file, such as 'sqlite:///laurels.db', or open BlockingLaurels after the fork"
            )
        raise StoreUnavailable(
            "this process was forked in the middle of a call, so it cannot use this BlockingLaurels; open one after the fork"
        )

    # ---- forks --------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Block new calls, wait for running ones, and close the database, so that no connection crosses the fork.

        If a call takes too long, it continues, and the forked process gets an error. A database in memory stays open.
        """
        self._lock.acquire()
        thread = self._thread
        if thread is None or thread.pid != os.getpid() or thread.is_current():
            return
        if not self._closed and (not thread.wait_until_idle(FORK_SECONDS) or self._in_memory):
            return
        try:
            thread.close()
        finally:
            self._thread = None

    def after_fork(self, *, in_child: bool) -> None:
        """Allow calls again; the next one opens the database."""
        if in_child:
            self._lock = threading.RLock()
        else:
            self._lock.release()


class BlockingAdmin:
    """`Admin` for synchronous code."""

    def __init__(self, laurels: BlockingLaurels, source: Source | None = None) -> None:
        """As `Admin`."""
        self.laurels = laurels
        self.source = source

    reverse = _admin(Admin.reverse)
    reverse_many = _admin(Admin.reverse_many)
    adjust = _admin(Admin.adjust)
    undo = _admin(Admin.undo)
    pending_erasures = _admin(Admin.pending_erasures)
    sessions = _admin(Admin.sessions)
    end_sessions = _admin(Admin.end_sessions)
    amnesties = _admin(Admin.amnesties)
    add_amnesty = _admin(Admin.add_amnesty)
    lift_amnesty = _admin(Admin.lift_amnesty)
    users = _admin_each(Admin.users)
    pages = _admin_each(Admin.pages)
    export_user = _admin_each(Admin.export_user)
    apply_catalog = _admin(Admin.apply_catalog)
    plan_catalog = _admin(Admin.plan_catalog)
    rollback_catalog = _admin(Admin.rollback_catalog)
    catalog_of = _admin(Admin.catalog_of)
    fill = _admin(Admin.fill)
    adopt_catalog = _admin(Admin.adopt_catalog)
    catalog_revisions = _admin(Admin.catalog_revisions)
    rebuild = _admin(Admin.rebuild)
    verify = _admin(Admin.verify)
    compare = _admin(Admin.compare)
    compare_user = _admin(Admin.compare_user)
    find_cause = _admin(Admin.find_cause)
    move_clock = _admin(Admin.move_clock)
    advance_clock = _admin(Admin.advance_clock)


def _refuse_in_an_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "BlockingLaurels would stop the event loop that runs in this thread; "
        "use 'async with Laurels.open(...)' here, or call it through asyncio.to_thread"
    )


# ---- the life of the process ------------------------------------------------------------------

_opened: set[BlockingLaurels] = set()
_forks = threading.RLock()
_forking: list[BlockingLaurels] = []


def _close_all() -> None:
    for laurels in list(_opened):
        try:
            laurels.close()
        except Exception:
            log.exception("a database could not be closed at exit")


def _before_fork() -> None:
    _forks.acquire()  # one fork at a time
    for laurels in list(_opened):
        _forking.append(laurels)
        try:
            laurels.before_fork()
        except Exception:
            log.exception("a database could not be closed before a fork")


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop().after_fork(in_child=False)
    _forks.release()


def _after_fork_in_child() -> None:
    global _forks  # noqa: PLW0603  # the parent's lock may be held by a thread that does not exist here
    while _forking:
        _forking.pop().after_fork(in_child=True)
    _forks = threading.RLock()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
