"""Two communities, each in its own schema of one PostgreSQL database: nothing of one is seen, changed or awaited by the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from laurels.engine.catalog import Catalog
from laurels.errors import MigrationError, SettingsError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.postgres.connections import Locks
from laurels.storage.postgres.standings import lock_of
from laurels.storage.postgres.store import PostgresStore
from laurels.testing import TestClock
from tests.delivery.test_stream import listening
from tests.storage.test_contract import save, user
from tests.storage.test_copying import all_rows
from tests.support import MONDAY, badge, catalog_text, count, postgres, sql
from tests.support.app import EVENTS, LEADERBOARDS, PROFILE, USERS, App, event, ids_of, open_app_over
from tests.support.serving import Served
from tests.torture.wire import Ends, Wire, messages

pytestmark = pytest.mark.anyio

SCHEMAS = ("chess", "go_club")
PROCESSES = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'laurels%' ORDER BY 1
"""


def catalog_of(name: str, points: int) -> Catalog:
    """Notes earn these points and, at the first, a badge of this name."""
    return Catalog.parse(
        catalog_text(
            metrics={"notes": count("note")},
            points=[{"id": "note", "events": ["note"], "amount": points}],
            badges=[badge(name, 0, metric="notes", at_least=1)],
            leaderboards=[{"id": "weekly", "name": "Week", "by": "points", "period": "week"}],
        )
    )


CATALOGS = {"chess": catalog_of("pawn", 5), "go_club": catalog_of("stone", 7)}


@pytest.fixture
def database() -> Iterator[str]:
    with postgres.database() as address:
        yield address


@asynccontextmanager
async def community(database: str, schema: str, clock: TestClock) -> AsyncIterator[App]:
    opened = Laurels.open(database, CATALOGS[schema], schema=schema, clock=clock)
    async with opened as laurels, open_app_over(laurels, clock) as one:
        yield one


@pytest.fixture
async def both(database: str) -> AsyncIterator[tuple[App, App]]:
    """Two communities with a user 'ada' each, on one clock."""
    clock = TestClock(MONDAY)
    async with AsyncExitStack() as stack:
        chess, go = [await stack.enter_async_context(community(database, name, clock)) for name in SCHEMAS]
        await chess.record(event("ada", "note", "n-1"))
        await go.record(event("ada", "note", "n-1"), event("ada", "note", "n-2"))
        yield chess, go


async def rows_of(home: App) -> dict[str, list[tuple[object, ...]]]:
    return await all_rows(home.laurels.store)


async def standings(home: App, board: str = "weekly") -> list[tuple[str, int]]:
    answer = await home.client.get(f"{LEADERBOARDS}/{board}", headers=home.by_key)
    assert answer.status_code == 200, answer.text
    return [(line["userId"], line["score"]) for line in answer.json()["standings"]]


# ---- what each sees ---------------------------------------------------------------------------


async def test_the_same_user_id_is_a_user_of_each_under_its_own_catalog(both: tuple[App, App]) -> None:
    chess, go = both

    first, other = await chess.profile_of("ada"), await go.profile_of("ada")

    assert (first["points"], ids_of(first["badges"])) == (5, ["pawn"])
    assert (other["points"], ids_of(other["badges"])) == (14, ["stone"])
    assert (await standings(chess), await standings(go)) == ([("ada", 5)], [("ada", 14)])


async def test_keys_and_sessions_of_one_are_refused_by_the_other(both: tuple[App, App]) -> None:
    chess, go = both
    token = await chess.sign_in("ada")

    assert (await chess.visit(token)).status_code == 200
    assert (await go.visit(token)).status_code == 401
    assert (await go.client.get(f"{USERS}/ada/profile", headers=chess.by_key)).status_code == 401
    assert (await go.client.post(EVENTS, json=event("ada", "note"), headers=chess.by_key)).status_code == 401


async def test_a_stream_has_the_notifications_of_its_own_community_only(both: tuple[App, App]) -> None:
    chess, go = both
    tokens = [await home.sign_in("bob") for home in both]
    async with listening(chess, tokens[0]) as of_chess, listening(go, tokens[1]) as of_go:
        await of_chess.block(), await of_go.block()
        await go.record(event("bob", "note"))
        assert await of_go.badges(1) == ["stone"]
        await chess.record(event("bob", "note"))
        assert await of_chess.badges(1) == ["pawn"]

    assert (b"stone" in of_chess.raw, b"pawn" in of_go.raw) == (False, False)


# ---- what one changes -------------------------------------------------------------------------


async def test_no_change_of_one_touches_a_row_of_the_other(both: tuple[App, App]) -> None:
    chess, go = both
    before = await rows_of(go)
    admin = Admin(chess.laurels)

    await admin.adjust("ada", "gift", "points", {"amount": 50}, "a gift", "anna")
    await admin.reverse("ada", "n-1", "by mistake", "anna")
    await admin.add_amnesty(MONDAY.date(), MONDAY.date(), "an outage", "anna")
    await admin.apply_catalog(catalog_of("pawn", 9), "a new season", "anna")
    await admin.rebuild("ada")
    await chess.laurels.erase_user("ada")
    chess.clock.advance(days=14)
    await chess.laurels.close_periods()
    assert (await chess.client.get(f"{USERS}/ada/profile", headers=chess.by_key)).status_code == 404

    assert await rows_of(go) == before
    assert (await go.profile_of("ada"))["points"] == 14


async def test_each_has_a_secret_of_its_own(both: tuple[App, App]) -> None:
    assert len({await home.laurels.store.keyring() for home in both}) == 2


# ---- locks ------------------------------------------------------------------------------------


def test_each_schema_has_lock_keys_of_its_own() -> None:
    """The default schema has those of earlier versions, whose processes may run at the same time."""
    assert Locks.of("laurels") == Locks(0x1A07E1, 0x1A07E2, 0x1A07E3)
    names = ["laurels", *(f"community_{number}" for number in range(200))]
    keys = [key for name in names for key in (Locks.of(name).users, Locks.of(name).periods, Locks.of(name).gaps)]
    assert len({*keys}) == len(keys)
    assert all(-(2**31) <= key < 2**31 for key in keys)


async def test_no_lock_of_one_makes_the_other_wait(database: str) -> None:
    """All advisory locks of one schema are held; each lasts until the end of its transaction, here until the other is done."""
    stores = [PostgresStore(database, patience=1, schema=name) for name in SCHEMAS]
    for store in stores:
        await store.migrate()
    held = Locks.of("chess")
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        for key in (*range(-1, 64), lock_of(("weekly", "2026-W02"))):
            for first in (held.users, held.periods):
                await connection.execute("SELECT pg_advisory_xact_lock($1::integer, $2::integer)", first, key)
        await connection.execute("SELECT pg_advisory_xact_lock($1::bigint)", held.gaps)
        await asyncio.wait_for(everything(database, "go_club"), 60)
        with pytest.raises(TimeoutError):  # they are the locks that the community itself waits for
            await asyncio.wait_for(stores[0].migrate(), 0.5)
    await connection.close()
    for store in stores:
        await store.close()


async def everything(database: str, schema: str) -> None:
    """Whatever takes an advisory lock: migrating, new users, closing a period, late events, erasing with and without a row."""
    clock = TestClock(MONDAY)
    opened = Laurels.open(database, CATALOGS["go_club"], schema=schema, clock=clock, late_window=None)
    async with opened as laurels, open_app_over(laurels, clock) as home:
        await home.record(event("ada", "note"), event("bob", "note"), event("cleo", "note"))
        clock.advance(days=14)
        await laurels.close_periods()
        await home.record(event("bob", "note", "late", occurredAt=(MONDAY + timedelta(hours=1)).isoformat()))
        for name in ("ada", "unknown"):
            answer = await home.client.delete(f"{USERS}/{name}", headers=home.by_key)
            assert answer.status_code in (204, 404), answer.text


async def test_one_is_migrated_while_the_other_serves(both: tuple[App, App], database: str) -> None:
    chess, _ = both
    third = open_store(database, schema="third")
    with pytest.raises(MigrationError, match="the PostgreSQL schema 'third' has no tables of Laurels"):
        await third.ready()

    migrating = asyncio.create_task(third.migrate())
    served = 0
    while not migrating.done():
        await chess.record(event("ada", "note", f"meanwhile-{served}"))
        served += 1
        await asyncio.sleep(0)

    assert len(await migrating) > 1
    assert served > 1
    await third.ready()
    assert await third.user_ids("", 1) == []
    assert (await chess.profile_of("ada"))["points"] == 5 * (served + 1)
    await third.close()


async def test_a_migration_that_waits_for_one_community_lets_the_other_serve(
    both: tuple[App, App], database: str
) -> None:
    """A migration locks the tables of its own schema only."""
    chess, go = both
    connection = await asyncpg.connect(database, server_settings={"search_path": "go_club"})
    async with connection.transaction():
        await connection.execute("LOCK TABLE users, events, outbox, sessions IN ACCESS EXCLUSIVE MODE")
        await asyncio.wait_for(chess.record(event("ada", "note", "meanwhile")), 60)
    await connection.close()
    assert [(await home.profile_of("ada"))["points"] for home in (chess, go)] == [10, 14]


# ---- poolers ----------------------------------------------------------------------------------


class Pooler(Wire):
    """Stands between Laurels and the server, and gives each connection the search path of another community."""

    async def _to_server(self, client: asyncio.StreamReader, ends: Ends) -> None:
        async for _, message in messages(client, greeting=True):
            ends[1].write(message.replace(b"search_path\0chess\0", b"search_path\0rooks\0"))
            await ends[1].drain()


async def test_a_pooler_that_drops_the_schema_is_noticed_before_a_row_is_read(database: str) -> None:
    other = open_store(database, schema="rooks")
    await other.migrate()
    await save(other, user("ada", 5))
    with Pooler(database) as pooler:
        store = open_store(pooler.address, schema="chess")
        for call in (store.migrate(), store.ready(), store.user_ids("", 1), save(store, user("bob", 5))):
            with pytest.raises(SettingsError, match="connections use the PostgreSQL schema 'rooks', not 'chess'"):
                await call
        await store.close()
    assert await other.user_ids("", 9) == ["ada"]
    await other.close()


# ---- servers ----------------------------------------------------------------------------------


async def test_two_servers_with_workers_serve_one_database_at_the_same_time(database: str, tmp_path: Path) -> None:
    """The workers get the schema, too: each writes into its own."""
    served = [Served(database, tmp_path / name, name) for name in SCHEMAS]
    for one in served:
        one.folder.mkdir()
        await one.prepare()
    async with (
        served[0].server("--workers", "2") as chess,
        served[1].server("--workers", "2", "--schema", "go_club") as go,
    ):
        servers = (chess, go)
        sent = [
            server.send([event(f"user-{number}", "agent.created", f"{place}-{number}")])
            for number in range(20)
            for place, server in enumerate(servers, start=1)
            if number % place == 0
        ]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers} == {200}
        sessions = [await server.sign_in("user-2") for server in servers]
        profiles = [
            await server.client.get(PROFILE, headers=cookie) for server, cookie in zip(servers, sessions, strict=True)
        ]
        assert [answer.status_code for answer in profiles] == [200, 200]
        assert {(await server.client.get("/readyz")).status_code for server in servers} == {200}
    found = [open_store(database, schema=name) for name in SCHEMAS]
    ids = [
        {row[0] for row in await sql(store, "SELECT event_id FROM events WHERE type = 'agent.created'")}
        for store in found
    ]
    assert [len(names) for names in ids] == [20, 10]
    assert [{name[0] for name in names} for names in ids] == [{"1"}, {"2"}]
    for one, store in zip(served, found, strict=True):
        await store.close()
        await one.check_books()


async def test_a_store_writes_into_its_schema_only(database: str) -> None:
    chess, go = (open_store(database, schema=name) for name in SCHEMAS)
    for store in (chess, go):
        await store.migrate()
    await save(chess, user("ada", 5))
    assert [(await store.counts()).users for store in (chess, go)] == [1, 0]
    async with postgres.connected(database) as ask:
        schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'users' ORDER BY 1"
        assert await ask(schemas) == [("chess",), ("go_club",)]
        assert await ask(PROCESSES) == [("laurels chess",), ("laurels go_club",)]
    await chess.close()
    await go.close()
