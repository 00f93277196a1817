"""No sign-in is refused because of the name or the time zone that a browser reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support import at
from tests.support.app import SESSIONS, USERS, App, event, open_app

pytestmark = pytest.mark.anyio


async def sign_in(home: App, **body: Any) -> list[str]:
    """Sign in; the fields that were ignored."""
    answer = await home.client.post(SESSIONS, json={"userId": "ada", **body}, headers=home.by_key)
    home.client.cookies.clear()
    assert answer.status_code == 201, answer.text
    assert answer.json()["token"]
    ignored = answer.json().get("ignored", [])
    assert all(one["why"] for one in ignored)
    return [one["field"] for one in ignored]


async def stored(home: App) -> dict[str, Any]:
    return (await home.client.get(f"{USERS}/ada", headers=home.by_key)).json()


@pytest.mark.parametrize(
    ("report", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("EUROPE/BERLIN", "Europe/Berlin"),
        (" Europe/Berlin\n", "Europe/Berlin"),
        ("america/argentina/buenos aires", "America/Argentina/Buenos_Aires"),
        ("america/port-au-prince", "America/Port-au-Prince"),
        ("asia/calcutta", "Asia/Calcutta"),
        ("Atlantic/Reykjavik", "Atlantic/Reykjavik"),
        ("est5edt", "EST5EDT"),
    ],
)
async def test_a_zone_is_read_in_any_letter_case(home: App, report: str, name: str) -> None:
    assert await sign_in(home, timeZone=report) == []
    assert (await stored(home))["timeZone"] == name


@pytest.mark.parametrize(
    "report",
    [
        *["", " ", None, "null", "undefined", "None", "Etc/Unknown", "Mars/Olympus", "local", "Berlin", "CEST"],
        *[
            "+05:30",
            "-08:00",
            "+0530",
            "Z",
            "GMT+05:30",
            "UTC+2",
            "UTC+05:30",
            "(UTC+01:00) Berlin",
            "W. Europe Standard Time",
        ],
        *["x" * 65, "x" * 5000, "../zones", "Europe/Berlin\x00", "Zürich"],
        *[0, 330, -5.5, True, {}, {"name": "Europe/Berlin"}, [], ["Europe/Berlin"]],
    ],
    ids=repr,
)
async def test_a_zone_that_cannot_be_read_is_left_out_and_named(home: App, report: Any) -> None:
    assert await sign_in(home, timeZone=report, name="Ada") == ["timeZone"]
    assert ((await stored(home))["name"], (await stored(home))["timeZone"]) == ("Ada", "UTC")


@pytest.mark.parametrize("name", [None, "", " ", "\u200b", "x" * 101, "\x00", 7, True, {}, ["Ada"]], ids=repr)
async def test_a_name_that_cannot_be_used_is_left_out_and_named(home: App, name: Any) -> None:
    await sign_in(home, name="Ada")

    assert await sign_in(home, name=name, timeZone="Asia/Tokyo") == ["name"]
    assert ((await stored(home))["name"], (await stored(home))["timeZone"]) == ("Ada", "Asia/Tokyo")


async def test_a_zone_that_changes_too_soon_is_named(home: App) -> None:
    assert await sign_in(home, timeZone="Asia/Tokyo") == []
    assert await sign_in(home, timeZone="Europe/Berlin") == []
    assert await sign_in(home, timeZone="Pacific/Auckland") == ["timeZone"]
    assert await sign_in(home, timeZone=None, name="") == ["name", "timeZone"]


async def test_what_the_app_says_itself_is_still_refused(home: App) -> None:
    for wrong in ({"timeZone": "europe/berlin"}, {"timeZone": "+05:30"}, {"timeZone": None}, {"name": ""}):
        assert (await home.client.put(f"{USERS}/ada", json=wrong, headers=home.by_key)).status_code == 422


# ---- browsers that hide the zone --------------------------------------------------------------

HIDDEN = [
    *["UTC", "utc", "GMT", "GMT0", "GMT+0", "GMT-0", "UCT", "Universal", "Zulu", "Greenwich", "Factory"],
    *["Etc/UTC", "Etc/GMT", "Etc/UCT", "Etc/Zulu", "Etc/GMT-9", "Etc/GMT+8", "etc/utc"],
]


@pytest.mark.parametrize("report", HIDDEN)
async def test_a_browser_that_hides_the_zone_leaves_it_unknown(home: App, report: str) -> None:
    assert await sign_in(home, timeZone=report) == ["timeZone"]
    assert await sign_in(home, timeZone="Asia/Tokyo") == []
    assert await sign_in(home, timeZone=report) == ["timeZone"]

    assert (await stored(home))["timeZones"] == [{"since": None, "timeZone": "Asia/Tokyo"}]


async def test_a_phone_and_a_laptop_that_hides_its_zone_make_one_streak(database: str) -> None:
    async with open_app(database=database, start=at("2026-04-01T22:00")) as home:
        lengths: list[int] = []
        for morning in range(8):
            await sign_in(home, timeZone=("Asia/Tokyo", "UTC")[morning % 4 // 2])
            await home.record(event("ada", "login", f"visit-{morning}"))
            lengths.append((await home.profile_of("ada"))["streak"])
            home.clock.set(home.clock.now + timedelta(days=1, minutes=37 if morning % 2 else -37))

    assert lengths == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_utc_as_the_app_sets_it_is_a_real_zone(home: App) -> None:
    put = await home.client.put(f"{USERS}/ada", json={"timeZone": "UTC"}, headers=home.by_key)
    assert put.status_code == 200
    await sign_in(home, timeZone="Asia/Tokyo")

    assert [one["timeZone"] for one in (await stored(home))["timeZones"]] == ["UTC", "Asia/Tokyo"]
    home.clock.advance(days=1)
    await sign_in(home, timeZone="UTC")
    assert len((await stored(home))["timeZones"]) == 2
    await home.client.put(f"{USERS}/ada", json={"timeZone": "UTC"}, headers=home.by_key)
    assert len((await stored(home))["timeZones"]) == 3


async def test_reykjavik_is_a_real_zone(home: App) -> None:
    await sign_in(home, timeZone="Atlantic/Reykjavik")
    await sign_in(home, timeZone="Asia/Tokyo")

    assert [one["timeZone"] for one in (await stored(home))["timeZones"]] == ["Atlantic/Reykjavik", "Asia/Tokyo"]
