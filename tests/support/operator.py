"""An operator at the console: a browser without JavaScript that keeps cookies, reads forms and sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote

import httpx2

from laurels.auth.keys import Rights, create_key
from laurels.auth.roles import OWNER, read_role
from laurels.http.responses import Application
from laurels.service.laurels import Laurels
from tests.support.app import App

SIGN_IN = "/console/sign-in"
ORIGIN = "http://laurels.test"


@dataclass
class Form:
    """A form of a page: where it goes, what stands in its fields, and where else its buttons send it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def to(self, ending: str) -> Form:
        """The same form, sent by the button that sends it to another address."""
        return Form(next(one for one in self.others if one.endswith(ending)), self.method, self.fields)


class Page(HTMLParser):
    """What a page holds: its forms, its links, its text; and every tag, to find what must not stand there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._href: str | None = None
        self._select = self._area = ""
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "form":
            self.forms.append(Form(found["action"] or "", found.get("method") or "get"))
        elif tag == "input" and found.get("type") in ("radio", "checkbox") and "checked" not in found:
            pass
        elif tag == "input" and found.get("name"):
            self.forms[-1].fields[str(found["name"])] = found.get("value") or ""
        elif tag == "select":
            self._select = str(found["name"])
        elif tag == "option" and ("selected" in found or self._select not in self.forms[-1].fields):
            self.forms[-1].fields[self._select] = found.get("value") or ""
        elif tag == "button" and found.get("formaction"):
            self.forms[-1].others.append(str(found["formaction"]))
        elif tag == "textarea":
            self._area = str(found["name"])
            self.forms[-1].fields[self._area] = ""
        elif tag == "a":
            self._href = found.get("href")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].fields[self._area] += data
        self.words.append(data)
        if self._href and data.strip():
            self.links.setdefault(data.strip(), self._href)

    def form(self, ending: str = "") -> Form:
        """The form that goes to an address that ends so."""
        return next(form for form in self.forms if form.action.endswith(ending) and "sign-out" not in form.action)


class Operator:
    """A browser at the console of one application."""

    def __init__(self, app: Application, laurels: Laurels, key: str, base_url: str = ORIGIN) -> None:
        self.laurels = laurels
        self.key = key
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base_url)

    async def sign_in(self, key: str | None = None, path: str = SIGN_IN) -> httpx2.Response:
        """Fill in the form of the sign-in page."""
        return await self.fill(path, key=key or self.key)

    async def page(self, path: str) -> Page:
        """A page that must be there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    async def fill(self, path: str, ending: str = "", **fields: str) -> httpx2.Response:
        """Open a page, fill in its form, send it, and take what comes without going on."""
        return await self.send((await self.page(path)).form(ending), **fields)

    async def send(self, form: Form, headers: dict[str, str] | None = None, **fields: str) -> httpx2.Response:
        """Send a form as a browser of our own page would."""
        assert form.method == "post"
        sent = {"origin": str(self.client.base_url).rstrip("/"), **(headers or {})}
        return await self.client.post(form.action, data={**form.fields, **fields}, headers=sent)

    async def do(self, path: str, ending: str = "", **fields: str) -> Page:
        """Fill in and send a form, confirm where that is asked, and read the page that it leads to."""
        answer = await self.fill(path, ending, **fields)
        if answer.status_code == 200:
            answer = await self.send(Page(answer.text).form())
        assert answer.status_code == 303, answer.text
        return await self.page(answer.headers["location"])


@asynccontextmanager
async def operator_over(
    home: App, name: str = "anna", *, signed_in: bool = True, role: str = OWNER, rights: Rights | None = None
) -> AsyncIterator[Operator]:
    """A desk with an admin key of this name and role."""
    rights = rights or Rights(role=read_role(role))
    key = await create_key(home.laurels.store, name, home.clock(), "admin", rights=rights)
    work = Operator(home.app, home.laurels, key)
    async with work.client:
        if signed_in:
            assert (await work.sign_in()).status_code == 303
        yield work


def at(user_id: str, rest: str = "") -> str:
    """The address of a user's page."""
    return f"/console/users/{quote(user_id, safe='')}{rest}"
