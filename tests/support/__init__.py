"""What several tests share: conformance cases, dates, small catalogs, and a look behind a store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.judge import judge
from laurels.engine.progress import Progress, limited
from laurels.engine.ranking import Place, tallied
from laurels.engine.sequences import stages_of
from laurels.engine.zones import Zones
from laurels.storage.contract import Store
from laurels.storage.postgres.store import PostgresStore
from laurels.storage.sqlite.store import SQLiteStore
from tests.support import postgres

# ---- engines of storage -----------------------------------------------------------------------

ENGINES: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "sqlite-file": lambda folder: nullcontext(f"sqlite:///{folder / 'laurels.db'}"),
    "sqlite-memory": lambda _: nullcontext("sqlite://"),
    "postgresql": lambda _: postgres.database(),
}
"""Each engine: how to have an empty database, given a folder. A new engine is one more line."""

LASTING_ENGINES = [name for name in ENGINES if name != "sqlite-memory"]
"""The engines whose databases outlive a process."""


KINDS = ("sqlite-memory", "postgresql")
"""One engine of each kind, for tests that make many databases; neither needs a folder."""


def new_database(kind: str) -> AbstractContextManager[str]:
    """The address of an empty database of this kind."""
    return ENGINES[kind](Path())


@asynccontextmanager
async def behind(store: Store) -> AsyncIterator[postgres.Ask]:
    """What runs SQL past the contract, for a test that must look behind it; values stand where it says '?'."""
    if isinstance(store, PostgresStore):
        async with postgres.connected(store._pool._address, store._schema) as ask:
            yield ask
        return
    assert isinstance(store, SQLiteStore), "say here how another engine runs SQL"
    writer = store._writer

    async def ask_sqlite(statement: str, *values: Any) -> postgres.Rows:
        return writer.execute(statement, values).fetchall()

    yield ask_sqlite


async def sql(store: Store, statement: str, *values: Any) -> postgres.Rows:
    """The rows of one statement."""
    async with behind(store) as ask:
        return await ask(statement, *values)


async def run_script(store: Store, script: str) -> None:
    """Run the statements of a script, past the contract."""
    if isinstance(store, PostgresStore):
        await store._pool.run(lambda connection: connection.execute(script))
        return
    assert isinstance(store, SQLiteStore), "say here how another engine runs a script"
    store._writer.execute(script)


async def migrate_before(store: Store, end: str) -> None:
    """Give an empty database the schema from before the migration whose name ends so, as a version of that time did."""
    assert isinstance(store, (PostgresStore, SQLiteStore))
    if isinstance(store, PostgresStore):
        await run_script(store, f"CREATE SCHEMA {store._schema}")
    await run_script(store, "CREATE TABLE migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)")
    for one in takewhile(lambda one: not one.name.endswith(end), store._migrations):
        await run_script(store, one.sql)
        await run_script(store, f"INSERT INTO migrations (name, checksum) VALUES ('{one.name}', '{one.checksum}')")


async def tables(store: Store) -> list[str]:
    if isinstance(store, PostgresStore):
        names = f"SELECT tablename FROM pg_tables WHERE schemaname = '{store._schema}' ORDER BY tablename"
    else:
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    return [name for (name,) in await sql(store, names)]


async def contents(store: Store) -> dict[str, postgres.Rows]:
    """All rows of all tables."""
    names = await tables(store)
    async with behind(store) as ask:
        return {name: sorted(await ask(f"SELECT * FROM {name}"), key=repr) for name in names}


async def check_tallies(store: Store) -> None:
    """The tallies of every board and period are what a recount of its standings gives, and none of them is zero."""
    async with behind(store) as ask:
        standings = await ask("SELECT board, period, sort_key, reached_at, user_id FROM standings")
        kept = await ask(
            "SELECT board, period, level, under, node, sum(amount), min(amount) FROM tallies "
            "GROUP BY board, period, level, under, node"
        )
    counted = Counter[tuple[Any, ...]]()
    for board, period, at, reached, user in standings:
        for node, amount in tallied(board, Place(at, reached, user)):
            counted[board, period, *node] += amount
    assert {tuple(row[:5]): row[5] for row in kept} == {node: amount for node, amount in counted.items() if amount}
    assert all(least > 0 for *_, least in kept), "a tally that counts nobody was kept"


async def check_ledgers(store: Store) -> None:
    """Each user's points are the sum of their ledger without spends, up to the largest number."""
    async with behind(store) as ask:
        entries = await ask("SELECT user_id, amount FROM ledger WHERE reason <> 'spend'")
        points = dict(await ask("SELECT user_id, points FROM users"))
    sums = dict.fromkeys(points, 0)
    for user_id, amount in entries:
        sums[user_id] += amount
    assert {user_id: limited(earned)[0] for user_id, earned in sums.items()} == points


async def check_file(store: Store) -> None:
    """The file of a database is sound, where the database is a file of ours."""
    if isinstance(store, SQLiteStore):
        assert await sql(store, "PRAGMA integrity_check") == [("ok",)]


# ---- cases, dates, events ---------------------------------------------------------------------


def cases(name: str) -> list[dict[str, Any]]:
    """The conformance cases of this name."""
    path = Path(__file__).parents[1] / "conformance" / f"{name}.json"
    return json.loads(path.read_text("utf-8"))["cases"]


def at(text: str) -> datetime:
    """A time: '2026-01-05', '2026-01-05T09:30' (in UTC) or with an offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def day(text: str) -> int:
    """A day's ordinal: '2026-01-05'."""
    return date.fromisoformat(text).toordinal()


MONDAY = at("2026-01-05T12:00")


def dated(
    kind: str,
    on: int = 0,
    *,
    name: str = "",
    user: str = "ada",
    quantity: int = 1,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """An event as the engine takes it, `on` days after Monday at noon."""
    moment = MONDAY + timedelta(days=on)
    name = name or f"{kind}-{on}-{quantity}-{json.dumps(data, sort_keys=True)}"
    return Event(user, name, kind, moment, quantity, data, moment.toordinal())


def fold(catalog: Catalog, events: Iterable[Event], start: Progress | None = None) -> Progress:
    """One user's progress after these events, each id once."""
    progress, seen = start or Progress(zones=Zones()), dict[str, Event]()
    for event in events:
        if event.id not in seen:
            seen[event.id] = event
            assert event.day is not None
            stages = stages_of(catalog.chains, seen.values())
            progress = judge(catalog, progress, event, event.day, stages=stages).progress
    return progress


# ---- catalogs ---------------------------------------------------------------------------------


def toml(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def catalog_text(**tables: Any) -> str:
    """A catalog of two levels and a login streak, with these tables in addition or instead."""
    whole = {
        "profile": {"login_event": "login", "login_streak": "login"},
        "levels": [{"title": "One", "points": 0}, {"title": "Two", "points": 100}],
        **tables,
    }
    whole["streaks"] = {"login": {"events": ["login"]}, **tables.get("streaks", {})}
    return "\n".join(f"{key} = {toml(value)}" for key, value in whole.items())


def catalog(**tables: Any) -> Catalog:
    """The catalog that `catalog_text` writes."""
    return Catalog.parse(catalog_text(**tables))


def badge(name: str, points: int = 10, **when: Any) -> dict[str, Any]:
    """A badge's table."""
    return {
        "id": name,
        "name": name.title(),
        "description": f"The badge {name}",
        "icon": "🏅",
        "category": "usage",
        "points": points,
        "condition": f"What {name} asks",
        "when": when,
    }


def count(*events: str, **more: Any) -> dict[str, Any]:
    """A counting metric's table."""
    return {"kind": "count", "events": list(events), **more}
