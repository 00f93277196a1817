"""/api/gamification/users/{userId}: what the back end tells of a user, reads of one, and erases."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.support import contents
from tests.support.app import PROFILE, USERS, App, event

pytestmark = pytest.mark.anyio

STRANGE_IDS = [
    "a/b",
    "/",
    "//",
    "a/../b",
    "..",
    ".",
    "100%",
    "%41",
    "%2F",
    "%252f",
    "a b",
    " ",
    "a+b",
    "a?b#c&d=e",
    "ünïcödé",
    "日本語",
    "👩‍👩‍👧‍👦",
    "'; DROP TABLE users; --",
    '"quoted"',
    "a\\b",
    "{user_id}",
    "profile",
    "x" * 200,
    "👑" * 200,
    "a@example.org",
    "auth0|5f7c8ec7c33c6c004bbafe82",
]


def address(user_id: str, rest: str = "") -> str:
    """A user's address. Dots are written as %2E, for clients take '..' for the way up."""
    return f"{USERS}/{quote(user_id, safe='').replace('.', '%2E')}{rest}"


async def put(home: App, user_id: str, **body: Any) -> httpx2.Response:
    return await home.client.put(address(user_id), json=body, headers=home.by_key)


async def read(home: App, user_id: str, rest: str = "") -> httpx2.Response:
    return await home.client.get(address(user_id, rest), headers=home.by_key)


# ---- any id at all ----------------------------------------------------------------------------


@pytest.mark.parametrize("user_id", STRANGE_IDS, ids=[quote(one)[:20] for one in STRANGE_IDS])
async def test_any_text_may_be_a_users_id(home: App, user_id: str) -> None:
    assert (await put(home, user_id, name="Ada")).json()["userId"] == user_id
    await home.record(event(user_id, "message.sent", quantity=100))

    assert (await read(home, user_id)).json()["userId"] == user_id
    assert (await read(home, user_id, "/profile")).json()["leaderboard"][0]["userId"] == user_id
    assert len((await read(home, user_id, "/history")).json()["entries"]) == 1
    assert (await home.visit(await home.sign_in(user_id))).json()["points"] == 100
    assert (await home.client.delete(address(user_id), headers=home.by_key)).status_code == 204
    assert (await read(home, user_id)).status_code == 404


@pytest.mark.parametrize("encoded", ["%00", "a%0Ab", "%7f", "%C2%85", "%ff", "%ed%a0%80", "x" * 201, quote("👑" * 201)])
async def test_an_id_with_control_characters_broken_or_too_long_is_422(home: App, encoded: str) -> None:
    for rest in ("", "/profile", "/history"):
        answer = await home.client.get(f"{USERS}/{encoded}{rest}", headers=home.by_key)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "userId"


@pytest.mark.parametrize(
    "path", [f"{USERS}/", f"{USERS}//profile", f"{USERS}//", f"{USERS}/ada//profile", f"{USERS}/a/b"]
)
async def test_an_empty_id_is_not_an_address(home: App, path: str) -> None:
    await put(home, "profile")

    answer = await home.client.get(path, headers=home.by_key)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


# ---- what is told of a user -------------------------------------------------------------------


async def test_a_user_is_made_and_read_back(home: App) -> None:
    made = await put(home, "ada", name="Ada", timeZone="Europe/Berlin", joinedAt="2026-01-01T01:00:00+01:00")

    assert made.status_code == 200
    assert made.json() == {
        "userId": "ada",
        "name": "Ada",
        "timeZone": "Europe/Berlin",
        "timeZones": [{"since": None, "timeZone": "Europe/Berlin"}],
        "joinedAt": "2026-01-01T00:00:00Z",
        "createdAt": "2026-01-05T12:00:00Z",
        "groups": [],
        "visibility": None,
        "points": 0,
        "level": 1,
        "title": "Newcomer",
    }
    assert (await read(home, "ada")).json() == made.json()


async def test_a_user_can_be_created_without_any_field(home: App) -> None:
    user = (await put(home, "ada")).json()

    assert (user["name"], user["timeZone"], user["joinedAt"]) == (None, "UTC", None)


async def test_what_is_left_out_stays_and_null_takes_away(home: App) -> None:
    await put(home, "ada", name="Ada", timeZone="Europe/Berlin", joinedAt="2026-01-01T00:00:00Z")

    kept = (await put(home, "ada", name="Countess")).json()
    assert (kept["name"], kept["timeZone"], kept["joinedAt"]) == ("Countess", "Europe/Berlin", "2026-01-01T00:00:00Z")

    gone = (await put(home, "ada", name=None, joinedAt=None)).json()
    assert (gone["name"], gone["timeZone"], gone["joinedAt"]) == (None, "Europe/Berlin", None)


async def test_a_name_is_cleaned_of_what_disturbs_the_text_around_it(home: App) -> None:
    user = (await put(home, "ada", name=" \u202eA\u0007d\x1b[31ma\n ")).json()

    assert user["name"] == "Ad[31ma"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": " \u202e\n"}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": 5}, "/name"),
        ({"timeZone": "Mars/Olympus"}, "/timeZone"),
        ({"timeZone": "../../etc/passwd"}, "/timeZone"),
        ({"timeZone": "/etc/localtime"}, "/timeZone"),
        ({"timeZone": "europe/berlin"}, "/timeZone"),
        ({"timeZone": "Europe"}, "/timeZone"),
        ({"timeZone": ""}, "/timeZone"),
        ({"timeZone": None}, "/timeZone"),
        ({"joinedAt": "2026-01-01"}, "/joinedAt"),
        ({"joinedAt": "1969-12-31T23:59:59Z"}, "/joinedAt"),
        ({"joined_at": "2026-01-01T00:00:00Z"}, "/joined_at"),
        ([], ""),
    ],
    ids=str,
)
async def test_a_wrong_field_is_422_with_its_pointer_and_changes_nothing(home: App, body: Any, pointer: str) -> None:
    answer = await home.client.put(f"{USERS}/ada", json=body, headers=home.by_key)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await read(home, "ada")).status_code == 404


# ---- zones ------------------------------------------------------------------------------------


async def test_a_second_change_of_zone_within_a_day_is_409_and_says_when(home: App) -> None:
    await put(home, "ada", timeZone="UTC")
    assert (await put(home, "ada", timeZone="Europe/Berlin")).status_code == 200
    home.clock.advance(hours=23.99)

    refused = await put(home, "ada", timeZone="Asia/Tokyo", name="Ada")

    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["type"], problem["retryAt"]) == ("/problems/zone-change-too-soon", "2026-01-06T12:00:00Z")
    assert (await read(home, "ada")).json()["name"] is None


async def test_a_zone_can_be_changed_at_the_time_that_the_refusal_named(home: App) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        await put(home, "ada", timeZone=zone)
    home.clock.advance(hours=24)

    user = (await put(home, "ada", timeZone="Asia/Tokyo")).json()

    assert user["timeZone"] == "Asia/Tokyo"
    assert user["timeZones"] == [
        {"since": None, "timeZone": "UTC"},
        {"since": "2026-01-05T12:00:00Z", "timeZone": "Europe/Berlin"},
        {"since": "2026-01-06T12:00:00Z", "timeZone": "Asia/Tokyo"},
    ]


async def test_the_same_zone_again_is_not_a_change(home: App) -> None:
    for zone in ("UTC", "Europe/Berlin", "Europe/Berlin"):
        assert (await put(home, "ada", timeZone=zone)).status_code == 200


async def test_signing_in_with_another_zone_too_soon_leaves_the_zone_as_it_is(home: App) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        await put(home, "ada", timeZone=zone)

    await home.sign_in("ada", timeZone="Asia/Tokyo", name="Ada")

    user = (await read(home, "ada")).json()
    assert (user["timeZone"], user["name"]) == ("Europe/Berlin", "Ada")


# ---- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_users_are_the_back_ends_business(home: App, method: str) -> None:
    await put(home, "ada", name="Ada")
    session = {"authorization": f"Bearer {await home.sign_in('ada')}"}

    for headers in ({}, session):
        answer = await home.client.request(method, f"{USERS}/ada", headers=headers)

        assert answer.status_code == 401
    assert (await read(home, "ada")).json()["name"] == "Ada"


@pytest.mark.parametrize("rest", ["", "/profile", "/history"])
async def test_an_unknown_user_is_404(home: App, rest: str) -> None:
    answer = await read(home, "nobody", rest)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/user-not-found")


# ---- erasing ----------------------------------------------------------------------------------


async def erase(home: App, user_id: str) -> None:
    assert (await home.client.delete(address(user_id), headers=home.by_key)).status_code == 204


async def test_erasing_leaves_404_on_every_read(home: App) -> None:
    await home.give_points("ada", messages=100)

    await erase(home, "ada")

    for rest in ("", "/profile", "/history"):
        assert (await read(home, "ada", rest)).status_code == 404


async def test_an_erased_user_leaves_the_board(home: App) -> None:
    await home.give_points("ada", messages=1000)
    await home.give_points("bob", messages=100)

    await erase(home, "ada")

    profile = await home.profile_of("bob", "rank")
    assert [line["userId"] for line in profile["leaderboard"]] == ["bob"]
    assert profile["rank"] == {"rank": 1, "rankedUsers": 1}


async def test_an_erased_user_never_comes_back(home: App) -> None:
    await home.give_points("ada", messages=100)
    await erase(home, "ada")

    (late,) = await home.record(event("ada", "agent.created"))
    told = await put(home, "ada", name="Ada")
    signed_in = await home.client.post("/api/gamification/sessions", json={"userId": "ada"}, headers=home.by_key)

    assert late["problem"]["type"] == "/problems/user-erased"
    assert (told.status_code, signed_in.status_code) == (410, 410)
    assert (await read(home, "ada")).status_code == 404


async def test_an_erased_users_session_ends(home: App) -> None:
    token = await home.sign_in("ada")

    await erase(home, "ada")

    assert (await home.visit(token, PROFILE)).status_code == 401


async def test_erasing_twice_or_an_unknown_user_is_harmless(home: App) -> None:
    await erase(home, "ada")
    await erase(home, "ada")

    assert (await put(home, "ada")).status_code == 410


async def test_nothing_but_a_hash_is_left_of_an_erased_user(home: App) -> None:
    await home.sign_in("ada-lovelace", name="Countess of Lovelace")
    await home.record(event("ada-lovelace", "message.sent", quantity=100, data={"who": "ada-lovelace"}))

    await erase(home, "ada-lovelace")

    rows = repr(await contents(home.laurels.store))
    assert "ada-lovelace" not in rows
    assert "Lovelace" not in rows


# ---- export -----------------------------------------------------------------------------------


async def test_an_export_is_one_json_document_and_a_head_has_no_body(home: App) -> None:
    await home.give_points("ada", messages=100)
    answer = await read(home, "ada", "/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["events"][0]["type"] == "message.sent"
    head = await home.client.head(address("ada") + "/export", headers=home.by_key)
    assert (head.status_code, head.content) == (200, b"")
    assert (await read(home, "unknown", "/export")).status_code == 404


# ---- history ----------------------------------------------------------------------------------


async def history(home: App, query: str = "") -> Any:
    answer = await read(home, "ada", f"/history{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_history_tells_events_awards_and_points(home: App) -> None:
    await home.record(event("ada", "message.sent", "m-1", quantity=100, data={"plan": "pro"}))

    assert await history(home) == {
        "entries": [
            {
                "revision": 1,
                "at": "2026-01-05T12:00:00Z",
                "event": {
                    "id": "m-1",
                    "type": "message.sent",
                    "occurredAt": "2026-01-05T12:00:00Z",
                    "day": "2026-01-05",
                    "quantity": 100,
                    "data": {"plan": "pro"},
                    "reversed": False,
                },
                "adjustment": None,
                "awards": [{"badge": "message_100", "points": 100, "catalog": 1, "earnedAt": "2026-01-05T12:00:00Z"}],
                "points": [{"amount": 100, "reason": "badge", "ref": "message_100", "catalog": 1}],
            }
        ],
        "next": None,
    }


async def test_the_history_has_pages_newest_first(home: App) -> None:
    for index in range(45):
        await home.record(event("ada", "coffee.drunk", f"e-{index}"))

    pages, query = [], "?limit=20"
    while query:
        page = await history(home, query)
        pages.append([entry["event"]["id"] for entry in page["entries"]])
        query = f"?limit=20&before={page['next']}" if page["next"] else ""

    assert [len(page) for page in pages] == [20, 20, 5]
    assert [one for page in pages for one in page] == [f"e-{index}" for index in reversed(range(45))]


async def test_a_page_has_twenty_entries_by_default(home: App) -> None:
    await home.record(*[event("ada", "coffee.drunk", f"e-{index}") for index in range(30)])

    assert len((await history(home))["entries"]) == 20
    assert len((await history(home, "?limit=1"))["entries"]) == 1
    assert len((await history(home, "?limit=500"))["entries"]) == 30


async def test_a_user_without_events_has_an_empty_history(home: App) -> None:
    await put(home, "ada", name="Ada")

    assert await history(home) == {"entries": [], "next": None}


@pytest.mark.parametrize(
    "value", ["0", "-1", "abc", "", "1.0", "1e1", " 1", "1_0", "٣", "99999999999999999999", "1" * 5000]
)
@pytest.mark.parametrize("name", ["limit", "before"])
async def test_an_invalid_parameter_is_422_and_named(home: App, name: str, value: str) -> None:
    await put(home, "ada")

    answer = await read(home, "ada", f"/history?{name}={quote(value)}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == name


async def test_a_page_has_at_most_five_hundred_entries(home: App) -> None:
    await put(home, "ada")

    assert (await read(home, "ada", "/history?limit=501")).status_code == 422
