"""The watch over pages and the checks of them, proven on pages with planted faults and on the API's reference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from laurels.http.responses import Receive, Response, Scope, Send
from tests.support.app import PROFILE, App
from tests.support.serving import Server
from tests.web.checks import check_accessible, check_fits, first_paint, tab_order
from tests.web.chromium import DARK, GERMAN, PHONE, SCREENS, STILL, Look
from tests.web.serving import Demo, listening
from tests.web.visitor import BROKEN, Site, Visitor, site

pytestmark = pytest.mark.anyio

SMALL = """<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width"><title>Planted</title>
<link rel="icon" href="data:,"><script src="/script.js" type="module"></script></head>
<body><main><h1>Planted</h1>{}</main></body></html>"""
POLICY = b"default-src 'none'; script-src 'self'; connect-src *; img-src * data:"


class Planted:
    """An application with one page under a strict policy, and its script."""

    def __init__(self) -> None:
        self.body = ""
        self.script = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for said in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{said}.complete"})
            return
        await self._answer(scope["path"])(scope, receive, send)

    def _answer(self, path: str) -> Response:
        if path == "/":
            headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY)]
            return Response(200, headers, SMALL.format(self.body).encode())
        if path == "/script.js":
            return Response(200, [(b"content-type", b"text/javascript")], self.script.encode())
        return Response(int(path.removeprefix("/status/")), [], b"")


class Ground:
    """A site of the test's own, for pages with faults."""

    def __init__(self, app: Planted, at: Site) -> None:
        self.app = app
        self.site = at

    async def plant(self, body: str, script: str = "") -> Visitor:
        """Somebody who looks at a page with this body and this script."""
        self.app.body, self.app.script = body, script + "\ndocument.documentElement.dataset.ran = 'yes';"
        visitor = await self.site.visit()
        await visitor.open("/")
        return visitor


@pytest.fixture
async def ground(browser: Browser, look: Look) -> AsyncIterator[Ground]:
    async def nobody(user_id: str) -> str:
        raise LookupError(user_id)

    app = Planted()
    async with listening(app) as address, site(browser, address, nobody, look) as at:
        yield Ground(app, at)


async def ran(page: Page) -> None:
    """Wait until the script of a planted page has run, and what it asked for has been answered."""
    await expect(page.locator("html[data-ran]")).to_be_attached()
    await page.wait_for_load_state("networkidle")


# ---- the watch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "script", "said"),
    [
        ("", "console.error('oh no')", "console error: oh no"),
        ("", "console.warn('take care')", "console warning: take care"),
        ("", "setTimeout(() => { throw new Error('thrown') })", "uncaught: Error: thrown"),
        ("", "Promise.reject(new Error('left alone'))", "uncaught: Error: left alone"),
        ("<script>document.title = 'inline'</script>", "", "Content Security Policy"),
        ("<p style='color: red'>Styled</p>", "", "Content Security Policy"),
        ("<img src='http://elsewhere.example/a.png' alt='A'>", "", "a request left the site: GET http://elsewhere.ex"),
        ("", "await fetch('http://127.0.0.1:9/').catch(() => 0)", "a request left the site: GET http://127.0.0.1:9/"),
        ("<img src='/status/404' alt='A'>", "", "status 404 of http://127.0.0.1"),
        ("", "await fetch('/status/500')", "status 500 of http://127.0.0.1"),
    ],
)
async def test_what_goes_wrong_on_a_page_fails_the_test(ground: Ground, body: str, script: str, said: str) -> None:
    visitor = await ground.plant(body, script)
    await ran(visitor.page)

    with pytest.raises(AssertionError, match="the browser found") as failed:
        visitor.check()

    assert said in str(failed.value)


async def test_a_sound_page_passes_with_all_it_may_do(ground: Ground) -> None:
    visitor = await ground.plant("<img src='data:,' alt=''>", "console.log('well'); await fetch('/status/200')")
    await ran(visitor.page)

    visitor.check()


async def test_an_expected_status_is_not_a_fault_but_another_one_is(ground: Ground) -> None:
    visitor = await ground.plant("")
    visitor.expects(401, "/status/401")
    await visitor.page.evaluate("fetch('/status/401')")
    visitor.check()

    visitor.expects(401, "/status/401")
    await visitor.page.evaluate("fetch('/status/403')")
    with pytest.raises(AssertionError) as failed:
        visitor.check()

    assert "status 403" in str(failed.value)
    assert "status 401 of /status/401 never came" in str(failed.value)


async def test_a_second_tab_is_watched_too(ground: Ground) -> None:
    visitor = await ground.plant("")
    tab = await visitor.open_tab("/")
    await tab.evaluate("console.error('in the second tab')")

    with pytest.raises(AssertionError, match="in the second tab"):
        visitor.check()


async def test_a_server_that_is_gone_is_announced_as_broken(served: Site, server: Server) -> None:
    visitor = await served.visit()
    await visitor.open("/docs")
    await visitor.page.wait_for_load_state("networkidle")  # the page reads the document after it was opened
    await server.stop()

    visitor.expects(BROKEN, "/livez")
    await visitor.page.evaluate("fetch('/livez').catch(() => 0)")


# ---- the checks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "script", "said"),
    [
        ("<input type='text'>", "", "critical, label"),
        ("<img src='data:,'>", "", "critical, image-alt"),
        ("<p><font color='#bbbbbb'>Pale</font></p>", "", "serious, color-contrast"),
        ("<h4>Far below</h4>", "", "moderate, heading-order"),
        (
            "<div></div>",
            "document.querySelector('div').attachShadow({mode: 'open'}).innerHTML = '<button></button>'",
            "critical, button-name",
        ),
    ],
)
async def test_axe_finds_a_planted_fault(ground: Ground, body: str, script: str, said: str) -> None:
    visitor = await ground.plant(body, script)
    await ran(visitor.page)

    with pytest.raises(AssertionError, match="axe-core finds") as failed:
        await check_accessible(visitor.page)

    assert said in str(failed.value)


async def test_axe_accepts_an_excused_moderate_fault_and_a_correct_page(ground: Ground) -> None:
    visitor = await ground.plant("<h4>Far below</h4>")
    await check_accessible(visitor.page, {"heading-order": "what is tested here"})

    visitor = await ground.plant("<h2>Below</h2><label>Name <input type='text'></label>")
    await check_accessible(visitor.page)


async def test_a_page_that_scrolls_sideways_is_found_with_what_sticks_out(ground: Ground) -> None:
    visitor = await ground.plant("<table width='1400' id='broad'><tr><td>Broad</table>")
    with pytest.raises(AssertionError, match=r"in a window of 1280; what sticks out: table#broad"):
        await check_fits(visitor.page)

    visitor = await ground.plant("<p>Narrow</p>")
    await check_fits(visitor.page)


async def test_the_tab_order_goes_through_shadow_roots_by_accessible_name(ground: Ground) -> None:
    inner = "<label>Inner <input></label><button aria-label='Close'>x</button>"
    visitor = await ground.plant(
        "<a href='#one'>First</a><div></div><button disabled>Never</button><button>Last</button>",
        f'document.querySelector("div").attachShadow({{mode: "open"}}).innerHTML = "{inner}"',
    )
    await ran(visitor.page)

    assert await tab_order(visitor.page) == ["link First", "textbox Inner", "button Close", "button Last"]
    assert await tab_order(visitor.page, "Shift+Tab") == ["button Last", "button Close", "textbox Inner", "link First"]


async def test_a_keyboard_trap_is_found(ground: Ground) -> None:
    more = "const more = document.createElement('button'); document.activeElement.after(more);"
    visitor = await ground.plant("<button>One</button>", f"addEventListener('keydown', () => {{ {more} }})")
    await ran(visitor.page)

    with pytest.raises(AssertionError, match="Tab never leaves"):
        await tab_order(visitor.page)


async def test_the_first_paint_tells_which_requests_came_before_it(ground: Ground) -> None:
    visitor = await ground.plant("", "setTimeout(() => fetch('/status/204'), 1000)")

    painted = await first_paint(visitor.page)

    assert painted.at > 0
    assert painted.requests == ["/script.js"]


# ---- how somebody looks, and at what ------------------------------------------------------------


async def asked(visitor: Visitor, path: str) -> Any:
    """What a script of the visitor's page is answered."""
    page = await visitor.open("/docs")
    return await page.evaluate("(path) => fetch(path).then((answer) => answer.json())", path)


@pytest.mark.parametrize("look", [*SCREENS, GERMAN, STILL], ids=str)
async def test_a_page_knows_how_it_is_looked_at(ground: Ground, look: Look) -> None:
    visitor = await ground.plant("")

    seen = await visitor.page.evaluate(
        """() => [innerWidth, innerHeight, matchMedia("(pointer: coarse)").matches,
            matchMedia("(prefers-color-scheme: dark)").matches, navigator.language,
            matchMedia("(prefers-reduced-motion: reduce)").matches]"""
    )

    dark, still = look.scheme == "dark", look.motion == "reduce"
    assert seen == [look.width, look.height, look.touch, dark, look.language, still]


async def test_one_visitor_is_signed_in_and_another_is_not(home: Site, context: App) -> None:
    await context.give_points("ada", messages=100)
    ada, stranger = await home.visit("ada"), await home.visit(look=DARK)

    stranger.expects(401, PROFILE)

    assert (await asked(ada, PROFILE))["points"] == 100
    assert (await asked(stranger, PROFILE))["status"] == 401


async def test_the_demo_can_be_visited_as_a_user_close_to_a_badge(community: Site, demo: Demo) -> None:
    visitor = await community.visit(demo.user_id)

    assert (await asked(visitor, PROFILE))["streak"] >= 1


async def test_two_processes_can_be_visited_on_each_engine(served: Site, server: Server) -> None:
    await server.send([{"userId": "ada", "id": "1", "type": "agent.created"}])
    visitor = await served.visit("ada")

    assert (await asked(visitor, PROFILE))["points"] == 50


# ---- the API's reference ------------------------------------------------------------------------


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_the_reference_works_without_the_internet(home: Site, look: Look) -> None:
    visitor = await home.visit()
    page = await visitor.open("/docs")

    await expect(page.get_by_text("/api/gamification/profile", exact=True).first).to_be_visible()
    if look is PHONE:
        await check_fits(page)
