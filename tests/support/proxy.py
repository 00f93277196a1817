"""A proxy in front of an application in this process: requests whose TCP connection seems to come from its address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from laurels.http.responses import Application, Receive, Scope, Send
from laurels.http.sources import PEER
from laurels.settings import ConsoleSettings, HeaderName, Network, ProxySettings, RoleLists, Settings, WebAddress
from tests.support.app import App, open_app
from tests.support.operator import SIGN_IN, Operator

ADDRESS = "10.0.0.5"
HEADER = "x-forwarded-user"
GROUPS = "x-forwarded-groups"
CONNECTION = "x-test-connection"
"""The header with which a test chooses the address at the other end of its connection. No application sees it."""

NAMES = RoleLists(
    viewer=("vera@example.com", "viewer@example.com"),
    support=("sam@example.com", "support@example.com"),
    editor=("editor@example.com",),
    owner=("anna@example.com", "anna", "owner@example.com"),
)
GROUPS_WITH_ROLES = RoleLists(
    viewer=("staff", "viewers"), support=("supports",), editor=("editors", "editors of days"), owner=("owners",)
)
PROXY = ProxySettings(
    header=HeaderName("X-Forwarded-User"),
    groups_header=HeaderName("X-Forwarded-Groups"),
    addresses=(Network(ADDRESS), Network("fd00::/64")),
    names=NAMES,
    groups=GROUPS_WITH_ROLES,
    sign_out=WebAddress("/oauth2/sign_out"),
)


def settings(sign_in: Literal["key", "proxy", "both"] = "proxy", proxy: ProxySettings = PROXY, **more: Any) -> Settings:
    """Settings with a proxy that signs operators in."""
    return Settings(console=ConsoleSettings(sign_in=sign_in, proxy=proxy), **more)


def connected(app: Application) -> Application:
    """The application behind connections whose other end a header of each request says, as our own server would see it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = [value.decode() for name, value in scope["headers"] if name == CONNECTION.encode()]
        headers = [(name, value) for name, value in scope["headers"] if name != CONNECTION.encode()]
        await app({**scope, "headers": headers, **({PEER: chosen[0]} if chosen else {})}, receive, send)

    return serve


def from_proxy(name: str, groups: str | None = None, address: str = ADDRESS) -> Mapping[str, str]:
    """The headers of a request that the proxy passes on for this person."""
    return {CONNECTION: address, HEADER: name, **({GROUPS: groups} if groups is not None else {})}


@asynccontextmanager
async def open_proxied(sign_in: Literal["key", "proxy", "both"] = "proxy", **more: Any) -> AsyncIterator[App]:
    """An application whose operators a proxy signs in."""
    async with open_app(settings=settings(sign_in, **more)) as home:
        yield home


@asynccontextmanager
async def operator_by_proxy(
    home: App, name: str, groups: str | None = None, *, signed_in: bool = True
) -> AsyncIterator[Operator]:
    """A browser at the console whose every request the proxy passes on under this name."""
    work = Operator(connected(home.app), home.laurels, "")
    work.client.headers.update(from_proxy(name, groups))
    async with work.client:
        if signed_in:
            answer = await work.fill(SIGN_IN)
            assert answer.status_code == 303, answer.text
        yield work
