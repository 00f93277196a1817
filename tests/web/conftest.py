"""Tests in a real Chromium. A test in ten lines:

@pytest.mark.parametrize("look", SCREENS, ids=str)  # left out: LIGHT, on a desktop
async def test_a_profile_shows_its_level(home: Site, context: App) -> None:
    await context.give_points("ada", messages=100)
    visitor = await home.visit("ada")  # signed in as ada; visit() is signed out
    page = await visitor.open("/profile")
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await check_fits(page)
    await check_accessible(page)

| site        | is                                                        | behind it stands                               |
|-------------|-----------------------------------------------------------|------------------------------------------------|
| `home`      | a Laurels of this process, in memory, empty               | the `context`, with its clock, key and `laurels` |
| `community` | the demo; change only members of your own, it is shared   | `demo`, with its key and who is on the brink   |
| `served`    | `laurels serve`, two processes, once for each engine      | `server`, with `send`, `stop` and `kill`       |

`visit(user_id, look=...)` is another browser, `visitor.open_tab(path)` a second tab of the same one. All pages of all visitors
are watched (see Visitor), and the test fails for what is found. A status of 400 and above is announced before it comes:
`visitor.expects(401, "/api/gamification/profile")`. What every page must stand up to is in `checks.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support import ENGINES, LASTING_ENGINES
from tests.support.app import App
from tests.support.serving import Served, Server
from tests.web.chromium import LIGHT, MISSING, Look, chromium, find_chromium
from tests.web.serving import Demo, app_on_port, running_demo
from tests.web.visitor import SECONDS, Site, site

expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for all tests here, for the browser lives in it."""
    return "asyncio"


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """The one Chromium of this process."""
    program = find_chromium()
    if program is None:
        pytest.skip(MISSING)
    async with chromium(program) as one:
        yield one


@pytest.fixture
def look() -> Look:
    """How visitors look at the pages; a test that says `parametrize("look", ...)` has others."""
    return LIGHT


# ---- sites --------------------------------------------------------------------------------------


@pytest.fixture
async def context() -> AsyncIterator[App]:
    """The server behind `home`."""
    async with app_on_port() as one:
        yield one


@pytest.fixture
async def home(browser: Browser, look: Look, context: App) -> AsyncIterator[Site]:
    """A Laurels of this process in memory, empty, at noon of 5 January 2026."""
    async with site(browser, str(context.client.base_url), context.sign_in, look) as one:
        yield one


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo behind `community`."""
    with running_demo(tmp_path_factory.mktemp("demo"), "--users", "30", "--days", "40") as one:
        yield one


@pytest.fixture
async def community(browser: Browser, look: Look, demo: Demo) -> AsyncIterator[Site]:
    """The demo of this test process: 30 members who were there for 40 days."""
    async with site(browser, demo.address, demo.token, look) as one:
        yield one


@pytest.fixture(params=LASTING_ENGINES)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    """The server behind `served`: two processes over one database, once for each engine that lasts."""
    with ENGINES[request.param](tmp_path) as database:
        over = Served(database, tmp_path)
        await over.prepare()
        async with over.server(workers=2) as one:
            yield one


@pytest.fixture
async def served(browser: Browser, look: Look, server: Server) -> AsyncIterator[Site]:
    """A real `laurels serve` with two processes."""

    async def token(user_id: str) -> str:
        return (await server.sign_in(user_id))["cookie"].partition("=")[2]

    async with site(browser, str(server.client.base_url), token, look) as one:
        yield one
