"""Headers that harden responses, on every address: API, pages, console, documentation, files, and errors."""

from __future__ import annotations

import re
from collections import Counter

import httpx2
import pytest

from laurels.http.endpoints import API, DOCS
from laurels.server.app import ENDPOINTS
from tests.support.app import App

pytestmark = pytest.mark.anyio

PATHS = sorted({re.sub(r"\{\w+\}", "x", one.path) for one in (*API, *DOCS, *ENDPOINTS)} - {"/api/gamification/stream"})
ONLY_PAGES = (
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
)


def check(answer: httpx2.Response, *, over_https: bool) -> None:
    times = Counter(name.lower() for name, _ in answer.headers.multi_items())
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("strict-transport-security" in answer.headers) == over_https
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    for name in ONLY_PAGES:
        assert (name in answer.headers) == is_page, name
    assert ("content-security-policy" in answer.headers) == (
        is_page and answer.content != b""
    )  # a redirection is empty
    assert not [name for name, count in times.items() if count > 1 and name != "set-cookie"]


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/console/nowhere", "/api/gamification/nowhere"])
async def test_every_response_is_hardened(home: App, path: str) -> None:
    for headers in ({}, {"accept": "text/html"}, home.by_key):
        check(await home.client.get(path, headers=headers), over_https=False)
    check(await home.client.request("PATCH", path), over_https=False)


@pytest.mark.parametrize("path", ["/livez", "/profile", "/console", "/api/gamification/profile", "/nowhere"])
async def test_over_https_browsers_keep_to_https(home: App, path: str) -> None:
    check(await home.client.get(f"https://laurels.example{path}"), over_https=True)


async def test_a_stream_is_hardened_too(home: App) -> None:
    token = await home.sign_in("ada")
    headers = {"cookie": f"laurels-session={token}", "sec-purpose": "prefetch"}  # answered at once, without events
    answer = await home.client.get("/api/gamification/stream", headers=headers)
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
