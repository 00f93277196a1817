"""Leaderboards with `readers`: to a user in none of these groups they do not exist, at any address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx2
import pytest

from laurels import Catalog
from laurels.delivery import listeners
from laurels.http.endpoint import PLACEHOLDER, Endpoint
from laurels.present.notifications import NotificationMessage
from laurels.server.app import ENDPOINTS
from laurels.storage.contract import BEGINNING
from tests.delivery.test_stream import listening
from tests.support import badge, catalog_text
from tests.support.app import LEADERBOARDS, PROFILE, USERS, App, Json, event, ids_of, open_app
from tests.support.serving import SECONDS

pytestmark = pytest.mark.anyio

OTHER = "wages-board"
"""The id of a leaderboard that only some may read; its name and its earlier id have this word in them, too."""
WORD = "wages"

BOARDS: list[Json] = [
    {
        "id": OTHER,
        "name": "The wages week",
        "period": "week",
        "groups": ["players"],
        "readers": ["hr", "staff"],
        "tell_top": 3,
        "was": ["old-wages"],
    },
    {"id": "retired-wages", "name": "A retired wages", "readers": ["staff"], "retired": True},
    {"id": "wages-teams", "name": "wages teams", "teams": "team:", "readers": ["staff"]},
    {"id": "open", "name": "Open", "tell_top": 3},
]
SETTINGS: Json = {
    "metrics": {"pages": {"kind": "sum", "events": ["read"]}},
    "points": [{"id": "pages", "events": ["read"], "amount": 1, "per": "quantity"}],
    "badges": [badge("reader", metric="pages", at_least=1000)],
    "profile": {"login_event": "login", "login_streak": "login"},
    "streaks": {"login": {"events": ["login"]}},
}


def rules(*boards: Json) -> Catalog:
    return Catalog.parse(catalog_text(**SETTINGS, leaderboards=[*(boards or BOARDS)]))


async def grouped(home: App, user_id: str, *groups: str) -> None:
    answer = await home.client.put(f"{USERS}/{user_id}", json={"groups": groups}, headers=home.by_key)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def office(database: str) -> AsyncIterator[App]:
    """Ada plays and may not read; eve is of the staff."""
    async with open_app(rules(), database=database) as home:
        await grouped(home, "ada", "players", "team:red")
        await grouped(home, "eve", "staff", "players")
        await home.record(event("ada", "read", quantity=5), event("eve", "read", quantity=3))
        yield home


async def read(home: App, token: str, path: str) -> httpx2.Response:
    return await home.client.get(path, headers={"cookie": f"laurels-session={token}"})


PATHS = [
    f"{LEADERBOARDS}/BOARD{rest}"
    for rest in ("", "?around=me", "?friends=eve,ada", "?period=previous", "?period=nonsense", "?limit=0", "/periods")
] + ["/leaderboards/BOARD"]


@pytest.mark.parametrize("board", [OTHER, "old-wages", "retired-wages", "wages-teams"])
async def test_a_user_who_may_not_read_a_leaderboard_gets_the_answers_for_one_that_does_not_exist(
    office: App, board: str
) -> None:
    token = await office.sign_in("ada")
    for path in PATHS:
        limited = await read(office, token, path.replace("BOARD", board))
        missing = await read(office, token, path.replace("BOARD", "missing"))
        assert limited.status_code in (404, 422)
        assert (limited.status_code, limited.text.replace(board, "missing")) == (missing.status_code, missing.text)
        assert limited.headers["cache-control"] == missing.headers["cache-control"]
        assert WORD not in missing.text, path


async def test_readers_and_the_apps_back_end_read_it(office: App) -> None:
    token = await office.sign_in("eve")
    for headers in ({"cookie": f"laurels-session={token}"}, office.by_key):
        listed = (await office.client.get(LEADERBOARDS, headers=headers)).json()["leaderboards"]
        assert ids_of(listed) == ["points", OTHER, "wages-teams", "open"]
        assert [board.get("readers") for board in listed] == [None, ["hr", "staff"], ["staff"], None]
        for board in (OTHER, "old-wages"):
            page = (await office.client.get(f"{LEADERBOARDS}/{board}?around=eve", headers=headers)).json()
            assert [line["userId"] for line in page["standings"]] == ["ada", "eve"]
        for path in (
            f"{LEADERBOARDS}/{OTHER}/periods",
            f"{LEADERBOARDS}/retired-wages",
            f"{LEADERBOARDS}/wages-teams",
        ):
            assert (await office.client.get(path, headers=headers)).status_code == 200
    assert (await read(office, token, f"/leaderboards/{OTHER}")).status_code == 200
    assert WORD in (await read(office, token, "/leaderboards")).text


async def test_a_change_of_groups_takes_effect_at_the_next_read(office: App) -> None:
    token = await office.sign_in("ada")
    statuses: list[int] = []
    for groups in (["players", "hr"], ["players"], ["players", "staff"], []):
        await grouped(office, "ada", *groups)
        statuses.append((await read(office, token, f"{LEADERBOARDS}/{OTHER}?around=me")).status_code)
    assert statuses == [200, 404, 200, 404]


def readings_of(endpoint: Endpoint) -> list[str]:
    """The addresses of an endpoint with each text that a session may put in place of its placeholders."""
    values = {
        "board": ["open", "points"],
        "badgeId": ["reader"],
        "badge": ["reader"],
        "name": ["laurels.js"],
        "code": ["x"],
    }
    paths = [endpoint.path]
    for name in PLACEHOLDER.findall(endpoint.path):
        paths = [path.replace(f"{{{name}}}", value) for path in paths for value in values.get(name, ["ada"])]
    return paths


async def test_no_address_names_it_to_a_session_or_a_visitor(office: App) -> None:
    token = await office.sign_in("ada")
    include = "balance,rank,next,toward,streaks,history,earned,details"
    found = [path for one in ENDPOINTS if one.method == "GET" for path in readings_of(one)]
    found = [path for path in found if not path.endswith("/stream")] + [f"{PROFILE}?include={include}"]
    for path in found:
        for headers in ({"cookie": f"laurels-session={token}"}, {}):
            answer = await office.client.get(path, headers=headers)
            assert WORD not in answer.text, path


async def test_its_notifications_reach_only_readers_and_hold_no_others_up(
    office: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "NOTIFICATIONS_PAGE", 1)  # a page may have nothing that its user may read

    async def boards(user_id: str) -> list[str]:
        found = await office.laurels.notifications({user_id: BEGINNING}, 100)
        shown = [message for _, message in found[user_id] if isinstance(message, NotificationMessage)]
        return sorted({message.board.id for message in shown if message.board})

    assert (await boards("ada"), await boards("eve")) == (["open", "points"], ["open", "points", OTHER])
    token = await office.sign_in("ada")
    with anyio.fail_after(SECONDS):
        async with listening(office, token, "lastEventId=0-0") as heard:
            for _ in range(2):
                assert (await heard.moment())["board"]["id"] in ("open", "points")
            await grouped(office, "ada", "players", "hr")
            await office.record(event("eve", "read", "e-2", quantity=10))
            await office.record(event("ada", "read", "a-2", quantity=90))
            named = [(await heard.moment())["board"]["id"] for _ in range(3)]
            assert sorted(named) == ["open", "points", OTHER]
            assert heard.raw.count(WORD.encode()) == heard.raw.count(OTHER.encode()) + 1  # its id twice, its name once


async def test_the_end_of_its_periods_reaches_readers_only(office: App) -> None:
    office.clock.advance(days=14)
    assert [board for board, _ in await office.laurels.close_periods()] == [OTHER]
    for user_id, expected in (("ada", False), ("eve", True)):
        found = await office.laurels.notifications({user_id: BEGINNING})
        closed = [message for _, message in found[user_id] if message and message.type == "leaderboard.closed"]
        assert bool(closed) == expected


async def test_without_readers_of_points_profiles_show_no_leaders_and_no_rank(database: str) -> None:
    limited = {"id": "points", "readers": ["staff"], "tell_top": 3}
    async with open_app(rules(limited), database=database) as home:
        await grouped(home, "eve", "staff")
        await home.record(event("ada", "read", quantity=5), event("eve", "read", quantity=3))
        shown: dict[str, Json] = {}
        for user_id in ("ada", "eve"):
            token = await home.sign_in(user_id)
            shown[user_id] = (await read(home, token, f"{PROFILE}?include=rank")).json()
        assert (shown["ada"]["leaderboard"], shown["ada"]["userRank"]) == ([], None)
        assert shown["ada"]["rank"] == {"rank": None, "rankedUsers": 0}
        assert [line["userId"] for line in shown["eve"]["leaderboard"]] == ["ada", "eve"]
        assert (shown["eve"]["userRank"], shown["eve"]["rank"]["rank"]) == (2, 2)
        assert await home.profile_of("ada") == {key: value for key, value in shown["ada"].items() if key != "rank"}
        assert (await home.laurels.rank("ada")).rank == 1
