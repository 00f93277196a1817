"""Sites to visit: a server of this process on a real port, an application of a test's own, and the demo in its own process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
from uvicorn import Server

from laurels.server.run import address_of, listen, server_config
from laurels.settings import Settings
from tests.cli.conftest import environment
from tests.support.app import SESSIONS, App, open_app

WAIT = 60


class _Server(Server):
    """A server that leaves signals to the tests."""

    def capture_signals(self) -> nullcontext[None]:
        return nullcontext()


@asynccontextmanager
async def listening(app: Any, settings: Settings | None = None) -> AsyncIterator[str]:
    """The address at which this application answers, from this process."""
    with listen("127.0.0.1", 0) as socket:
        server = _Server(server_config(app, settings or Settings()))
        running = asyncio.create_task(server.serve([socket]))
        try:
            yield address_of(socket)
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def app_on_port(**options: Any) -> AsyncIterator[App]:
    """A server on a real port, whose client sends its requests there."""
    async with (
        open_app(**options) as one,
        listening(one.app) as address,
        httpx2.AsyncClient(base_url=address, timeout=WAIT, trust_env=False) as client,
    ):
        yield replace(one, client=client)


# ---- the demo -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demo:
    """A running `laurels demo`: its address, an API key, and a member who is one message short of a badge."""

    address: str
    key: str
    user_id: str

    async def token(self, user_id: str) -> str:
        """The token of a new session."""
        by_key = {"authorization": f"Bearer {self.key}"}
        async with httpx2.AsyncClient(base_url=self.address, timeout=WAIT, trust_env=False) as client:
            answer = await client.post(SESSIONS, json={"userId": user_id}, headers=by_key)
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]


@contextmanager
def running_demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    """A sample community that is served from a process of its own, which ends with it."""
    log = folder / "demo.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "laurels", "demo", "--port", "0", "--json", *arguments],
            cwd=folder,
            env=environment(TMPDIR=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            said = _document(process, log)
            yield Demo(said["address"], said["key"], said["userId"])
        finally:
            process.terminate()


def _document(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    assert process.stdout
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], log.read_text()
    return json.loads("".join(lines))
