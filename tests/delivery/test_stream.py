"""The stream: each notification once and in order, over reconnections and processes, at little cost per listener."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from laurels.delivery import listeners as listening_module
from laurels.engine.catalog import Catalog
from laurels.errors import StoreUnavailable
from laurels.http import stream
from laurels.service.laurels import Laurels
from laurels.settings import LimitSettings, Settings
from laurels.storage import open_store
from tests.http.test_languages import CLUB
from tests.support import LASTING_ENGINES, badge, behind, catalog_text, count
from tests.support.app import CATALOG, PROFILE, SESSIONS, USERS, App, Json, check_problem, event, open_app
from tests.support.serving import SECONDS, Served, Server

pytestmark = pytest.mark.anyio

STREAM = stream.PATH
NOTES = catalog_text(
    metrics={"notes": count("note")},
    points=[{"id": "note", "events": ["note"], "amount": 1}],
    badges=[badge(f"notes-{n}", n, metric="notes", at_least=n) for n in range(1, 31)],
)


class Heard:
    """What one connection receives."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._came = b""
        self.raw = b""
        self.last_id: str | None = None

    async def block(self) -> bytes:
        """The next block of lines."""
        while b"\n\n" not in self._came:
            some = await asyncio.wait_for(anext(self._chunks), SECONDS)
            self._came += some
            self.raw += some
        block, _, self._came = self._came.partition(b"\n\n")
        found = re.search(rb"^id: (.*)$", block, re.MULTILINE)
        self.last_id = found[1].decode() if found else self.last_id
        return block

    async def moment(self) -> Json:
        """The next notification; comments and ids in between are skipped."""
        while b"event: notification" not in (block := await self.block()):
            pass
        data = json.loads(block.partition(b"data: ")[2])
        assert data["id"] == self.last_id
        return data

    async def badges(self, number: int) -> list[str]:
        """The next badges that were earned, in order."""
        earned: list[str] = []
        while len(earned) < number:
            moment = await self.moment()
            earned += [moment["badge"]["id"]] if moment["type"] == "badge.earned" else []
        return earned

    async def to_the_end(self) -> None:
        """Read until the server ends it."""
        with contextlib.suppress(StopAsyncIteration):
            while True:
                await self.block()


@asynccontextmanager
async def listening(home: App, token: str, query: str = "", **headers: str) -> AsyncIterator[Heard]:
    """Listen to the application in this process; in the end, the client hangs up, and the application notices."""
    chunks: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    names = {"cookie": f"laurels-session={token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": STREAM,
        "raw_path": STREAM.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        "scheme": "http",
        "server": ("laurels.test", 80),
        "http_version": "1.1",
        "root_path": "",
    }

    async def bodies() -> AsyncIterator[bytes]:
        while True:
            message = await chunks.get()
            if message["type"] == "http.response.body":
                yield message["body"]
                if not message.get("more_body"):
                    return

    running = asyncio.create_task(home.app(scope, receive, chunks.put))
    try:
        yield Heard(bodies())
    finally:
        gone.set()
        await asyncio.wait_for(running, SECONDS)


@pytest.fixture
async def noted() -> AsyncIterator[App]:
    """A server in which every note earns a badge."""
    async with open_app(Catalog.parse(NOTES)) as one:
        yield one


async def notes(home: App, first: int, last: int) -> None:
    await home.record(*[event("ada", "note", f"note-{number}") for number in range(first, last + 1)])


def named(first: int, last: int) -> list[str]:
    return [f"notes-{number}" for number in range(first, last + 1)]


# ---- what is told -----------------------------------------------------------------------------


async def test_a_stream_has_new_notifications_with_everything_that_a_toast_needs(home: App) -> None:
    token = await home.sign_in("ada")
    await home.record(event("ada", "agent.created", "before"))
    async with listening(home, token) as heard:
        assert (await heard.block()).startswith(b"retry: ")
        await home.give_points("ada", messages=100)
        notifications = {moment["type"]: moment for moment in [await heard.moment() for _ in range(2)]}

    told = notifications["badge.earned"]
    assert told["badge"] == {"id": "message_100", "name": "Century Club", "icon": "💬", "points": 100}
    assert told["at"] == "2026-01-05T12:00:00Z"
    assert told["data"] == {"badge": "message_100", "points": 100}
    assert notifications["level.reached"]["level"] == 2
    assert notifications["level.reached"]["title"] == "Beginner"


async def test_notifications_of_streaks_and_leaderboards_have_their_own_fields(home: App) -> None:
    token = await home.sign_in("ada")
    async with listening(home, token) as heard:
        await home.record(event("ada", "login"), event("ada", "agent.created"))
        notifications: dict[str, Json] = {}
        while not {"streak.extended", "leaderboard.top"} <= notifications.keys():
            moment = await heard.moment()
            notifications[moment["type"]] = moment

    extended, entered = notifications["streak.extended"], notifications["leaderboard.top"]
    assert (extended["streak"], extended["before"], extended["length"]) == ("login", 0, 1)
    assert (entered["board"]["id"], entered["rank"], entered["before"]) == ("points", 1, None)
    assert entered["period"] == "all"


async def test_a_notification_of_an_unknown_type_is_passed_on(home: App) -> None:
    token = await home.sign_in("ada")
    async with behind(home.laurels.store) as ask:
        await ask("INSERT INTO outbox VALUES ('ada', 9, 0, 0, 'comet.seen', '{\"tail\": 3}')")
    async with listening(home, token, "lastEventId=0-0") as heard:
        moment = await heard.moment()

    assert moment == {"id": "9-0", "type": "comet.seen", "at": "1970-01-01T00:00:00Z", "data": {"tail": 3}}


async def test_no_user_receives_notifications_of_another(noted: App) -> None:
    token = await noted.sign_in("ada")
    async with listening(noted, token) as heard:
        await heard.block()
        await noted.record(event("bob", "note", "his"))
        await notes(noted, 1, 1)
        assert await heard.badges(1) == named(1, 1)
    assert b"bob" not in heard.raw


async def test_two_pages_of_one_user_receive_the_same_from_their_own_starts(noted: App) -> None:
    token = await noted.sign_in("ada")
    await notes(noted, 1, 10)
    async with listening(noted, token) as new, listening(noted, token, "lastEventId=0-0") as old:
        assert await old.badges(10) == named(1, 10)
        await notes(noted, 11, 12)
        assert (await new.badges(2), await old.badges(2)) == (named(11, 12), named(11, 12))


# ---- nothing is skipped, nothing told twice ---------------------------------------------------


async def test_each_notification_is_received_once_and_in_order_despite_reconnections(noted: App) -> None:
    token = await noted.sign_in("ada")
    last, earned = None, list[str]()
    writing = asyncio.create_task(write_slowly(noted))
    while len(earned) < 30:
        headers = {"last_event_id": last} if last else {"last_event_id": "0-0"}
        async with listening(noted, token, **headers) as heard:
            earned += await heard.badges(min(7, 30 - len(earned)))
            last = heard.last_id
    await writing

    assert earned == named(1, 30)


async def write_slowly(home: App) -> None:
    for number in range(1, 31):
        await notes(home, number, number)
        await asyncio.sleep(0.02)


async def test_a_client_disconnected_before_the_first_notification_continues_from_its_start(noted: App) -> None:
    token = await noted.sign_in("ada")
    await notes(noted, 1, 2)
    async with listening(noted, token) as heard:
        await heard.block()
    await notes(noted, 3, 4)
    async with listening(noted, token, last_event_id=heard.last_id or "") as again:
        assert await again.badges(2) == named(3, 4)


async def test_the_header_counts_before_the_address(noted: App) -> None:
    token = await noted.sign_in("ada")
    await notes(noted, 1, 3)
    async with listening(noted, token, "lastEventId=0-0") as first:
        await first.badges(2)
    async with listening(noted, token, "lastEventId=0-0", last_event_id=first.last_id or "") as again:
        assert await again.badges(1) == named(3, 3)


async def test_more_than_a_page_is_received_completely(noted: App) -> None:
    token = await noted.sign_in("ada")
    rows = ", ".join(f"('ada', {number}, 0, 0, 'comet.seen', '{{}}')" for number in range(1, 1001))
    async with behind(noted.laurels.store) as ask:
        await ask(f"INSERT INTO outbox VALUES {rows}")
    async with listening(noted, token, "lastEventId=0-0") as heard:
        assert [(await heard.moment())["id"] for _ in range(1000)] == [f"{number}-0" for number in range(1, 1001)]


async def test_an_id_from_beyond_the_newest_begins_with_the_newest(noted: App) -> None:
    token = await noted.sign_in("ada")
    await notes(noted, 1, 1)
    async with listening(noted, token, "lastEventId=999999-0") as heard:
        await heard.block()
        await notes(noted, 2, 2)
        assert await heard.badges(1) == named(2, 2)


@pytest.mark.parametrize("wrong", ["", "x", "1", "1-", "-1-0", "1-0-0", "1_0", "1-0 ", f"{10**18}-0", "١-٠"])
async def test_an_id_that_is_none_is_422_and_says_what_to_send(home: App, wrong: str) -> None:
    token = await home.sign_in("ada")
    answer = await home.client.get(
        STREAM, params={"lastEventId": wrong}, headers={"cookie": f"laurels-session={token}"}
    )

    assert answer.status_code == 422
    (told,) = answer.json()["errors"]
    assert told["parameter"] == "lastEventId"
    assert "such as 12-0" in told["detail"]


# ---- who may listen, and for how long ---------------------------------------------------------


async def test_only_a_session_may_listen(home: App) -> None:
    assert (await home.client.get(STREAM)).status_code == 401
    assert (await home.client.get(STREAM, headers=home.by_key)).status_code == 401


async def test_a_head_and_a_prefetch_are_answered_at_once_without_a_listener(home: App) -> None:
    cookie = {"cookie": f"laurels-session={await home.sign_in('ada')}"}
    looks = [
        await home.client.head(STREAM, headers=cookie),
        await home.client.get(STREAM, headers={**cookie, "sec-purpose": "prefetch"}),
    ]

    for answer in looks:
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"


async def test_listening_is_not_a_login(home: App) -> None:
    token = await home.sign_in("ada")
    async with listening(home, token) as heard:
        await heard.block()

    assert (await home.profile_of("ada"))["streak"] == 0


async def test_silence_is_filled_with_comments(home: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    token = await home.sign_in("ada")
    async with listening(home, token) as heard:
        await heard.block()
        assert [await heard.block() for _ in range(3)] == [b":"] * 3


@pytest.mark.parametrize("ended", ["session", "user"])
async def test_the_stream_ends_with_the_session_and_with_the_user(
    home: App, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    token = await home.sign_in("ada")
    async with listening(home, token) as heard:
        await heard.block()
        if ended == "session":
            await home.client.delete(SESSIONS, headers={"cookie": f"laurels-session={token}"})
        else:
            await home.client.delete(f"{USERS}/ada", headers=home.by_key)
        await heard.to_the_end()

    assert (await home.client.get(STREAM, headers={"cookie": f"laurels-session={token}"})).status_code == 401


async def test_a_store_that_is_away_ends_no_stream(noted: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    token = await noted.sign_in("ada")

    async def away(*_: object) -> Any:
        raise StoreUnavailable

    async with listening(noted, token) as heard:
        await heard.block()
        with monkeypatch.context() as broken:
            broken.setattr(noted.laurels.store, "notifications", away)
            broken.setattr(noted.laurels.store, "has_session", away)
            await notes(noted, 1, 1)
            assert [await heard.block() for _ in range(10)] == [b":"] * 10
        assert await heard.badges(1) == named(1, 1)


async def test_disconnected_clients_are_not_polled_and_streams_do_not_count_as_requests() -> None:
    async with open_app(settings=Settings(limits=LimitSettings(requests=2, streams=3))) as home:
        token = await home.sign_in("ada")
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await (await stack.enter_async_context(listening(home, token))).block()
            assert len(home.app.context.listeners) == 3
            assert (await home.visit(token, CATALOG)).status_code == 200
            refused = await home.visit(token, STREAM)
            check_problem(refused.json(), 503)
            assert int(refused.headers["retry-after"]) >= 1
        assert len(home.app.context.listeners) == 0
        async with listening(home, token) as heard:
            await heard.block()


async def test_one_user_cannot_take_the_places_of_all_others(home: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "STREAMS_PER_USER", 2)
    ada, bob = await home.sign_in("ada"), await home.sign_in("bob")
    async with contextlib.AsyncExitStack() as stack:
        for token in (ada, ada, bob):
            await (await stack.enter_async_context(listening(home, token))).block()
        refused = await home.visit(ada, STREAM)
        check_problem(refused.json(), 503)
        assert int(refused.headers["retry-after"]) >= 1
    async with listening(home, ada) as heard:
        await heard.block()


# ---- real servers -----------------------------------------------------------------------------


@pytest.fixture
async def served(database: str, tmp_path: Path) -> Served:
    (tmp_path / "catalog.toml").write_text(NOTES)  # nobody else waits
    one = Served(database, tmp_path)
    await one.prepare()
    return one


@asynccontextmanager
async def hearing(server: Server, cookie: dict[str, str], **headers: str) -> AsyncIterator[Heard]:
    """Listen to a real server."""
    async with server.client.stream("GET", STREAM, headers={**cookie, **headers}) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Heard(answer.aiter_bytes())


lasting = pytest.mark.parametrize("engine", LASTING_ENGINES)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite-file"])


@lasting
async def test_notifications_of_any_process_are_received_in_every_other_within_a_second(
    served: Served, tmp_path: Path
) -> None:
    settings = {"catalog": tmp_path / "catalog.toml"}
    clock = asyncio.get_running_loop().time
    async with served.server(**settings) as one, served.server(workers=2, **settings) as other:
        async with Laurels.open(served.database, Catalog.parse(NOTES)) as laurels:
            await laurels.update_user("ada")
        cookie = await one.sign_in("ada")
        async with contextlib.AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(hearing(server, cookie)) for server in (one, other, other, other)]
            for page in pages:
                await page.block()
            for number in range(1, 11):
                answer = await (one, other)[number % 2].send(event("ada", "note", f"note-{number}"))
                assert answer.json()["recorded"] == 1, answer.text
                written = clock()
                assert [await page.badges(1) for page in pages] == [named(number, number)] * len(pages)
                assert clock() - written < 1
        assert [await one.stop(), await other.stop()] == [0, 0]


@on_sqlite
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_stopping_server_ends_its_streams_at_once(served: Served, workers: int) -> None:
    clock = asyncio.get_running_loop().time
    async with served.server(workers=workers) as server:
        await server.send(event("ada", "agent.created"))
        cookie = await server.sign_in("ada")
        async with contextlib.AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(hearing(server, cookie)) for _ in range(6)]
            for page in pages:
                await page.block()
            told = clock()
            stopping = asyncio.create_task(server.stop())
            await asyncio.gather(*[page.to_the_end() for page in pages])
            assert await stopping == 0
            assert clock() - told < 10  # and not the half minute that others get

    assert "ERROR" not in served.log.read_text()


@on_sqlite
async def test_other_connections_do_not_end_the_streams_of_a_process(served: Served) -> None:
    async with served.server(limits_requests=2, limits_streams=8) as server:
        await server.send(event("ada", "agent.created"))
        cookie = await server.sign_in("ada")
        async with contextlib.AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(hearing(server, cookie)) for _ in range(8)]
            assert (await server.client.get(STREAM, headers=cookie)).status_code == 503
            assert [(await server.client.get(PROFILE, headers=cookie)).status_code for _ in range(10)] == [200] * 10
            await server.send(event("ada", "message.sent", quantity=100))
            for page in pages:
                assert "message_100" in await page.badges(1)
        assert await server.stop() == 0


@on_sqlite
async def test_a_client_that_reads_nothing_is_disconnected_and_uses_little_memory(served: Served) -> None:
    store = open_store(served.database)
    await store.migrate()
    await store.close()
    async with served.server(receive_seconds=1, limits_streams=1) as server:
        await server.send(event("ada", "agent.created"))
        cookie = await server.sign_in("ada")
        store = open_store(served.database)
        async with behind(store) as ask:
            await ask(
                "WITH RECURSIVE n (n) AS (VALUES (100) UNION ALL SELECT n + 1 FROM n WHERE n < 20100) "
                "INSERT INTO outbox SELECT 'ada', n, 0, 0, 'comet.seen', json_object('tail', printf('%.1000c', 'x')) FROM n"
            )
        await store.close()
        url = server.client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
        writer.write(f"GET {STREAM}?lastEventId=0-0 HTTP/1.1\r\nHost: x\r\nCookie: {cookie['cookie']}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _ in range(SECONDS):
            await asyncio.sleep(1)
            async with server.client.stream("GET", STREAM, headers=cookie) as answer:
                if answer.status_code == 200:
                    break
        else:
            pytest.fail("the place was never free")
        writer.close()


# ---- languages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "names"),
    [
        ("lang=de", {}, ("Erstes Buch", "Kenner")),
        ("", {"accept_language": "de-AT,en;q=0.5"}, ("Erstes Buch", "Kenner")),
        ("lang=en", {"accept_language": "de"}, ("First book", "Expert")),
        ("", {}, ("First book", "Expert")),
    ],
)
async def test_each_stream_has_names_in_its_own_language(
    query: str, headers: dict[str, str], names: tuple[str, str]
) -> None:
    async with open_app(CLUB) as home:
        token = await home.sign_in("ada")
        async with listening(home, token, query, **headers) as heard:
            await heard.block()
            await home.record(event("ada", "book.finished"))
            found = {moment["type"]: moment for moment in [await heard.moment() for _ in range(2)]}

    assert (found["badge.earned"]["badge"]["name"], found["level.reached"]["title"]) == names
    assert found["level.reached"]["data"]["title"] == "Expert"
