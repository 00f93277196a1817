"""The console over several processes: each accepts a valid session and refuses one that ended."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from laurels.auth.keys import create_key
from laurels.service.clock import utc_now
from laurels.storage import open_store
from tests.support import LASTING_ENGINES
from tests.support.operator import SIGN_IN, Page
from tests.support.serving import Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", LASTING_ENGINES)]

USERS = "/console/users"


async def sign_in(server: Server, key: str) -> dict[str, str]:
    """The cookie header of a new session."""
    form = Page((await server.client.get(SIGN_IN)).text).form()
    answer = await server.client.post(form.action, data={**form.fields, "key": key})
    assert answer.status_code == 303, answer.text
    server.client.cookies.clear()
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def statuses(servers: list[Server], session: dict[str, str]) -> list[int]:
    return [(await server.client.get(USERS, headers=session)).status_code for server in servers]


async def test_a_session_starts_and_ends_in_every_process_at_once(database: str, tmp_path: Path) -> None:
    served = Served(database, tmp_path)
    await served.prepare()
    store = open_store(database)
    key = await create_key(store, "anna", utc_now(), "admin")
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(served.server()) for _ in range(2)]
        first, other = await sign_in(servers[0], key), await sign_in(servers[1], key)
        assert await statuses(servers, first) == await statuses(servers, other) == [200, 200]

        page: httpx2.Response = await servers[0].client.get(USERS, headers=first)
        out = Page(page.text).forms[0]
        answer = await servers[1].client.post(out.action, data=out.fields, headers=first)
        assert answer.status_code == 303
        assert await statuses(servers, first) == [303, 303]
        assert await statuses(servers, other) == [200, 200]

        await store.revoke_key("anna", utc_now())
        assert await statuses(servers, other) == [303, 303]
    await store.close()


async def test_a_form_shown_by_one_process_counts_once_in_another(database: str, tmp_path: Path) -> None:
    served = Served(database, tmp_path)
    await served.prepare()
    store = open_store(database)
    key = await create_key(store, "anna", utc_now(), "admin")
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(served.server()) for _ in range(2)]
        await servers[0].send([{"userId": "ada", "id": "e", "type": "message.sent"}])
        session = await sign_in(servers[0], key)
        page = await servers[0].client.get(USERS + "/ada/adjustments/points", headers=session)
        form = Page(page.text).form()
        for server in (*servers, *servers):
            sent = {**form.fields, "amount": "50", "reason": "a birthday"}
            answer = await server.client.post(form.action, data=sent, headers=session)
            assert answer.status_code == 303, answer.text
    user = await store.user("ada")
    assert user
    assert user.progress.points == 50
    await store.close()
