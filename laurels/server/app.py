"""The ASGI application that a server runs: all endpoints, and the tasks that run next to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import get_args

from laurels import console, site
from laurels.auth.chain import Chain
from laurels.auth.failed_sign_ins import SAVE_SECONDS, FailedSignIns
from laurels.auth.identities import TrustedProxy
from laurels.auth.key_uses import STORE_SECONDS, KeyUses
from laurels.auth.operators import OperatorSessions, ProxySignIn
from laurels.auth.roles import ListedRoles, Role
from laurels.auth.second_factors import SecondFactors
from laurels.auth.sessions import Sessions
from laurels.delivery.listeners import Listeners
from laurels.demo import playground as demo
from laurels.demo.hosts import names_of_demo
from laurels.errors import LaurelsError
from laurels.http import health
from laurels.http.context import Context
from laurels.http.dispatch import Dispatcher
from laurels.http.endpoint import Endpoint
from laurels.http.endpoints import API, DOCS
from laurels.http.health import VERSION
from laurels.http.hosts import names_in
from laurels.http.limits import Rate
from laurels.http.openapi import document
from laurels.http.responses import Receive, Scope, Send
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from laurels.service.retention import Retention
from laurels.settings import Part, ProxySettings, Settings, check_proxy
from laurels.site import static
from laurels.site.html import error_response
from laurels.telemetry.requests import RequestCounters

log = logging.getLogger(__name__)

CLOSE_PERIODS_SECONDS = 60
"""How often a server looks for periods that are due to be closed."""

RETENTION_SECONDS = 300
"""How often a server looks whether it is time to remove what is older than the settings keep it."""

FOLLOW_SECONDS = 5
"""How often a server looks for a new revision of the catalog. Reads and writes of users find it at once."""

ERASE_SECONDS = 60
"""How often a server looks for pending erasures that are due."""

SIGN_INS = 1
"""How many sign-ins a second the console allows one address."""

PARTS: Mapping[Part, Sequence[Endpoint]] = {
    Part("api"): API,
    Part("pages"): site.ENDPOINTS,
    Part("console"): console.ENDPOINTS,
    Part("docs"): DOCS,
}
IN_EVERY_PART = (*health.ENDPOINTS, *static.ENDPOINTS)

ENDPOINTS = tuple(one for part in PARTS.values() for one in part)
"""All endpoints of a server; a demo adds its playground."""

Shutdown = Callable[[], Awaitable[None]]
Task = Callable[[], AbstractAsyncContextManager[None]]


def create_app(
    laurels: Laurels, settings: Settings, on_shutdown: Shutdown | None = None, *, playground: str | None = None
) -> Dispatcher:
    """The ASGI application over an open Laurels, which the caller closes, at the latest in `on_shutdown`.

    `playground` is the API key that the playground shows and uses: only `laurels demo` has one; there is no setting for it.
    """
    context = _context(laurels, settings, playground)
    laurels.period_rules.activate()  # a worker's are not active yet: its parent opened the database
    laurels.core.security.hashed = settings.log.user_ids == "hashed"
    served = _endpoints(settings.server.parts)
    hosts = settings.server.hosts
    if playground:
        served, names = (*served, *demo.ENDPOINTS), names_of_demo(settings.server.host)
    else:
        names = names_in(hosts) if hosts else None
    return Dispatcher(context, served, error_response, Lifespan(_tasks(context), on_shutdown), names)


def _context(laurels: Laurels, settings: Settings, playground: str | None) -> Context:
    sessions, limits = Sessions(laurels), settings.limits
    return Context(
        laurels,
        Insights(laurels, settings.rules.rarity_users),
        settings,
        sessions,
        Chain([sessions]),
        _operators(laurels, settings),
        document(VERSION, API, settings),
        key_rate=Rate("key", limits.key_rate, settings.server.workers),
        session_rate=Rate("session", limits.session_rate, settings.server.workers),
        sign_in_rate=Rate("address", SIGN_INS, settings.server.workers),
        listeners=Listeners(laurels, limits.streams),
        counters=RequestCounters(),
        key_uses=KeyUses(laurels),
        failed_sign_ins=FailedSignIns(laurels),
        second_factors=SecondFactors(laurels.store, laurels.clock),
        playground=playground,
    )


def _operators(laurels: Laurels, settings: Settings) -> OperatorSessions:
    """The sessions of the console. Raises SettingsError for a proxy that could be anyone."""
    auth, console = settings.auth, settings.console
    check_proxy(console)
    by_proxy = None if console.sign_in == "key" else _by_proxy(console.proxy)
    idle, lifetime = timedelta(minutes=auth.operator_idle_minutes), timedelta(hours=auth.operator_hours)
    by_key = console.sign_in != "proxy"
    return OperatorSessions(
        laurels.store, laurels.clock, idle, lifetime, by_key=by_key, by_proxy=by_proxy, require=console.require_totp
    )


def _by_proxy(proxy: ProxySettings) -> ProxySignIn:
    names, groups = (
        {role: frozenset(getattr(lists, role)) for role in get_args(Role)} for lists in (proxy.names, proxy.groups)
    )
    headers = proxy.header.lower(), proxy.groups_header.lower()
    return ProxySignIn(TrustedProxy(*headers, proxy.addresses), ListedRoles(names, groups), proxy.sign_out)


def _endpoints(parts: Sequence[Part]) -> Sequence[Endpoint]:
    """The endpoints of these parts, with health checks and the files of pages."""
    chosen = (one for part in PARTS if part in parts for one in PARTS[part])
    return [*{id(one): one for one in (*chosen, *IN_EVERY_PART)}.values()]


def _tasks(context: Context) -> Sequence[Task]:
    """What runs next to the endpoints."""
    laurels = context.laurels
    return [
        partial(_repeating, laurels.follow_catalog, FOLLOW_SECONDS, "the catalog could not be read"),
        partial(
            _repeating, laurels.period_rules.keep_up, CLOSE_PERIODS_SECONDS, "leaderboards could not be recomputed"
        ),
        partial(_repeating, laurels.close_periods, CLOSE_PERIODS_SECONDS, "periods could not be closed"),
        partial(_repeating, laurels.erase_due, ERASE_SECONDS, "users could not be erased who are due"),
        partial(_repeating, context.key_uses.save, STORE_SECONDS, "uses of keys could not be stored"),
        partial(_repeating, _retention(context).run_if_due, RETENTION_SECONDS, "old rows could not be removed"),
        partial(_closing, context.key_uses),
        partial(_repeating, context.failed_sign_ins.save, SAVE_SECONDS, "failed sign-ins could not be stored"),
        partial(_closing, context.failed_sign_ins),
        partial(_repeating, laurels.core.security.save, SAVE_SECONDS, "the security log could not be written"),
        partial(_closing, context.listeners),
        partial(_closing, context.insights),
    ]


def _retention(context: Context) -> Retention:
    """What removes old rows of this server's database."""
    core = context.laurels.core
    return Retention(core.store, context.settings.retention, core.now, core.source)


class Lifespan:
    """Starts and stops the tasks of a server, by the lifespan protocol of ASGI."""

    def __init__(self, tasks: Sequence[Task], on_shutdown: Shutdown | None) -> None:
        """`tasks` are entered at the start and left in reverse order at the end; then `on_shutdown` is called."""
        self._tasks = tasks
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the lifespan connection. An error of a task is reported to the server, and raised."""
        if scope["type"] != "lifespan":
            raise ValueError(f"{scope['type']} connections are not served")
        await receive()
        phase = "startup"
        try:
            async with AsyncExitStack() as stack:
                if self._on_shutdown is not None:
                    stack.push_async_callback(self._on_shutdown)
                for task in self._tasks:
                    await stack.enter_async_context(task())
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except BaseException as error:
            await send({"type": f"lifespan.{phase}.failed", "message": repr(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _repeating(work: Callable[[], Awaitable[object]], seconds: float, failure: str) -> AsyncGenerator[None]:
    """While the server runs, do this again and again, so that it also happens when no one sends a request.

    `failure` is what a warning says. The same warning is not repeated.
    """

    async def repeat() -> None:
        warned = ""
        while True:
            try:
                await work()
                warned = ""
            except LaurelsError as error:
                if str(error) != warned:
                    log.warning("%s; trying again every %s seconds: %s", failure, seconds, error)
                    warned = str(error)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _closing(resource: Listeners | Insights | KeyUses | FailedSignIns) -> AsyncGenerator[None]:
    """Close this when the server stops: end all streams or long computations, and store what is counted."""
    try:
        yield
    finally:
        await resource.close()
