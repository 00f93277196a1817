"""Limits of connections: how many are open, how long a request may take to arrive, and how large its headers may be.

uvicorn limits none of these: an idle client would hold its connection forever.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from laurels.errors import LaurelsError
from laurels.http.problems import BadRequest, HeadTooLarge, Refusals, TooSlow, problem_response
from laurels.http.responses import END, Response
from laurels.http.sources import PEER

HEAD_LIMIT = 64 * 1024
"""The most bytes of a request line with its headers, and of what is received without completing either."""

NOT_HTTP = "Invalid HTTP request received."

_malformed = Refusals("%d malformed requests were refused; the last one, from %s: %s", 1)

IDLE_SECONDS = 1.0
"""A connection idle for less than this may be about to send a request, and is closed only in an emergency."""

SPARE_CONNECTIONS = 1000
"""Connections allowed above the limit, so that clients about to send a request get a 503 instead of a reset."""

LINGER_SECONDS = 2.0
"""Lingering close: how long we read on after a refusal, so that the client can read our response."""


class GateConfig(Config):
    """uvicorn's configuration, with the limits of connections.

    connections_limit  above it, a new connection closes the one that has been idle for longest
    receive_seconds    how long a client may take to send a request, or to read the rest of a response
    """

    def __init__(self, *args: Any, connections_limit: int, receive_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, http=Gate, **kwargs)
        self.connections_limit = connections_limit
        self.receive_seconds = receive_seconds
        self.idle: dict[Gate, float] = {}


class Gate(HttpToolsProtocol):
    """One connection.

    It is idle while no request of it is being answered: then it may be closed to make room. A deadline runs while a request
    is incomplete.
    """

    def __init__(
        self,
        config: GateConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._gate = config
        self._unparsed = 0
        self._wrong: LaurelsError | None = None  # of the headers that are being parsed
        self._began = self._ended = self._refused = False
        self._running: RequestResponseCycle | None = None
        self._refusal: LaurelsError | None = None  # to be sent after the responses before it
        self._deadline: asyncio.TimerHandle | None = None
        self._abort: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, and make room for it."""
        super().connection_made(transport)
        self._make_room(len(self.connections) - self._gate.connections_limit)
        self._gate.idle[self] = self.loop.time()
        self._expect()

    def _make_room(self, excess: int) -> None:
        """Close the connections that have been idle for longest, when there are too many."""
        idle = self._gate.idle
        while excess > 0 and idle:
            longest = next(iter(idle))
            if excess <= SPARE_CONNECTIONS and self.loop.time() - idle[longest] <= IDLE_SECONDS:
                return
            longest.hang_up()
            excess -= 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a closed connection."""
        self._gate.idle.pop(self, None)
        self._expect_nothing()
        self._do_not_abort()
        if self._running and not self._running.response_complete:  # uvicorn forgets it when others wait after it
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received. Unless it ends with the end of a request, the deadline runs."""
        if self._refused:
            return
        self._unparsed += len(data)
        self._ended = False
        self._parse(data)
        if self._refused or self.transport.is_closing():
            return
        if self._ended:
            self._expect_nothing()
        elif self._unparsed > HEAD_LIMIT:
            self._refuse(HeadTooLarge())
        elif self._deadline is None:
            self._expect()

    def _parse(self, data: bytes) -> None:
        """What uvicorn does, without its line in the log for each malformed request."""
        self._unset_keepalive_if_required()
        try:
            cast(Any, self.parser).feed_data(data)
        except httptools.HttpParserUpgrade:  # nothing else is spoken here, so the request is answered as any other
            return
        except httptools.HttpParserError:
            error = self._wrong or BadRequest(NOT_HTTP)
            _malformed.report(self.client[0] if self.client else "an unknown address", error)
            self._refuse(error)

    def on_message_begin(self) -> None:
        """The start of a request."""
        self._began, self._ended = True, False
        super().on_message_begin()
        if self.client:
            cast(dict[str, Any], self.scope)[PEER] = self.client[0]

    def on_headers_complete(self) -> None:
        """The headers are complete, and the application starts: the connection is no longer idle."""
        self._wrong = self._wrong_head()
        if self._wrong is not None:
            raise ValueError(str(self._wrong))  # ends the parser, which raises an error of its own
        self._gate.idle.pop(self, None)
        super().on_headers_complete()

    def _wrong_head(self) -> LaurelsError | None:
        """What is wrong with headers that can be parsed: their size, or their number of hosts (RFC 9112, section 3.2)."""
        size = len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        if size > HEAD_LIMIT:
            return HeadTooLarge()
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and cast(Any, self.parser).get_http_version() == "1.1"):
            return BadRequest("the request must have exactly one header 'Host'")
        return None

    def on_body(self, body: bytes) -> None:
        """A piece of the body; the application limits its size."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._unparsed = 0
        self._began, self._ended = False, True
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """The response is sent, and the connection is idle."""
        was_last = not self.pipeline
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._gate.idle[self] = self.loop.time()
            if self._refusal is not None and was_last:
                self._send_refusal(self._refusal)

    def shutdown(self) -> None:
        """The server stops: running requests are finished, streams are ended at once."""
        super().shutdown()
        self._end_stream()

    def _end_stream(self) -> None:
        """End a stream that is open."""
        cycle = self._running
        end = cycle.scope.get("state", {}).get(END) if cycle and not cycle.response_complete else None
        if end is None:
            return
        end()
        if self.flow.write_paused:  # a client that does not read would not read the end either
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read its response; the application waits, at most `receive_seconds`."""
        super().pause_writing()
        self._abort_later()

    def resume_writing(self) -> None:
        """The client has read most of the response."""
        super().resume_writing()
        self._do_not_abort()

    def timeout_keep_alive_handler(self) -> None:
        """The connection was idle for too long."""
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection when the client has read its response, or after `receive_seconds`."""
        self._gate.idle.pop(self, None)
        self._expect_nothing()
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._abort_later()

    def _abort_later(self) -> None:
        self._do_not_abort()
        self._abort = self.loop.call_later(self._gate.receive_seconds, self.transport.abort)

    def _do_not_abort(self) -> None:
        if self._abort is not None:
            self._abort.cancel()
            self._abort = None

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self._gate.receive_seconds, self._too_slow)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        """At the deadline, end the connection, unless the client is waiting for us."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        answering = cycle and not cycle.more_body and not cycle.response_complete
        if answering or self.pipeline or self.flow.read_paused:
            self._expect()
        elif self._began:
            self._refuse(TooSlow())
        else:
            self.hang_up()

    def _refuse(self, error: LaurelsError) -> None:
        """Send a problem for the incomplete request, after the responses to earlier ones, and close the connection soon after."""
        self._drop_incomplete_from_pipeline()
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle and cycle.more_body and cycle.response_started and not cycle.response_complete:
            self.hang_up()  # the response may wait for the rest of its request, which will not arrive
            return
        self._refused = True
        self._expect_nothing()
        if self.pipeline or (cycle and _is_being_answered(cycle)):
            self._refusal = error
            self._end_stream()
            return
        incomplete = cycle if cycle and cycle.more_body else None
        self._send_refusal(None if incomplete and incomplete.response_complete else error)
        if incomplete is not None:
            incomplete.disconnected = True  # the application stops waiting for the rest
            incomplete.message_event.set()

    def _drop_incomplete_from_pipeline(self) -> None:
        """Drop a queued request that will never be complete."""
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else cast(RequestResponseCycle, self._running)

    def _send_refusal(self, error: LaurelsError | None) -> None:
        """Send the problem, if there is one to send, and close the connection soon after."""
        self._unset_keepalive_if_required()
        if error is not None:
            self.transport.write(self._as_bytes(problem_response(error)))
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.hang_up)

    def _as_bytes(self, response: Response) -> bytes:
        length = (b"content-length", b"%d" % len(response.body))
        headers = [*self.server_state.default_headers, *response.headers, length, (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return STATUS_LINE[response.status] + lines + b"\r\n" + response.body


def _is_being_answered(cycle: RequestResponseCycle) -> bool:
    return not cycle.response_complete and (cycle.response_started or not cycle.more_body)
