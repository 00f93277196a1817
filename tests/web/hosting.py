"""A page of another app that uses the elements, on Laurels' own origin or on another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page, Route

from tests.web.chromium import Look
from tests.web.visitor import Site, Visitor

STREAM = "/api/gamification/stream"
PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>An app</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><style>{style}</style><script type="module" src="{laurels}/static/laurels.js"></script></head>
<body><main><h1>An app</h1>{body}</main></body></html>"""
POLICY = (
    "default-src 'none'; script-src {0}; connect-src {0}; img-src data:; style-src 'unsafe-inline'; "
    "require-trusted-types-for 'script'"
)


@dataclass(frozen=True, slots=True)
class Host:
    """An app at the address of `site`, which uses the Laurels at `laurels`."""

    site: Site
    laurels: str

    async def visit(self, user_id: str | None = "ada", look: Look | None = None) -> Visitor:
        """Somebody who is about to open a page of the app."""
        return await self.site.visit(user_id, look, (self.laurels,))

    async def show(self, visitor: Visitor, body: str, lang: str = "en", style: str = "") -> Page:
        """A page of the app with these elements, under as strict a policy as the documents promise to bear."""

        async def answer(route: Route) -> None:
            document = PAGE.format(lang=lang, style=style, laurels=self.laurels, body=body)
            headers = {"content-security-policy": POLICY.format(self.laurels)}
            await route.fulfill(body=document, content_type="text/html", headers=headers)

        await visitor.context.route("**/app", answer)
        return await visitor.open("/app")


async def refused(visitor: Visitor, path: str, status: int, times: int = 1, body: Any = None) -> None:
    """Answer this number of requests of this path with this status."""
    visitor.expects(status, path)

    async def answer(route: Route) -> None:
        headers = {"access-control-allow-origin": visitor.address, "access-control-allow-credentials": "true"}
        await route.fulfill(status=status, json=body or {"title": "Out of order"}, headers=headers)

    await visitor.context.route(lambda url: path in url, answer, times=times)
