"""What the HTTP tests share: an application in this process, its clock, its key, and a client that checks every error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from laurels.auth.keys import create_key
from laurels.engine.catalog import Catalog
from laurels.http.dispatch import Dispatcher
from laurels.http.responses import Application
from laurels.server.app import create_app
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.testing import TestClock, sandbox

PROFILE = "/api/gamification/profile"
EVENTS = "/api/gamification/events"
USERS = "/api/gamification/users"
SESSIONS = "/api/gamification/sessions"
LEADERBOARDS = "/api/gamification/leaderboards"
CATALOG = "/api/gamification/catalog"
COOKIE = "laurels-session"

Json = Any


@dataclass(frozen=True, slots=True)
class App:
    """One Laurels with its application, and a client that has no credentials of its own."""

    laurels: Laurels
    clock: TestClock
    app: Dispatcher
    client: httpx2.AsyncClient
    key: str

    @property
    def by_key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def send(self, content: Json) -> httpx2.Response:
        """One event or an array of them, with the key."""
        return await self.client.post(EVENTS, json=content, headers=self.by_key)

    async def send_raw(self, content: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """These very bytes as an events body, with the key."""
        sent = {**self.by_key, "content-type": "application/json", **(headers or {})}
        return await self.client.post(EVENTS, content=content, headers=sent)

    async def record(self, *events: Json) -> list[Json]:
        """The results of events that the server takes as a whole."""
        answer = await self.send(list(events))
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    async def give_points(self, user_id: str, *, agents: int = 0, messages: int = 0) -> None:
        """A user with what this number of agents and messages earns."""
        notifications = [event(user_id, "agent.created", quantity=agents)] if agents else []
        notifications += [event(user_id, "message.sent", quantity=messages)] if messages else []
        await self.record(*notifications)

    async def sign_in(self, user_id: str, **more: Json) -> str:
        """The token of a new session."""
        answer = await self.client.post(SESSIONS, json={"userId": user_id, **more}, headers=self.by_key)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        return answer.json()["token"]

    async def visit(self, token: str, path: str = PROFILE, **headers: str) -> httpx2.Response:
        """The profile as a browser asks for it; `sec_purpose="prefetch"` stands for the header Sec-Purpose."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers={"cookie": f"{COOKIE}={token}", **sent})

    async def profile_of(self, user_id: str, include: str = "") -> Json:
        """The profile as the back end reads it."""
        query = f"?include={include}" if include else ""
        answer = await self.client.get(f"{USERS}/{user_id}/profile{query}", headers=self.by_key)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def open_app(
    catalog: Catalog | None = None,
    settings: Settings | None = None,
    base_url: str = "http://laurels.test",
    **of_sandbox: Any,
) -> AsyncIterator[App]:
    """An application over a sandbox of its own."""
    async with (
        sandbox(catalog, **of_sandbox) as (laurels, clock),
        open_app_over(laurels, clock, settings, base_url) as one,
    ):
        yield one


@asynccontextmanager
async def open_app_over(
    laurels: Laurels, clock: TestClock, settings: Settings | None = None, base_url: str = "http://laurels.test"
) -> AsyncIterator[App]:
    """An application over this Laurels."""
    app = create_app(laurels, settings or Settings())
    key = await create_key(laurels.store, "tests", clock())
    async with client_of(app, base_url) as client:
        yield App(laurels, clock, app, client, key)


def client_of(app: Application, base_url: str = "http://laurels.test") -> httpx2.AsyncClient:
    """A client that fails the test at the first error answer that is no problem document."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
    return httpx2.AsyncClient(transport=transport, base_url=base_url, event_hooks={"response": [check_error]})


async def check_error(response: httpx2.Response) -> None:
    """Whether an error answer is a problem document (RFC 9457) that our clients can read; a browser may get a page."""
    if response.status_code < 400:
        return
    if "text/html" in response.request.headers["accept"] and response.headers["content-type"].startswith("text/html"):
        return
    await response.aread()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    if response.request.method != "HEAD":
        check_problem(response.json(), response.status_code)


def check_problem(problem: Json, status: int) -> None:
    """Whether this is a problem document of this status."""
    assert problem["type"].startswith("/problems/")
    assert problem["status"] == status
    assert all(isinstance(problem[name], str) and problem[name] for name in ("type", "title", "detail", "error"))
    assert problem.keys() <= {"type", "title", "status", "detail", "error", "errors", "retryAt", "earliest"}
    for wrong in problem.get("errors", []):
        assert wrong["detail"]
        assert wrong.keys() in ({"detail", "pointer"}, {"detail", "parameter"})
        assert not wrong.get("pointer") or wrong["pointer"].startswith("/")


def event(user_id: str, event_type: str = "message.sent", event_id: str | None = None, **more: Json) -> Json:
    """An event as JSON; its id is its type unless another is given."""
    return {"userId": user_id, "id": event_id or event_type, "type": event_type, **more}


def ids_of(things: Iterable[Json]) -> list[str]:
    """The ids of badges or awards, in order."""
    return [thing["id"] for thing in things]


def bytes_in(folder: Path) -> bytes:
    """All that the files of a folder hold."""
    return b"".join(file.read_bytes() for file in folder.iterdir())
