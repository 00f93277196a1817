"""Files that pages load: cached forever under an address that changes with them, and open to other sites."""

from __future__ import annotations

from pathlib import Path

import pytest

import laurels
from laurels.site.static import OWNERS, address, files
from tests.support.app import App

PACKAGE = Path(laurels.__file__).parent

pytestmark = pytest.mark.anyio


async def test_a_file_under_its_versioned_address_is_cached_forever(home: App) -> None:
    answer = await home.client.get(address("laurels.js"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == files()["laurels.js"].body


async def test_the_bare_address_of_the_script_is_cached_briefly_and_revalidated(
    home: App,
) -> None:
    answer = await home.client.get("/static/laurels.js", headers={"origin": "https://app.example"})
    again = await home.client.get("/static/laurels.js", headers={"if-none-match": answer.headers["etag"]})

    assert answer.headers["cache-control"] == "public, max-age=600"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (again.status_code, again.content) == (304, b"")


async def test_no_other_file_is_served(home: App) -> None:
    for name in ("nothing.js", "..%2F..%2Fapp.py", "%2Fetc%2Fpasswd", "__init__.py"):
        assert (await home.client.get(f"/static/{name}")).status_code == 404, name


def test_no_two_packages_have_a_file_of_the_same_name() -> None:
    names = [entry.name for owner in OWNERS for entry in (PACKAGE / owner / "static").iterdir()]

    assert sorted(names) == sorted(files())
