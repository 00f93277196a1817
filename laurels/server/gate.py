"""Connections, before there is a request: how many, how long each may take to ask, and how much it may say in a head.

The server below (uvicorn) has a bound for none of these; a client that says nothing would keep its connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from laurels.errors import LaurelsError
from laurels.http.problems import BadRequest, HeadTooLarge, TooSlow, problem_response
from laurels.http.responses import END, Response

HEAD_LIMIT = 64 * 1024
"""How many bytes may come without being a request's end or a piece of its body."""

PATIENCE = 1.0
"""A connection that has been silent for fewer seconds may be about to ask."""

SPARE_CONNECTIONS = 1000
"""So many more may be open, so that those that are about to ask hear that we are busy."""

LINGER = 2.0
"""How many seconds we listen on after a refusal. Closing while something still comes would destroy our answer on its way."""


class GateConfig(Config):
    """How uvicorn runs the application, and what its gate allows.

    connections_limit  from how many open connections on a new one closes the one that has been silent for longest
    receive_seconds    how long a client may take to send a request, or to take the rest of an answer
    """

    def __init__(self, *args: Any, connections_limit: int, receive_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, http=Gate, **kwargs)
        self.connections_limit = connections_limit
        self.receive_seconds = receive_seconds
        self.silent: dict[Gate, float] = {}


class Gate(HttpToolsProtocol):
    """One connection.

    It is silent while nothing that it asked is being answered: then it may be closed to make room. A deadline runs
    while it owes us the rest of a request.
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
        self._unplaced = 0
        self._began = self._ended = self._refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._abort: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, and make room for it."""
        super().connection_made(transport)
        self._make_room(len(self.connections) - self._gate.connections_limit)
        self._gate.silent[self] = self.loop.time()
        self._expect()

    def _make_room(self, excess: int) -> None:
        """Hang up on those that have been silent for longest, where there are too many connections."""
        silent = self._gate.silent
        while excess > 0 and silent:
            longest = next(iter(silent))
            if excess <= SPARE_CONNECTIONS and self.loop.time() - silent[longest] <= PATIENCE:
                return
            longest.hang_up()
            excess -= 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._gate.silent.pop(self, None)
        self._expect_nothing()
        self._do_not_abort()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. What ends no request, not even between two, starts the deadline."""
        if self._refused:
            return
        self._unplaced += len(data)
        self._ended = False
        super().data_received(data)
        if self._refused or self.transport.is_closing():
            return
        if self._ended:
            self._expect_nothing()
        elif self._unplaced > HEAD_LIMIT:
            self._refuse(HeadTooLarge())
        elif self._deadline is None:
            self._expect()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._began, self._ended = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """From here on the application has it."""
        self._gate.silent.pop(self, None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body, which the application counts."""
        self._unplaced = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has come as a whole."""
        self._unplaced = 0
        self._began, self._ended = False, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It was answered, and is silent until it asks again."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._gate.silent[self] = self.loop.time()

    def shutdown(self) -> None:
        """The server is told to stop: what runs is finished, but who only listens is told at once that it ends."""
        super().shutdown()
        cycle = cast(RequestResponseCycle | None, self.cycle)
        end = cycle.scope.get("state", {}).get(END) if cycle and not cycle.response_complete else None
        if end is None:
            return
        end()
        if self.flow.write_paused:  # it takes nothing, and would not take the end
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not take what is answered; until it has, the application waits."""
        super().pause_writing()
        self._abort_later()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._do_not_abort()

    def timeout_keep_alive_handler(self) -> None:
        """It has been silent for too long."""
        self.hang_up()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(BadRequest(msg))

    def hang_up(self) -> None:
        """Close it, when it has taken what was answered; but do not wait for that for ever."""
        self._gate.silent.pop(self, None)
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
        """The deadline: unless it is us who keep the client waiting, the connection ends."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        answering = cycle and not cycle.more_body and not cycle.response_complete
        if answering or self.pipeline or self.flow.read_paused:
            self._expect()
        elif self._began:
            self._refuse(TooSlow())
        else:
            self.hang_up()

    def _refuse(self, error: LaurelsError) -> None:
        """Say what is wrong with what is coming, unless that was answered already, and hang up a little later."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if self.pipeline or (cycle and _is_being_answered(cycle)):
            self.hang_up()  # nothing may be written into an answer that is on its way
            return
        half = cycle if cycle and cycle.more_body else None
        if half is None or not half.response_complete:
            self.transport.write(self._on_the_wire(problem_response(error)))
        if half is not None:
            half.disconnected = True  # the application waits for the rest no longer
            half.message_event.set()
        self.transport.write_eof()
        self._refused = True
        self._expect_nothing()
        self._deadline = self.loop.call_later(LINGER, self.hang_up)

    def _on_the_wire(self, response: Response) -> bytes:
        length = (b"content-length", b"%d" % len(response.body))
        headers = [*self.server_state.default_headers, *response.headers, length, (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return STATUS_LINE[response.status] + lines + b"\r\n" + response.body


def _is_being_answered(cycle: RequestResponseCycle) -> bool:
    return not cycle.response_complete and (cycle.response_started or not cycle.more_body)
