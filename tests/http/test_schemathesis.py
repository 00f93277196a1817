"""What a machine makes of the OpenAPI document: every operation, right and wrong input, and chains of requests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.schemas import OpenApiSchema

from laurels.auth.keys import create_key
from laurels.auth.sessions import Sessions
from laurels.engine.events import LEAST_DATA_NUMBER, MOST_DATA_NUMBER
from laurels.http.responses import Application, Receive, Scope, Send
from laurels.server.app import create_app
from laurels.settings import Settings
from laurels.testing import sandbox

T = TypeVar("T")

BOUNDED = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck), database=None
)
REFUSALS = [400, 401, 404, 405, 409, 410, 415, 422]
ACCEPTED = ["2xx", 401, 404, 409, 410]  # a user that an earlier request erased stays erased, however valid the input
USER = "whose session it is"
ZONES = (resources.files("tzdata") / "zones").read_text("utf-8").split()

TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # they say UTC

schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))


def configuration(key: str, session: str) -> schemathesis.Config:
    return schemathesis.Config.from_dict(
        {
            "seed": 1,
            "auth": {
                "openapi": {
                    "apiKey": {"bearer": key},
                    "sessionToken": {"bearer": session},
                    "sessionCookie": {"api_key": session},
                }
            },
            "generation": {"deterministic": True, "database": "none"},
            "checks": {
                "negative_data_rejection": {"expected-statuses": [*REFUSALS, 413]},
                "positive_data_acceptance": {"expected-statuses": ACCEPTED},
            },
            "operations": [
                {
                    # One bad event never spoils the others of its array: the request is answered with 200, and each
                    # bad event has a rejected result.
                    "include-operation-id": "recordEvents",
                    "checks": {"negative_data_rejection": {"expected-statuses": [*REFUSALS, 413, 200]}},
                },
                {
                    # Whether there is such a badge, streak or gap, whether days stand in order, and what a page's cursor is,
                    # no schema can say; nor that a session may ask for less than a key.
                    "include-operation-id": ["applyAdjustment", "applyOwnAdjustment", "addAmnesty", "getLeaderboard"],
                    "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, 422]}},
                },
                {
                    # No schema can say which includes and instants have a past, nor that one of two fields is sent.
                    "include-operation-id": ["getUserProfile", "planCatalog", "applyCatalog"],
                    "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, 422]}},
                },
            ],
        }
    )


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: object) -> bool:
    """Leave out what no schema forbids: whole numbers beyond 64 bits at any depth of an event's data, and ids that Laurels makes.

    The generator tries texts that it finds in the code, such as the prefixes of those ids.
    """
    reserved = any(f'"{prefix}:' in json.dumps(body, default=str) for prefix in ("laurels", "reversal", "alias"))
    return not reserved and not holds_a_large_number(body)


def holds_a_large_number(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_a_large_number, value.values()))
    if isinstance(value, list):
        return any(map(holds_a_large_number, value))
    return isinstance(value, int) and not LEAST_DATA_NUMBER <= value <= MOST_DATA_NUMBER


loop = asyncio.new_event_loop()
"""The one event loop of the application, in a thread: each request of Schemathesis has a loop of its own."""

opened = sandbox()


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of this work in the application's loop."""
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def in_its_loop(app: Application) -> Application:
    """The application, which runs in its own loop for requests from others."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        here = asyncio.get_running_loop()

        def from_there(call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Awaitable[Any]]:
            return lambda *values: asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(*values), here))

        serving = app(scope, from_there(receive), from_there(send))  # type: ignore[arg-type]
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(serving, loop))  # type: ignore[arg-type]

    return called


def load() -> OpenApiSchema:
    """The application's own document, with a key and a session. The tests of each operation are made from it."""
    threading.Thread(target=loop.run_forever, daemon=True).start()
    laurels, clock = run(opened.__aenter__())
    key = run(create_key(laurels.store, "schemathesis", clock()))
    run(laurels.update_user(USER))
    session = run(Sessions(laurels).create(USER, timedelta(days=365)))
    app = in_its_loop(create_app(laurels, Settings()))
    return schemathesis.openapi.from_asgi("/docs/openapi.json", app, config=configuration(key, session.token))


schema = load().exclude(operation_id="streamNotifications")  # its answers never end; test_stream.py reads them


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    run(opened.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)


@schema.parametrize()
@BOUNDED
def test_an_operation_keeps_what_the_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_chains_of_requests_keep_what_the_document_says() -> None:
    schema.as_state_machine().run(settings=settings(BOUNDED, max_examples=60, stateful_step_count=10))
