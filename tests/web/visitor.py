"""Somebody with a browser on one site. Whatever goes wrong on any of their pages is found, whether or not a test looks for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, WebError

from laurels.auth.sessions import COOKIE
from tests.web.chromium import LIGHT, Look

SECONDS = 20
"""How long the browser may take for one thing on a busy machine before that counts as missing."""

NOT_LOADED = re.compile(
    r"^Failed to load resource: (?:the server responded with a status of (\d+)|net::ERR_(?!ABORTED))"
)
BROKEN = 0
"""Stands for the status of a request that got no answer at all."""

LOCAL = ("data", "blob", "about")


class Visitor:
    """A browser context of its own on one site, with one page to begin with.

    Every page in it is watched for: an error or a warning in the console (a breach of the Content-Security-Policy is one), an
    uncaught error, a request to another origin, and any answer of 400 and above that was not announced with `expects`.
    """

    def __init__(self, context: BrowserContext, page: Page, address: str, others: tuple[str, ...]) -> None:
        self.context = context
        self.page = page
        self.address = address
        self._origins = {origin(one) for one in (address, *others)}
        self._found: dict[str, None] = {}  # in order, each once
        self._announced: dict[tuple[int, str], bool] = {}
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        context.on("request", self._see_request)
        context.on("response", self._see_response)

    async def sign_in(self, token: str) -> None:
        """Carry the cookie of this session from now on."""
        await self.context.add_cookies([{"name": COOKIE, "value": token, "url": self.address, "httpOnly": True}])

    async def open(self, path: str, page: Page | None = None) -> Page:
        """The page at this path, loaded; in the first tab unless another one is given."""
        page = page or self.page
        await page.goto(self.address + path)
        return page

    async def open_tab(self, path: str) -> Page:
        """The page at this path in one more tab."""
        return await self.open(path, await self.context.new_page())

    def expects(self, status: int, path: str) -> None:
        """Announce that `path` answers with this status, BROKEN for not at all; it is then wrong if it never does."""
        self._announced[status, path] = False

    def check(self) -> None:
        """Raise AssertionError with all that went wrong since the last look."""
        found = [*self._found, *(f"{_told(*one)} never came" for one, came in self._announced.items() if not came)]
        self._found.clear()
        self._announced.clear()
        assert not found, "the browser found:\n" + "\n".join(f"- {one}" for one in found)

    # ---- what is watched ------------------------------------------------------------------------

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning", "assert"):
            return
        at = message.location["url"]
        if not_loaded := NOT_LOADED.match(message.text):
            self._answered(int(not_loaded[1] or BROKEN), at)
        else:
            self._found[f"console {message.type}: {message.text} ({at}, line {message.location['lineNumber']})"] = None

    def _catch(self, error: WebError) -> None:
        self._found[f"uncaught: {error.error.stack or error.error}"] = None

    def _see_request(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in LOCAL and origin(request.url) not in self._origins:
            self._found[f"a request left the site: {request.method} {request.url}"] = None

    def _see_response(self, response: Response) -> None:
        if response.status >= 400:
            self._answered(response.status, response.url)

    def _answered(self, status: int, url: str) -> None:
        """The console and the network each tell of a failure; it is one."""
        announced = (status, urlsplit(url).path)
        if announced in self._announced:
            self._announced[announced] = True
        else:
            self._found[f"{_told(status, url)}, which was not announced"] = None


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def _told(status: int, url: str) -> str:
    return f"status {status} of {url}" if status else f"a failure to reach {url}"


@dataclass
class Site:
    """A running Laurels that can be visited. `token` makes a session for a user who is known to it."""

    address: str
    token: Callable[[str], Awaitable[str]]
    look: Look
    browser: Browser
    visits: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def visit(
        self, user_id: str | None = None, look: Look | None = None, others: tuple[str, ...] = ()
    ) -> Visitor:
        """A new visitor, signed in if a user is named; `others` are addresses of further sites that the pages may ask."""
        visitor = await self.visits.enter_async_context(visiting(self.browser, self.address, look or self.look, others))
        if user_id:
            await visitor.sign_in(await self.token(user_id))
        return visitor


@asynccontextmanager
async def visiting(
    browser: Browser, address: str, look: Look = LIGHT, others: tuple[str, ...] = ()
) -> AsyncIterator[Visitor]:
    """A visitor, who in the end tells of all that went wrong."""
    context = await look.context(browser)
    context.set_default_timeout(SECONDS * 1000)
    try:
        visitor = Visitor(context, await context.new_page(), address, others)
        yield visitor
    finally:
        await context.close()
    visitor.check()


@asynccontextmanager
async def site(
    browser: Browser, address: str, token: Callable[[str], Awaitable[str]], look: Look = LIGHT
) -> AsyncIterator[Site]:
    """A site whose visitors leave before it closes."""
    one = Site(address, token, look, browser)
    async with one.visits:
        yield one
