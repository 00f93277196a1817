"""What happens to every request exactly once: limits, CORS, the time in a sandbox, who is calling, errors, counters."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from time import perf_counter
from typing import Any

from laurels.auth.chain import Caller
from laurels.errors import LaurelsError, NotASandbox, Overloaded
from laurels.http.context import Context
from laurels.http.cors import Cors
from laurels.http.endpoint import AnyRequest, Endpoint, ErrorResponse, Request
from laurels.http.hardening import hardened
from laurels.http.hosts import HostNames
from laurels.http.languages import marked, wanted_languages
from laurels.http.problems import WrongHost, problem_response
from laurels.http.requests import check_no_body, header, instant_in
from laurels.http.responses import Application, Receive, Response, Scope, Send
from laurels.http.routing import Routes, route_path
from laurels.http.security import note_refusal
from laurels.http.shares import Shares, all_but_reserve
from laurels.http.sources import address_of
from laurels.service.languages import in_language

log = logging.getLogger(__name__)

NOW_HEADER = b"laurels-now"
"""In a sandbox, this header sets the time of a request, so that a test can go through a month in a second.

Public addresses ignore it: a health check needs no database.
"""


class Dispatcher:
    """The ASGI application over all endpoints."""

    def __init__(
        self,
        context: Context,
        endpoints: Sequence[Endpoint],
        error_response: ErrorResponse,
        otherwise: Application,
        names: HostNames | None = None,
    ) -> None:
        """An application over these endpoints. Raises SettingsError, and ValueError if two endpoints are the same.

        error_response  shows the errors of endpoints that do not show their own
        otherwise       serves what is not HTTP: the start and the end of the server
        names           the host names that it answers to; None: all
        """
        self.context = context
        self.routes = Routes(endpoints)
        self.running = 0
        self.bodies_bytes = 0
        self._cors = Cors(context.settings.server.origins)
        self._requests_limit = context.settings.limits.requests
        self._shares = Shares(context.settings.limits)
        self._error_response = error_response
        self._otherwise = otherwise
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        endpoint, segments = self.routes.find(scope["method"], route_path(scope))
        request: AnyRequest = Request(self.context, scope, receive, endpoint, segments)
        body = None if endpoint.body is None else CountedBody(self, request)
        self.running += 1
        try:
            refusal = self._refusal(request)
            header_text = header(scope, NOW_HEADER)
            if header_text is None or endpoint.access.is_public:
                await self._serve(request, send, refusal)
            else:
                await self._serve_at(header_text, request, send, refusal)
        finally:
            self.running -= 1
            self._leave(request)
            if body is not None:
                self.bodies_bytes -= body.size

    async def _place_of_unknown(self, request: AnyRequest) -> Hashable:
        """A place at an address that is open to all. If there is none for strangers, a valid credential gets one of its own."""
        try:
            return self._shares.enter_unknown(address_of(request.scope))
        except Overloaded:
            known = await request.context.known_caller(request.scope)
            if known is None:
                raise
            return self._shares.enter(known)

    def _leave(self, request: AnyRequest) -> None:
        """Give back the request's place among those of its caller, if it has one."""
        if request.place is not None:
            self._shares.leave(request.place)
            request.place = None

    def _refusal(self, request: AnyRequest) -> Response | None:
        """The response to a preflight, or to a request at a wrong name or above the limit; None if an endpoint is to answer."""
        if self._names and self._is_misdirected(request, self._names):
            return problem_response(WrongHost(self._names.refusal))
        if self._cors.origins:
            preflight = self._cors.preflight(request)
            if preflight is not None:
                return preflight
        if self.running > self._requests_limit and self._is_full() and not request.endpoint.always:
            retry_after = self.context.laurels.group_commit.retry_after
            return problem_response(Overloaded("this server is answering as many requests as it can", retry_after))
        return None

    @staticmethod
    def _is_misdirected(request: AnyRequest, names: HostNames) -> bool:
        is_spared = names.spares_health and request.endpoint.always
        return not is_spared and not names.admits(header(request.scope, b"host") or "")

    def _is_full(self) -> bool:
        """Whether the limit is reached. Open streams last for hours, so they do not count."""
        return self.running - len(self.context.listeners) > self._requests_limit

    async def _serve_at(self, header_text: str, request: AnyRequest, send: Send, refusal: Response | None) -> None:
        """Serve a request as if it were made at the time in its header. Only a sandbox does."""
        try:
            now = instant_in(header_text)
            if refusal is None and not await self.context.laurels.sandboxed():
                raise NotASandbox
        except LaurelsError as error:
            await self._serve(request, send, refusal or problem_response(error))
            return
        with self.context.laurels.pretend(now):
            await self._serve(request, send, refusal)

    async def _serve(self, request: AnyRequest, send: Send, refusal: Response | None) -> None:
        """Send the refusal, or the response of the endpoint."""
        endpoint, began = request.endpoint, perf_counter()
        try:
            response = refusal or await self._answer(request)
        except Exception as error:  # noqa: BLE001  # error_response logs unexpected errors
            if isinstance(error, LaurelsError) and error.security_event:
                await self._note(request, error)
            response = (endpoint.error_response or self._error_response)(request, error)
        self.context.counters.of(endpoint.label).count(response.status, perf_counter() - began)
        if self._cors.origins:
            response.headers = self._cors.shared(request, response.headers)
        response.headers = hardened(request.scope, response.headers)
        if response.endless:  # streams have a limit of their own
            self._leave(request)
        await response(request.scope, request.receive, send)

    async def _answer(self, request: AnyRequest) -> Response:
        """Identify the caller, give the request a place, read its path and body, and call the handler."""
        endpoint = request.endpoint
        request.caller = await endpoint.access.admit(request.context, request.scope)
        if not endpoint.always:
            known = request.caller is not None
            request.place = self._shares.enter(request.caller) if known else await self._place_of_unknown(request)
        if request.scope["query_string"]:
            endpoint.check_query(request.scope["query_string"])
        if endpoint.refuses_body:
            check_no_body(request.scope)
        if request.segments:
            request.path = endpoint.read_path(request.segments)
        if endpoint.body is not None:
            limit = endpoint.body_limit(request.context.settings.limits)
            request.body = await endpoint.body.read(request.context, request.scope, request.receive, limit)
        if endpoint.in_languages and request.context.laurels.rules.catalog.other_languages:
            return await self._answer_in_language(request)
        return endpoint.response(await endpoint.handler(request))

    @staticmethod
    async def _answer_in_language(request: AnyRequest) -> Response:
        """The response of the endpoint, with the catalog's texts in the language of the reader."""
        endpoint = request.endpoint
        with in_language(*wanted_languages(request.scope)):
            response = endpoint.response(await endpoint.handler(request))
            if endpoint.operation:  # pages have a language of their own
                response.headers = marked(response.headers, request.context.laurels.catalog.shown_in)
        return response

    async def _note(self, request: AnyRequest, error: LaurelsError) -> None:
        """Write the security log. If the database is away, the refusal is sent all the same."""
        try:
            await note_refusal(request, error)
        except LaurelsError as failure:
            log.warning("a refused request could not be looked up: %s", failure)


class CountedBody:
    """`receive` of one request, which counts the bytes of its body as held until the request is answered.

    The last part of the memory is for sessions, whose bodies are small.
    """

    __slots__ = ("_dispatcher", "_receive", "_request", "size")

    def __init__(self, dispatcher: Dispatcher, request: AnyRequest) -> None:
        """Take the place of the request's own `receive`."""
        self._dispatcher = dispatcher
        self._request = request
        self._receive = request.receive
        self.size = 0
        request.receive = self

    async def __call__(self) -> Mapping[str, Any]:
        """The next piece. Raises Overloaded if the bodies in memory exceed their limit, unless this is the only one."""
        message = await self._receive()
        size, dispatcher = len(message.get("body", b"")), self._dispatcher
        self.size += size
        dispatcher.bodies_bytes += size
        context = dispatcher.context
        most = context.settings.limits.all_bodies_bytes
        if not isinstance(self._request.caller, Caller):
            most = all_but_reserve(most)
        if most < dispatcher.bodies_bytes > self.size:
            self.size -= size  # it is dropped now, so it must not be the reason to refuse others
            dispatcher.bodies_bytes -= size
            raise Overloaded("the memory for request bodies is full", context.laurels.group_commit.retry_after)
        return message
