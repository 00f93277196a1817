"""Copying all rows of a database into another, for every pair of engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.engine.progress import Progress
from laurels.errors import NotEmpty, StoreError, StoreUnavailable, UserErased
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.codec import pack_progress, to_micros
from laurels.storage.columns import REPLACED, TABLES
from laurels.storage.contract import Batch, Changes, LoadRequest, Store
from laurels.storage.copying import copy
from tests.support import ENGINES, MONDAY, check_tallies, contents, sql, tables
from tests.support.files import opened

pytestmark = pytest.mark.anyio

Everything = Mapping[str, Sequence[tuple[Any, ...]]]

LONG, LEAST, INT = 2**63 - 1, -(2**63), 2**31 - 1  # PostgreSQL's INTEGER is of 32 bits
FIRST, LAST = to_micros(datetime.min.replace(tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC))
ODD = "\\N\t\r\n\"',;{} \\. ½ 🙂"
PRINTABLE = "\\N\"',;{} \\. ½ 🙂"  # names of keys have no control characters
BYTES = bytes(range(256))
NAMES = ["", "B", "a", "b", "é", "～", "🙂"]
"""In the order of their code points."""

EXTREMES: Everything = {
    "secrets": [("another", b""), ("tombstones", BYTES)],
    "tombstones": [(b"", FIRST), (BYTES, LAST)],
    "api_keys": [
        (b"1", "app", "hint", 0, None, None, "", "", None, ""),
        (b"2", PRINTABLE, "", FIRST, LAST, LAST, ODD, ODD, LAST, ODD),
    ],
    "second_factors": [(b"", b"", 0, b"", 0, None, FIRST, 0), (BYTES, BYTES, LONG, BYTES, INT, LAST, LAST, LONG)],
    "audit": [
        ("a", FIRST, ODD, None, None, None, None, "", None, None, 1),
        ("b", LAST, "", ODD, "", ODD, ODD, ODD, ODD, "", LONG),
    ],
    "amnesties": [
        ("a", 1, INT, None, ODD, "", FIRST, None, None, None, None, None, None, None),
        ("b", -INT, 0, ODD, "", "", 0, LAST, ODD, "", "key", ODD, "cli", ""),
    ],
    "catalog_revisions": [
        (1, ODD, "", ODD, FIRST, "", ODD, None, None, None, None, None, None),
        (LONG, "", ODD, "", LAST, ODD, "", "cli", ODD, 1, LONG, LAST, ODD),
    ],
    "supplies": [("", LEAST), (ODD, LONG)],
    "maintenance_runs": [("", FIRST, ODD), ("backup", LAST, "")],
    "sandbox": [(1, LEAST)],
    "users": [
        *((name, None, None, None, 0, 0, "", 0, None, b"", None, 0, None, 0, None, None) for name in NAMES),
        ("🙂" + ODD, ODD, ODD, FIRST, LAST, LONG, ODD, LONG, FIRST, BYTES * 1000, ODD, LONG, ODD, 1, BYTES, LAST),
    ],
    "events": [
        ("a", "", 1, ODD, FIRST, None, LAST, INT, LONG, None, None, None, None, -INT, None),
        ("a", "1", 2, "", LAST, LAST, FIRST, -INT, 0, ODD * 10_000, ODD, LONG, 0, INT, LONG),
    ],
    "adjustments": [
        ("a", "1", 1, LAST, ODD, ODD, ODD, ODD, None, None, None, None, None),
        ("a", "2", LONG, FIRST, "", "", "", "", 0, ODD, "", ODD, ""),
    ],
    "awards": [("a", ODD, LONG, FIRST, LONG, None, None), ("a", "b", 0, 0, LEAST, ODD, LONG)],
    "ledger": [("a", 1, 0, LAST, LEAST, ODD, "", None, None, LONG), ("a", 1, INT, 0, 0, "", ODD, ODD, FIRST, None)],
    "outbox": [("a", 1, 0, LAST, ODD, ODD), ("a", 2, INT, FIRST, "", "")],
    "standings": [("a", "points", "all", -(2**40), LAST, 3), ("b", "points", "all", -1, -7, 0)],
    "closings": [("points", "", FIRST, None, None, None, None), ("points", ODD, LAST, 0, FIRST, LAST, ODD)],
    "board_rules": [("", ODD, None), (ODD, "", LAST)],
    "sessions": [("a", b"", FIRST, LAST), ("a", BYTES, 0, 0)],
    "former_states": [("a", 1, LAST, None, None, None, "", "[]"), ("a", LONG, FIRST, ODD, LAST, ODD, ODD, ODD)],
    "unfinished_erasures": [("", FIRST, 0), (ODD, LAST, 1)],
}
NOT_COPIED = {"tallies", "migrations", "operator_sessions"}

NO_PROGRESS = pack_progress(Progress())
MANY: Everything = {
    "secrets": [("tombstones", b"secret")],
    "users": [
        (f"u{number:05}", None, None, None, 0, 0, "", 0, None, NO_PROGRESS, None, 0, None, 0, None, None)
        for number in range(7000)
    ],
}


@contextmanager
def silent(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """No progress is shown."""
    yield lambda done: None


@pytest.fixture(params=ENGINES)
async def other(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A second empty store, one test for each engine."""
    folder = tmp_path / "other"
    folder.mkdir()
    with ENGINES[request.param](folder) as address:
        store = open_store(address)
        await store.migrate()
        yield store
        await store.close()


async def batches(everything: Everything) -> AsyncIterator[Batch]:
    for table, rows in everything.items():
        yield table, rows


async def all_rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    async with store.rows() as rows:
        async for table, batch in rows.batches():
            found[table] += batch
        assert rows.counts == {table: len(of_table) for table, of_table in found.items()}
    return found


async def test_every_column_of_every_table_is_copied(store: Store) -> None:
    await store.fill(batches(EXTREMES))

    assert {*TABLES, *NOT_COPIED} == set(await tables(store))
    for name, table in TABLES.items():
        assert all(len(row) == len(table.columns) for row in await sql(store, f"SELECT * FROM {name}")), name
        assert await sql(store, f"SELECT {', '.join(table.columns)} FROM {name}"), name


async def test_every_value_survives_in_the_order_of_the_keys(store: Store) -> None:
    shuffled = {table: rows[::-1] for table, rows in EXTREMES.items()}

    await store.fill(batches(shuffled))

    found = await all_rows(store)
    assert list(found) == list(TABLES)
    for table, rows in found.items():
        assert rows == list(EXTREMES[table]), table
        assert all(type(value) in {int, str, bytes, type(None)} for row in rows for value in row)


async def test_all_that_is_stored_is_copied(store: Store, other: Store) -> None:
    await store.fill(batches(EXTREMES))

    async with store.rows() as rows:
        await other.fill(rows.batches())

    assert await all_rows(other) == await all_rows(store)
    await check_tallies(other)
    assert await other.wrong_tallies() == 0


async def test_an_empty_database_can_be_copied(store: Store, other: Store) -> None:
    assert sum((await copy(store, other, silent)).values()) == 0
    assert await all_rows(other) == await all_rows(store)


async def test_many_rows_come_in_batches(store: Store) -> None:
    await store.fill(batches(MANY))

    async with store.rows() as rows:
        sizes = [len(batch) async for table, batch in rows.batches() if table == "users"]

    assert sum(sizes) == len(MANY["users"])
    assert max(sizes) <= 5000
    assert len(sizes) > 1


@pytest.mark.parametrize("table", [table for table in TABLES if table not in REPLACED])
async def test_a_database_with_any_row_is_refused_and_not_changed(store: Store, table: str) -> None:
    held = {"secrets": [("tombstones", b"its own")], table: EXTREMES[table][:1]}
    await store.fill(batches(held))
    before = await contents(store)

    with pytest.raises(NotEmpty):
        await store.fill(batches(MANY))

    assert await contents(store) == before


class Stop(Exception):  # noqa: N818
    pass


async def stopping(everything: Everything) -> AsyncIterator[Batch]:
    async for batch in batches(everything):
        yield batch
    raise Stop


async def test_nothing_is_left_after_an_error_in_the_middle(store: Store) -> None:
    before = await contents(store)
    twice = {**MANY, "awards": [EXTREMES["awards"][0]] * 2}

    with pytest.raises(Stop):
        await store.fill(stopping(EXTREMES))
    with pytest.raises(StoreError):
        await store.fill(batches(twice))

    assert await contents(store) == before
    await store.fill(batches(EXTREMES))
    assert len(await all_rows(store)) == len(EXTREMES)


async def test_nothing_is_left_after_a_cancellation_in_the_middle(store: Store) -> None:
    before = await contents(store)
    reached = asyncio.Event()

    async def waiting() -> AsyncIterator[Batch]:
        async for batch in batches(EXTREMES):
            yield batch
        reached.set()
        await asyncio.Event().wait()

    filling = asyncio.ensure_future(store.fill(waiting()))
    await reached.wait()
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling

    assert await contents(store) == before
    await store.fill(batches(EXTREMES))


async def test_reading_all_rows_uses_one_snapshot_and_neither_it_nor_a_writer_waits(store: Store) -> None:
    await store.fill(batches(MANY))
    before = await all_rows(store)

    async with store.rows() as rows:
        found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
        async for table, batch in rows.batches():
            found[table] += batch
            async with asyncio.timeout(20):
                await store.add_session("u06999", b"%d" % len(found["users"]), MONDAY, MONDAY)
                await sql(store, "UPDATE users SET points = points + 1 WHERE user_id = 'u06999'")

    assert found == before
    after = await all_rows(store)
    assert after["users"][-1][0] == "u06999"
    assert after["users"][-1][7] > 2
    assert len(after["sessions"]) > 0


async def test_two_concurrent_copies_read_the_same_rows(store: Store) -> None:
    await store.fill(batches(MANY))

    first, second = await asyncio.gather(all_rows(store), all_rows(store))

    assert first == second


async def test_cached_values_are_read_again_after_filling(store: Store) -> None:
    assert (await store.profile_view("nobody", 10)).top == []

    await store.fill(batches(EXTREMES))

    view = await store.profile_view("nobody", 10)
    assert [line.place.user_id for line in view.top] == ["a", "b"]
    assert view.amnesty_count == 3
    assert await store.rank("points", "all", "nobody") == (None, 2)


async def test_an_erased_user_stays_erased_in_the_copy(store: Store, other: Store) -> None:
    async with asyncio.TaskGroup() as looks:  # each has looked for an erased user once, with a secret of its own
        for one in (store, other):
            looks.create_task(one.change(LoadRequest(frozenset({"ada"}), frozenset(), "rules"), lambda _: Changes()))
    laurels = Laurels(store)
    await laurels.record(Event("ada", "e", "message.sent"))
    await laurels.erase_user("ada")

    await copy(store, other, silent)

    moved = Laurels(other)
    with pytest.raises(UserErased):
        await moved.record(Event("ada", "late", "message.sent"))
    assert await other.user("ada") is None
    assert "ada" not in repr({**await contents(other), "migrations": []})  # of which a checksum may have the letters


async def test_keys_sessions_and_a_sandbox_are_copied_too(store: Store, other: Store) -> None:
    moved = {table: EXTREMES[table] for table in ("api_keys", "sandbox", "sessions")}
    await store.fill(batches({**MANY, **moved}))
    await copy(store, other, silent)
    found = await other.active_key(b"1")
    assert found is not None
    assert found.name == "app"
    assert await other.has_session("a", b"", MONDAY)
    assert await other.clock_offset() == await store.clock_offset() is not None


async def test_a_closed_store_can_neither_be_read_nor_filled(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await all_rows(store)
    with pytest.raises(StoreUnavailable):
        await store.fill(batches(MANY))


async def test_a_change_between_writing_and_reading_back_is_found(store: Store, tmp_path: Path) -> None:
    """As a server does that was left running on the database."""
    target = open_store(f"sqlite:///{tmp_path / 'target.db'}")
    await target.migrate()
    await store.fill(batches(MANY))

    @contextmanager
    def meddling(label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda done: None
        with opened(tmp_path / "target.db") as connection:
            connection.execute("UPDATE users SET name = 'another'")

    with pytest.raises(StoreError, match=r"not what was written, in users; .* copy again into an empty one"):
        await copy(store, target, meddling)
    await target.close()


async def test_a_damaged_text_is_reported(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'source.db'}")
    await store.migrate()
    await store.fill(batches(MANY))
    await sql(store, "UPDATE users SET name = CAST(x'ff' AS TEXT) WHERE user_id = 'u00007'")

    with pytest.raises(StoreError):
        await all_rows(store)
    await store.close()


POSTGRES = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
HANG_UP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'laurels' AND datname = current_database()
"""


@POSTGRES
async def test_a_text_that_postgresql_cannot_store_is_reported_and_nothing_is_written(store: Store) -> None:
    before = await contents(store)
    with pytest.raises(
        StoreError, match=r"a text in users has a character that PostgreSQL cannot store, such as U\+0000"
    ):
        await store.fill(batches({"users": [("a", "b\0c", *MANY["users"][0][2:])]}))
    assert await contents(store) == before


@POSTGRES
async def test_a_lost_connection_is_reported_and_nothing_is_written(store: Store) -> None:
    async def hanging_up() -> AsyncIterator[Batch]:
        async for batch in batches(EXTREMES):
            yield batch
            if batch[0] == "users":
                await sql(store, HANG_UP)

    before = await contents(store)
    with pytest.raises(StoreUnavailable):
        await store.fill(hanging_up())
    assert await contents(store) == before
    await store.fill(batches(MANY))

    with pytest.raises(StoreUnavailable):  # noqa: PT012  # where it comes is not the point
        async with store.rows() as rows:
            await sql(store, HANG_UP)
            async for _ in rows.batches():
                pass
    assert len((await all_rows(store))["users"]) == len(MANY["users"])
