"""The engines of storage that are measured: where each keeps a community, and how a copy to write into is had."""

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
        """The address of this community, for reading; made now if the cache lacks it."""
        ...

    def copy(self, one: Community, name: str) -> AbstractContextManager[str]:
        """The address of a copy to write into, that goes when the block ends."""
        ...

    def empty(self) -> AbstractContextManager[str]:
        """The address of a database without anything in it, that goes when the block ends."""
        ...


class Site:
    """A community of one size on one engine, with copies to write into that live as long as the site."""

    def __init__(self, engine: Engine, users: int) -> None:
        self.engine = engine
        self.users = users
        self.community = community(users)
        self.address = engine.database(self.community)
        self._stack, self._of_copies = ExitStack(), ExitStack()
        self._copies: dict[str, str] = {}
        self.folder = self._stack.enter_context(_folder("site-", self.community.database.parent))

    def close(self) -> None:
        """Let its copies go, and its folder."""
        self.drop_copies()
        self._stack.close()

    def drop_copies(self) -> None:
        """Let its copies go; whoever asks for one gets a new one."""
        self._copies.clear()
        self._of_copies.close()

    @cached_property
    def user_ids(self) -> list[str]:
        """Everybody in it."""
        return user_ids(self.community.database)

    @property
    def is_postgresql(self) -> bool:
        """Whether it is on PostgreSQL."""
        return isinstance(self.engine, PostgreSQL)

    def figure(
        self, name: str, unit: str, against: str = "", aim: float | None = None, *, most: bool = False
    ) -> Figure:
        """A figure of this site, without any run yet."""
        return Figure(name, unit, against, aim, engine=self.engine.name, users=self.users, most=most)

    def copy(self, name: str) -> str:
        """The copy of this name, made when it is first asked for."""
        if name not in self._copies:
            self._copies[name] = self._of_copies.enter_context(self.engine.copy(self.community, name))
        return self._copies[name]


@contextmanager
def _folder(beginning: str, parent: Path) -> Iterator[Path]:
    """A folder that goes when the block ends, and with it those that broken runs left under the same beginning."""
    for old in parent.glob(f"{beginning}*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=beginning) as folder:
        yield Path(folder)


# ---- SQLite -----------------------------------------------------------------------------------


class SQLite:
    """A file each."""

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
    """A database each, on one server."""

    name = "PostgreSQL"

    def database(self, one: Community) -> str:
        asyncio.run(_ensure(one, _name(one)))
        return postgres.database(_name(one))

    @contextmanager
    def copy(self, one: Community, name: str) -> Iterator[str]:
        """A copy of the files: of a large community it costs the server less than writing every page anew."""
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
    """What its database is called: it changes with the community's own file and with this engine's schema."""
    schema = resources.files("laurels.storage.postgres").joinpath("migrations")
    parts = [entry.read_bytes() for entry in sorted(schema.iterdir(), key=lambda entry: entry.name)]
    return f"community_{one.users}_{hashlib.sha256(b''.join([one.database.name.encode(), *parts])).hexdigest()[:12]}"


async def _ensure(one: Community, name: str) -> None:
    """Fill the database of this name from the community's file, unless it is there; older ones of this size go."""
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
    """Move the community in, as `laurels copy` does it, without reading back; then leave it as an old database is."""
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
    """The batches, with a bar that shows how far it is."""
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
