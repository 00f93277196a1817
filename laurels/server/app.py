"""Puts the resources together: the application that a server runs."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

from litestar import Litestar, route
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from laurels import console
from laurels import site as pages
from laurels.auth.chain import Chain
from laurels.auth.sessions import Sessions
from laurels.delivery.listeners import Listeners
from laurels.demo.playground import playground_page
from laurels.errors import LaurelsError, NotASandbox, Overloaded
from laurels.http import events, profile
from laurels.http.answers import Answer, Receive, Scope, Send
from laurels.http.catalog import get_catalog, get_rarity
from laurels.http.clock import get_clock, post_clock
from laurels.http.context import Context, HttpRequest
from laurels.http.cors import Cors
from laurels.http.docs import docs_asset, docs_page, openapi_document, problem_page
from laurels.http.events import post_events
from laurels.http.health import VERSION, livez, readyz
from laurels.http.history import (
    delete_adjustment,
    delete_amnesty,
    get_amnesties,
    post_adjustment,
    post_amnesty,
    post_reversal,
)
from laurels.http.leaderboards import get_closed_periods, get_leaderboard, get_leaderboards
from laurels.http.limits import Rate
from laurels.http.openapi import document
from laurels.http.problems import NoSuchPage, answer_for, with_head
from laurels.http.profile import get_profile
from laurels.http.requests import header, instant_in
from laurels.http.sessions import delete_session, post_session
from laurels.http.streaks import explain_badge, explain_user_badge, get_streaks, get_user_streaks, post_own_adjustment
from laurels.http.stream import get_stream
from laurels.http.users import delete_user, get_user, get_user_history, get_user_profile, put_user
from laurels.http.visibility import put_visibility
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.site.html import AWAY, reads_pages, trouble_page

log = logging.getLogger(__name__)

CLOSING_SECONDS = 60
"""How often a server looks for periods whose time has come."""

NOW_HEADER = b"laurels-now"
"""In a sandbox, a request says with this header when it happens, so that a test lives through a month in a second."""

SIGN_INS = 1
"""How many keys a second an address may try at the console."""

ALWAYS_ANSWERED = ("/livez", "/readyz")
"""A busy process is alive."""

WITH_BODY = ("POST", "PUT")

WRONG_TURNS = (404, 422)
"""How an address is answered that leads nowhere, and one that can lead nowhere."""

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HANDLERS = (
    get_profile,
    post_events,
    put_user,
    put_visibility,
    get_user,
    delete_user,
    get_user_profile,
    get_user_history,
    post_session,
    delete_session,
    get_streaks,
    get_user_streaks,
    explain_badge,
    explain_user_badge,
    post_own_adjustment,
    post_reversal,
    post_adjustment,
    delete_adjustment,
    get_amnesties,
    post_amnesty,
    delete_amnesty,
    get_leaderboards,
    get_leaderboard,
    get_closed_periods,
    get_stream,
    get_catalog,
    get_rarity,
    get_clock,
    post_clock,
    livez,
    readyz,
)


def create_app(
    laurels: Laurels,
    settings: Settings,
    on_shutdown: Callable[[], Awaitable[None]] | None = None,
    *,
    playground: str | None = None,
) -> Application:
    """The ASGI application over an opened Laurels, which stays the caller's to close, at the latest in `on_shutdown`.

    `playground` is the API key that the playground shows and acts with: only `laurels demo` has one, and no setting gives it.
    """
    sessions = Sessions(laurels)
    insights = Insights(laurels, settings.rarity_users)
    context = Context(
        laurels,
        insights,
        settings,
        sessions,
        Chain([sessions]),
        document(VERSION, HANDLERS),
        key_rate=Rate("key", settings.key_rate, settings.workers),
        session_rate=Rate("session", settings.session_rate, settings.workers),
        sign_in_rate=Rate("address", SIGN_INS, settings.workers),
        listeners=Listeners(laurels, settings.streams_limit),
        playground=playground,
    )
    of_pages = [*pages.HANDLERS, *console.HANDLERS, *([playground_page] if playground else [])]
    handlers = [*HANDLERS, *of_pages, docs_page, docs_asset, openapi_document, problem_page]
    framework = Litestar(
        route_handlers=[*_options(handlers), *handlers],
        exception_handlers={HTTPException: _as_problem, LaurelsError: _as_problem, Exception: _as_problem},
        openapi_config=None,
        state=State({"context": context}),
        lifespan=[
            partial(_closing_periods, laurels),
            partial(_closing_with_the_server, context.listeners),
            partial(_closing_with_the_server, insights),
        ],
        on_shutdown=[on_shutdown] if on_shutdown else [],
        request_max_body_size=None,
        logging_config=None,
    )
    return Front(context, cast(Application, framework))


@asynccontextmanager
async def _closing_periods(laurels: Laurels, _: Litestar) -> AsyncIterator[None]:
    """While the server runs, close periods soon after their time has come, so that those in front hear of it."""

    async def close() -> None:
        while True:
            try:
                await laurels.close_periods()
            except LaurelsError as error:
                log.warning("periods could not be closed, and will be later: %s", error)
            await asyncio.sleep(CLOSING_SECONDS)

    closer = asyncio.create_task(close())
    try:
        yield
    finally:
        closer.cancel()
        await asyncio.gather(closer, return_exceptions=True)


@asynccontextmanager
async def _closing_with_the_server(one: Listeners | Insights, _: Litestar) -> AsyncIterator[None]:
    """When the server stops, nobody listens any more, and it waits for no long reading."""
    try:
        yield
    finally:
        await one.close()


class Front:
    """Stands before the framework: answers the two hot paths itself, and gives every GET its HEAD.

    The framework costs about 40 microseconds a request, more than half of all the rest of a profile (docs/performance.md).
    """

    def __init__(self, context: Context, framework: Application) -> None:
        self.context = context
        self.framework = framework
        self.running = 0
        self.bodies = Bodies(context)
        self.cors = Cors(context.settings.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self.framework(scope, receive, send)
            return
        if self.cors.origins:
            answer = self.cors.preflight(scope)
            if answer is not None:
                await answer.send(send)
                return
            send = self.cors.shared(scope, send)
        # Who listens, for hours perhaps, takes no place among the requests.
        running = self.running - len(self.context.listeners)
        if running >= self.context.settings.requests_limit and scope["path"] not in ALWAYS_ANSWERED:
            retry_after = self.context.laurels.group_commit.retry_after
            await answer_for(Overloaded("too many requests are being answered", retry_after)).send(send)
            return
        self.running += 1
        try:
            if scope["method"] in WITH_BODY:
                with self.bodies.counted(receive) as counted:
                    await self._at_its_time(scope, counted, send)
            else:
                await self._at_its_time(scope, receive, send)
        finally:
            self.running -= 1

    async def _at_its_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = header(scope, NOW_HEADER)
        if wanted is None:
            await self._answer(scope, receive, send)
        else:
            await self._at_another_time(wanted, scope, receive, send)

    async def _at_another_time(self, wanted: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as if it were the moment that the request says; only a sandbox does."""
        try:
            moment = instant_in(wanted)
            if not await self.context.laurels.sandboxed():
                raise NotASandbox
        except LaurelsError as error:
            await answer_for(error).send(send)
            return
        with self.context.laurels.pretend(moment):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", "laurels.head": True}
            send = _without_body(send)
        answer = await self._hot(scope, receive)
        if answer is not None:
            await answer.send(send)
            return
        # The router sees the path still encoded, so that a user id may hold a slash.
        raw_path = scope.get("raw_path")
        path = raw_path.decode("latin-1") if raw_path else scope["path"]
        if "//" in path:  # the router would overlook an empty segment, and take 'profile' for a user id
            await answer_for(NoSuchPage()).send(send)
            return
        await self.framework({**scope, "path": path}, receive, send)

    async def _hot(self, scope: Scope, receive: Receive) -> Answer | None:
        path, method = scope["path"], scope["method"]
        if path == profile.PATH and method == "GET":
            return await profile.read_profile(self.context, scope)
        if path == events.PATH and method == "POST":
            return await events.record_events(self.context, scope, receive)
        return None


class Bodies:
    """All bodies that are held at this moment, from their first byte to the answer, and how many bytes they are."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.held = 0

    @contextmanager
    def counted(self, receive: Receive) -> Generator[Receive]:
        """`receive` of one request, which raises Overloaded where there is no room; a body alone has room."""
        size = 0

        async def receive_counted() -> Mapping[str, Any]:
            nonlocal size
            message = await receive()
            came = len(message.get("body", b""))
            size += came
            self.held += came
            if self.held > self.context.settings.bodies_limit and self.held > size:
                raise Overloaded("too much is being sent at once", self.context.laurels.group_commit.retry_after)
            return message

        try:
            yield receive_counted
        finally:
            self.held -= size


def _without_body(send: Send) -> Send:
    """The answer to a HEAD: all headers of the GET, and no body."""

    async def send_headers(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_headers


def _options(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """An OPTIONS for each address. The framework's own would name the methods of one of its handlers only, and no HEAD."""
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for handler in handlers:
        for path in handler.paths:
            methods[path] |= set(handler.http_methods)
    return [_options_of(path, with_head(", ".join(sorted(of_path)))) for path, of_path in methods.items()]


def _options_of(path: str, allow: str) -> HTTPRouteHandler:
    @route(path, http_method="OPTIONS", status_code=204)
    async def options() -> Response[None]:
        return Response(None, status_code=204, headers={"allow": allow})

    return options


def _as_problem(request: HttpRequest, error: Exception) -> Response[bytes]:
    """The answer to an error: a problem document; for a person who took a wrong turn or comes at a bad time, a page."""
    answer = answer_for(error)
    if (answer.status in WRONG_TURNS or answer.status >= AWAY) and reads_pages(cast(Scope, request.scope)):
        answer = trouble_page(request, answer)
    return answer.response()
