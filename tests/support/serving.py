"""A real server in a process of its own, on a free port of this machine alone, and a look into its database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx2

from laurels.auth.keys import create_key
from laurels.configuration import unknown_variables
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.storage import open_store
from laurels.storage.contract import SCHEMA
from tests.support import check_file, check_ledgers, check_tallies, sql
from tests.support.app import EVENTS, SESSIONS

SECONDS = 60
"""How long anything may take on a busy machine before it counts as a hang."""


class Served:
    """One database, and the servers that come and go over it."""

    def __init__(self, database: str, folder: Path, schema: str = SCHEMA) -> None:
        self.database = database
        self.schema = schema
        self.folder = folder
        self.log = folder / "server.log"
        self.key = ""

    async def prepare(self) -> None:
        """Make the database and a key."""
        async with Laurels.open(self.database, schema=self.schema) as laurels:
            self.key = await create_key(laurels.store, "tests", utc_now())

    @asynccontextmanager
    async def server(self, *options: str, **settings: object) -> AsyncIterator[Server]:
        """A running server with these options and settings; whatever happens, it is gone in the end."""
        settings = {"schema": self.schema, **settings}
        named = {f"LAURELS_{name.upper()}": str(value) for name, value in settings.items()}
        assert not unknown_variables(Settings, named)
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "laurels", "serve", "--database", self.database, "--port", "0", *options),
                env={name: value for name, value in os.environ.items() if not name.startswith("LAURELS_")} | named,
                cwd=self.folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # so that it can be ended with the processes that it starts
            )
        try:
            assert process.stdout
            line = (await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode()
            assert "http://127.0.0.1:" in line, self.log.read_text()
            async with Server(process, line.split()[-1], self.key) as server:
                yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def check_books(self) -> None:
        """Everybody's points are the sum of their ledger, and no badge was paid twice."""
        store = open_store(self.database, schema=self.schema)
        await check_ledgers(store)
        await check_tallies(store)
        await check_file(store)
        paid = "SELECT user_id, ref FROM ledger WHERE reason = 'badge' GROUP BY user_id, ref HAVING count(*) > 1"
        assert await sql(store, paid) == []
        await store.close()


class Server:
    """One running server, and a client with many connections to it."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, key: str) -> None:
        self.process = process
        self.client = httpx2.AsyncClient(
            base_url=address, timeout=SECONDS, limits=httpx2.Limits(max_connections=64), trust_env=False
        )
        self.by_key = {"authorization": f"Bearer {key}"}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def send(self, content: Any) -> httpx2.Response:
        """Events, with the key."""
        return await self.client.post(EVENTS, json=content, headers=self.by_key)

    async def sign_in(self, user_id: str, **more: Any) -> dict[str, str]:
        """The cookie header of a new session."""
        answer = await self.client.post(SESSIONS, json={"userId": user_id, **more}, headers=self.by_key)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        return {"cookie": f"laurels-session={answer.json()['token']}"}

    async def stop(self) -> int:
        """Ask it to stop, and wait for its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), SECONDS)

    async def kill(self) -> None:
        """End it in the middle of whatever it does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
