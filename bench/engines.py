"""The engines of storage that are measured: where each stores a community, and how it makes a copy to write into."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Protocol

import asyncpg
from rich.progress import Progress

from bench import postgres
from bench.community import Community, community
from bench.figures import Figure
from bench.stream import user_ids
from laurels.storage import open_store
from laurels.storage.contract import Batch, Rows


class Engine(Protocol):
    """One engine of storage."""

    name: str

    def database(self, one: Community) -> str:
        """The address of this community, for reading; built now if it is not in the cache."""
        ...

    def copy(self, one: Community, name: str) -> AbstractContextManager[str]:
        """The address of a copy to write into, deleted when the block ends."""
        ...

    def empty(self) -> AbstractContextManager[str]:
        """The address of an empty database, deleted when the block ends."""
        ...


class Site:
    """A community of one size on one engine, with copies to write into, deleted with the site."""

    def __init__(self, engine: Engine, users: int) -> None:
        self.engine = engine
        self.users = users
        self.community = community(users)
        self.address = engine.database(self.community)
        self._stack, self._of_copies = ExitStack(), ExitStack()
        self._copies: dict[str, str] = {}
        self.folder = self._stack.enter_context(_folder("site-", self.community.database.parent))

    def close(self) -> None:
        """Delete its copies and its folder."""
        self.drop_copies()
        self._stack.close()

    def drop_copies(self) -> None:
        """Delete its copies; the next request for one makes a new one."""
        self._copies.clear()
        self._of_copies.close()

    @cached_property
    def user_ids(self) -> list[str]:
        """All user ids."""
        return user_ids(self.community.database)

    @property
    def is_postgresql(self) -> bool:
        """Whether it is on PostgreSQL."""
        return isinstance(self.engine, PostgreSQL)

    def figure(
        self, name: str, unit: str, against: str = "", aim: float | None = None, *, most: bool = False
    ) -> Figure:
        """A figure of this site, without runs."""
        return Figure(name, unit, against, aim, engine=self.engine.name, users=self.users, most=most)

    def copy(self, name: str) -> str:
        """The address of the copy with this name, made at the first call."""
        if name not in self._copies:
            self._copies[name] = self._of_copies.enter_context(self.engine.copy(self.community, name))
        return self._copies[name]


@contextmanager
def _folder(prefix: str, parent: Path) -> Iterator[Path]:
    """A folder, deleted when the block ends; those of interrupted runs with the same prefix are deleted first."""
    for old in parent.glob(f"{prefix}*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        yield Path(folder)


# ---- SQLite -----------------------------------------------------------------------------------


class SQLite:
    """One file per community."""

    name = "SQLite"

    def database(self, one: Community) -> str:
        return f"sqlite:///{one.database}"

    @contextmanager
    def copy(self, one: Community, name: str) -> Iterator[str]:
        with _folder(f"copy-{name}-", one.database.parent) as folder:
            yield f"sqlite:///{one.copy_to(folder)}"

    @contextmanager
    def empty(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'empty.db'}"


# ---- PostgreSQL -------------------------------------------------------------------------------


class PostgreSQL:
    """One database per community, on one server."""

    name = "PostgreSQL"

    def database(self, one: Community) -> str:
        asyncio.run(_ensure(one, _name(one)))
        return postgres.database(_name(one))

    @contextmanager
    def copy(self, one: Community, name: str) -> Iterator[str]:
        """A copy of the files: for a large community this is cheaper than writing every page again."""
        self.database(one)
        making = (f"CREATE DATABASE copy_{name} TEMPLATE {_name(one)} STRATEGY FILE_COPY",)
        with _throwaway(f"copy_{name}", making) as address:
            yield address

    @contextmanager
    def empty(self) -> Iterator[str]:
        with _throwaway("empty", ("CREATE DATABASE empty TEMPLATE template0",)) as address:
            yield address


@contextmanager
def _throwaway(name: str, making: Sequence[str]) -> Iterator[str]:
    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    asyncio.run(postgres.run(postgres.server(), drop, *making, "CHECKPOINT"))
    try:
        yield postgres.database(name)
    finally:
        asyncio.run(postgres.run(postgres.server(), drop))


def _name(one: Community) -> str:
    """The name of its database: it changes with the community's file and this engine's schema."""
    schema = resources.files("laurels.storage.postgres").joinpath("migrations")
    parts = [entry.read_bytes() for entry in sorted(schema.iterdir(), key=lambda entry: entry.name)]
    return f"community_{one.users}_{hashlib.sha256(b''.join([one.database.name.encode(), *parts])).hexdigest()[:12]}"


async def _ensure(one: Community, name: str) -> None:
    """Fill the database of this name from the community's file, unless it exists; delete older ones of this size."""
    connection = await asyncpg.connect(postgres.server())
    try:
        beginning = f"community_{one.users}_"
        found = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", beginning)
        names = {row[0] for row in found}
        if name in names:
            return
        for old in names:
            await connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
        unfinished = f"{name}_unfinished"
        await connection.execute(f"CREATE DATABASE {unfinished} TEMPLATE template0")
        await _fill(one, postgres.database(unfinished))
        await connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    finally:
        await connection.close()


async def _fill(one: Community, address: str) -> None:
    """Copy the community as `laurels copy` does, without reading back; then vacuum it, as in a database that ran for long."""
    source, target = open_store(f"sqlite:///{one.database}"), open_store(address)
    await target.migrate()
    async with source.rows() as found:
        await target.fill(_shown(found))
    await source.close()
    await target.close()
    connection = await asyncpg.connect(address)
    await _add_people(one, connection)
    await connection.execute("VACUUM (FREEZE, ANALYZE)", timeout=3600)
    await connection.close()


async def _shown(rows: Rows) -> AsyncIterator[Batch]:
    """The batches, with a progress bar."""
    with Progress() as progress:
        task = progress.add_task("community to PostgreSQL", total=sum(rows.counts.values()))
        async for table, lines in rows.batches():
            yield table, lines
            progress.advance(task, len(lines))


async def _add_people(one: Community, connection: asyncpg.Connection) -> None:
    """The users who have tokens, numbered from 1: pgbench draws numbers only."""
    hashes = [hashlib.sha256(token.encode()).digest() for token in one.tokens()]
    await connection.execute("CREATE SCHEMA bench")
    await connection.execute(
        'CREATE TABLE bench.people (n BIGINT NOT NULL PRIMARY KEY, user_id TEXT COLLATE "C" NOT NULL, token_hash BYTEA NOT NULL)'
    )
    add = """
    INSERT INTO bench.people SELECT row_number() OVER (), user_id, token_hash FROM laurels.sessions WHERE token_hash = ANY($1)
    """
    added = await connection.execute(add, hashes, timeout=600)
    assert added == f"INSERT 0 {len(hashes)}", added
