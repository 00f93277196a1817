"""GET /api/gamification/profile: the contract, field for field."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.server.app import create_app
from laurels.service.clock import Clock, utc_now
from laurels.service.laurels import Laurels
from laurels.service.profiles import INCLUDES
from laurels.settings import Settings
from laurels.storage import open_store
from tests.support import badge, catalog, sql
from tests.support.app import COOKIE, PROFILE, USERS, App, client_of, event, ids_of, open_app

pytestmark = pytest.mark.anyio

PAGE = 4096
NUMBER_FIELDS = ("points", "level", "nextLevel", "progress", "streak")
FIELDS = [
    "badges",
    "points",
    "level",
    "title",
    "nextLevel",
    "progress",
    "streak",
    "badgeAwarded",
    "leaderboard",
    "userRank",
    "availableBadges",
]
BADGE = {
    "id": "message_100",
    "name": "Century Club",
    "description": "Send 100 messages through your agents",
    "icon": "💬",
    "category": "usage",
    "points": 100,
    "condition": "100 messages",
}


# ---- the shape --------------------------------------------------------------------------------


async def test_the_profile_has_exactly_the_eleven_fields(home: App) -> None:
    profile = (await home.visit(await home.sign_in("ada"))).json()

    assert list(profile) == FIELDS


async def test_every_field_has_its_type(home: App) -> None:
    await home.give_points("ada", agents=3)

    profile = (await home.visit(await home.sign_in("ada"))).json()

    assert all(type(profile[name]) is int for name in NUMBER_FIELDS)
    assert type(profile["title"]) is str
    assert profile["badgeAwarded"] is None
    assert type(profile["userRank"]) is int
    assert all(type(profile[name]) is list for name in ("badges", "leaderboard", "availableBadges"))


async def test_a_badge_has_the_seven_fields_of_the_contract(home: App) -> None:
    await home.give_points("ada", messages=100)

    profile = (await home.visit(await home.sign_in("ada"))).json()

    assert profile["badges"] == [BADGE]
    assert all(badge.keys() == BADGE.keys() for badge in profile["availableBadges"])


async def test_a_line_of_the_leaderboard_has_the_five_fields_of_the_contract(home: App) -> None:
    await home.give_points("ada", messages=100)

    profile = (await home.visit(await home.sign_in("ada", name="Ada"))).json()

    assert profile["leaderboard"] == [{"userId": "ada", "name": "Ada", "points": 100, "level": 2, "title": "Beginner"}]


async def test_a_newcomer_has_nothing_yet_and_everything_to_earn(home: App) -> None:
    profile = (await home.visit(await home.sign_in("ada"))).json()

    assert {name: profile[name] for name in FIELDS[:-1]} == {
        "badges": [],
        "points": 0,
        "level": 1,
        "title": "Newcomer",
        "nextLevel": 100,
        "progress": 0,
        "streak": 1,
        "badgeAwarded": None,
        "leaderboard": [],
        "userRank": None,
    }
    assert len(profile["availableBadges"]) == 11


async def test_the_profile_equals_the_example_of_the_contract(home: App) -> None:
    for rival in ("rosa", "lise", "emmy"):
        await home.give_points(rival, messages=1000)
    token = await home.sign_in("ada")
    for _ in range(2):
        await home.visit(token)
        home.clock.advance(days=1)
    await home.give_points("ada", agents=1, messages=100)

    profile = (await home.visit(token)).json()

    assert profile["points"] == 150
    assert (profile["level"], profile["title"], profile["nextLevel"], profile["progress"]) == (2, "Beginner", 500, 30)
    assert profile["streak"] == 3
    assert profile["userRank"] == 4
    assert ids_of(profile["badges"]) == ["first_agent", "message_100"]


async def test_earned_and_available_badges_are_the_catalog_in_its_order(home: App) -> None:
    await home.give_points("ada", agents=3, messages=100)
    catalog = [badge.id for badge in home.laurels.catalog.badges]

    profile = (await home.visit(await home.sign_in("ada"))).json()

    earned, available = ids_of(profile["badges"]), ids_of(profile["availableBadges"])
    assert earned == ["first_agent", "message_100", "agent_3"]
    assert available == [badge for badge in catalog if badge not in earned]


# ---- the board --------------------------------------------------------------------------------


async def eleven_users(home: App) -> None:
    """u01 to u11 by points, highest first."""
    await home.record(
        *[event(f"u{rank:02}", "message.sent", quantity=1000) for rank in range(1, 12)],
        *[event(f"u{rank:02}", "agent.created", quantity=10) for rank in range(1, 11)],
        *[event(f"u{rank:02}", "referral.completed") for rank in range(1, 10)],
    )


async def test_the_leaderboard_has_at_most_five_lines(home: App) -> None:
    await eleven_users(home)

    profile = await home.profile_of("u01")

    assert [line["userId"] for line in profile["leaderboard"]] == ["u01", "u02", "u03", "u04", "u05"]


async def test_the_rank_is_null_beyond_the_top_ten(home: App) -> None:
    await eleven_users(home)

    assert (await home.profile_of("u10"))["userRank"] == 10
    assert (await home.profile_of("u11"))["userRank"] is None


async def test_a_user_without_a_name_is_anonymous_on_the_board(home: App) -> None:
    await home.give_points("ada", messages=100)

    assert (await home.profile_of("ada"))["leaderboard"][0]["name"] == "Anonymous"


async def test_a_name_can_be_taken_away_again(home: App) -> None:
    await home.give_points("ada", messages=100)
    for name in ("Ada", None):
        await home.client.put(f"{USERS}/ada", json={"name": name}, headers=home.by_key)

    assert (await home.profile_of("ada"))["leaderboard"][0]["name"] == "Anonymous"


# ---- days -------------------------------------------------------------------------------------


async def test_twice_a_day_counts_once(home: App) -> None:
    token = await home.sign_in("ada")

    streaks = [(await home.visit(token)).json()["streak"] for _ in range(3)]

    assert streaks == [1, 1, 1]


async def test_a_missed_day_starts_the_streak_again(home: App) -> None:
    token = await home.sign_in("ada")
    await home.visit(token)
    home.clock.advance(days=2)

    assert (await home.visit(token)).json()["streak"] == 1


async def test_the_day_is_that_of_the_users_zone(home: App) -> None:
    token = await home.sign_in("ada", timeZone="Pacific/Kiritimati")  # 14 hours ahead: noon UTC is the next day's 02:00
    await home.visit(token)
    home.clock.advance(hours=20)

    assert (await home.visit(token)).json()["streak"] == 1
    home.clock.advance(hours=4)
    assert (await home.visit(token)).json()["streak"] == 2


async def visit_daily(home: App, days: int) -> list[Any]:
    """What each of these days' first visits says."""
    token = await home.sign_in("ada", lifetimeSeconds=60 * 86400)
    profiles: list[Any] = []
    for _ in range(days):
        profiles.append((await home.visit(token)).json())
        home.clock.advance(days=1)
    return profiles


async def test_the_seventh_and_the_thirtieth_day_award_their_badges(home: App) -> None:
    profiles = await visit_daily(home, 31)

    awarded = {day: profile["badgeAwarded"] for day, profile in enumerate(profiles, start=1) if profile["badgeAwarded"]}
    assert awarded == {7: "login_streak_7", 30: "login_streak_30"}
    assert [profile["streak"] for profile in profiles] == list(range(1, 32))


async def test_the_visit_that_awards_a_badge_already_includes_it(home: App) -> None:
    seventh = (await visit_daily(home, 7))[-1]

    assert ids_of(seventh["badges"]) == ["login_streak_7"]
    assert (seventh["points"], seventh["level"], seventh["userRank"]) == (200, 2, 1)
    assert seventh["leaderboard"][0]["points"] == 200


async def test_a_badge_is_named_by_one_visit_alone(home: App) -> None:
    await visit_daily(home, 6)
    token = await home.sign_in("ada")

    named = [(await home.visit(token)).json()["badgeAwarded"] for _ in range(3)]

    assert named == ["login_streak_7", None, None]


async def test_of_two_streak_badges_the_one_with_more_points_is_named() -> None:
    two = [badge(name, points, streak="login", streak_of=2) for name, points in (("less", 10), ("more", 50))]
    async with open_app(catalog(badges=two)) as home:
        profile = (await visit_daily(home, 2))[-1]

    assert profile["badgeAwarded"] == "more"
    assert (ids_of(profile["badges"]), profile["points"]) == (["less", "more"], 60)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Sec-Purpose", "Prefetch;anonymous-client-ip"),
        ("Purpose", "prefetch"),
        ("X-Moz", "prefetch"),
        ("X-Purpose", "preview"),
        ("Next-Router-Prefetch", "1"),
        ("x-middleware-prefetch", "1"),
    ],
)
async def test_a_prefetch_earns_no_day(home: App, header: str, value: str) -> None:
    answer = await home.visit(await home.sign_in("ada"), **{header: value})

    assert (answer.status_code, answer.json()["streak"]) == (200, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Purpose": ""},
        {"Purpose": "navigation"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    ],
)
async def test_a_visit_of_ones_own_earns_the_day(home: App, headers: dict[str, str]) -> None:
    answer = await home.visit(await home.sign_in("ada"), **headers)

    assert answer.json()["streak"] == 1


async def test_a_link_from_a_foreign_site_earns_no_day(home: App) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    answer = await home.visit(await home.sign_in("ada"), **foreign)

    assert answer.json()["streak"] == 0


async def test_a_head_earns_no_day_and_has_the_headers_of_the_get(home: App) -> None:
    cookie = {"cookie": f"{COOKIE}={await home.sign_in('ada')}"}

    head = await home.client.head(PROFILE, headers=cookie)
    read = await home.client.get(PROFILE, headers={**cookie, "sec-purpose": "prefetch"})

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == read.headers
    assert read.json()["streak"] == 0


async def test_reading_as_the_back_end_earns_no_day(home: App) -> None:
    await home.sign_in("ada")

    assert (await home.profile_of("ada"))["streak"] == 0


# ---- headers ----------------------------------------------------------------------------------


async def test_the_profile_is_private_and_never_stored(home: App) -> None:
    answer = await home.visit(await home.sign_in("ada"))

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Cookie"
    assert answer.headers["content-type"] == "application/json"


# ---- who is calling ---------------------------------------------------------------------------


async def dead_by_time(home: App) -> str:
    token = await home.sign_in("ada", lifetimeSeconds=60)
    home.clock.advance(seconds=60)
    return token


async def dead_by_end(home: App) -> str:
    token = await home.sign_in("ada")
    await home.client.delete("/api/gamification/sessions", headers={"cookie": f"{COOKIE}={token}"})
    return token


async def dead_by_erasure(home: App) -> str:
    token = await home.sign_in("ada")
    await home.client.delete(f"{USERS}/ada", headers=home.by_key)
    return token


async def forged(home: App) -> str:
    token = await home.sign_in("ada")
    return token.partition(".")[0] + "." + secrets.token_urlsafe(32)


async def of_somebody_else(home: App) -> str:
    """Ada's secret under Eve's name."""
    ada, eve = await home.sign_in("ada"), await home.sign_in("eve")
    return eve.partition(".")[0] + "." + ada.partition(".")[2]


async def garbage(_: App) -> str:
    return "%%%=;\"'"


async def a_key(home: App) -> str:
    return home.key


async def nothing(_: App) -> str:
    return ""


@pytest.mark.parametrize(
    "token_of",
    [dead_by_time, dead_by_end, dead_by_erasure, forged, of_somebody_else, garbage, a_key, nothing],
    ids=lambda function: function.__name__,
)
async def test_without_a_living_session_it_is_401(home: App, token_of: Callable[[App], Awaitable[str]]) -> None:
    token = await token_of(home)

    for headers in ({"cookie": f"{COOKIE}={token}"}, {"authorization": f"Bearer {token}"}):
        refused(await home.client.get(PROFILE, headers=headers))


async def test_without_any_cookie_it_is_401(home: App) -> None:
    refused(await home.client.get(PROFILE))


def refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    problem = answer.json()
    assert problem["error"] == "Unauthorized"
    assert (problem["type"], problem["status"]) == ("/problems/unauthorized", 401)
    assert problem["title"]
    assert problem["detail"]


async def test_a_session_can_be_a_bearer_token(home: App) -> None:
    token = await home.sign_in("ada")

    answer = await home.client.get(PROFILE, headers={"authorization": f"bearer {token}"})

    assert answer.json()["streak"] == 1


async def test_other_cookies_next_to_the_session_do_not_matter(home: App) -> None:
    token = await home.sign_in("ada")

    answer = await home.client.get(PROFILE, headers={"cookie": f'a=b; {COOKIE}="{token}"; c; =d; e=f=g'})

    assert answer.status_code == 200


async def test_the_session_may_stand_in_any_of_several_cookie_headers(home: App) -> None:
    cookies = [("cookie", "a=b"), ("cookie", f"{COOKIE}={await home.sign_in('ada')}"), ("cookie", f"{COOKIE}=old")]

    assert (await home.client.get(PROFILE, headers=cookies)).status_code == 200


async def test_a_foreign_cookie_of_our_name_does_not_hide_the_bearer_token(home: App) -> None:
    token = await home.sign_in("ada")

    answer = await home.client.get(PROFILE, headers={"cookie": f"{COOKIE}=old", "authorization": f"Bearer {token}"})

    assert answer.status_code == 200


# ---- more, when asked for ---------------------------------------------------------------------


@pytest.mark.parametrize("name", INCLUDES)
async def test_each_include_adds_its_field_and_no_other(home: App, name: str) -> None:
    profile = (await home.visit(await home.sign_in("ada"), f"{PROFILE}?include={name}")).json()

    assert list(profile) == [*FIELDS, name]


@pytest.mark.parametrize("query", ["include=rank,next", "include=next&include=rank", "include=%20next%20,,rank,next"])
async def test_several_includes_can_be_combined(home: App, query: str) -> None:
    profile = (await home.visit(await home.sign_in("ada"), f"{PROFILE}?{query}")).json()

    assert profile.keys() == {*FIELDS, "rank", "next"}


async def test_the_included_rank_is_exact_beyond_the_top_ten(home: App) -> None:
    await eleven_users(home)

    assert (await home.profile_of("u11", "rank"))["rank"] == {"rank": 11, "rankedUsers": 11}


async def test_the_included_next_badges_say_how_far_it_is(home: App) -> None:
    await home.give_points("ada", messages=90)

    nearest = (await home.profile_of("ada", "next"))["next"][0]

    assert (nearest["id"], nearest["current"], nearest["target"]) == ("message_100", 90, 100)
    assert "10" in nearest["sentence"]
    assert "Century Club" in nearest["sentence"]


async def test_every_badge_that_can_be_earned_says_how_far_it_is_in_the_catalogs_order(home: App) -> None:
    await home.give_points("ada", messages=150, agents=1)
    profile = await home.profile_of("ada", "toward")

    assert ids_of(profile["toward"]) == ids_of(profile["availableBadges"])
    far = {one["id"]: (one["current"], one["target"]) for one in profile["toward"]}
    assert (far["message_1000"], far["agent_3"], far["login_streak_7"]) == ((150, 1000), (1, 3), (0, 7))
    assert profile["toward"][1]["sentence"] == "850 more messages to earn Message Master."


async def test_a_badge_that_can_no_longer_be_earned_is_not_on_the_way() -> None:
    badges = [badge("early", joined_before=datetime(2025, 1, 1, tzinfo=UTC)), badge("first", points_of=5)]
    async with open_app(catalog(badges=badges)) as home:
        await home.record(event("ada"))
        profile = await home.profile_of("ada", "toward")

        assert ids_of(profile["availableBadges"]) == ["early", "first"]
        assert ids_of(profile["toward"]) == ["first"]


async def test_a_badge_that_was_revoked_is_not_on_the_way(home: App) -> None:
    await home.give_points("ada", messages=100)
    said = {"kind": "revocation", "id": "r-1", "reason": "a mistake", "badge": "message_100"}
    assert (await home.client.post(f"{USERS}/ada/adjustments", json=said, headers=home.by_key)).status_code == 200
    profile = await home.profile_of("ada", "toward")

    assert "message_100" in ids_of(profile["availableBadges"])
    assert "message_100" not in ids_of(profile["toward"])


async def test_the_included_streaks_have_the_requested_number_of_days(home: App) -> None:
    token = await home.sign_in("ada", lifetimeSeconds=60 * 86400)
    for _ in range(40):
        assert (await home.visit(token)).status_code == 200
        home.clock.advance(days=1)
    shown = [
        len((await home.visit(token, f"{PROFILE}?include=streaks{days}")).json()["streaks"][0]["days"])
        for days in ("", "&days=35", "&days=366")
    ]

    assert shown == [14, 35, 41]


@pytest.mark.parametrize("days", ["0", "-1", "367", "many", "1.5", ""])
async def test_an_invalid_number_of_days_is_422_and_names_the_parameter(home: App, days: str) -> None:
    answer = await home.visit(await home.sign_in("ada"), f"{PROFILE}?include=streaks&days={days}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "days"


async def test_the_included_streaks_say_when_they_would_end(home: App) -> None:
    profile = (await home.visit(await home.sign_in("ada"), f"{PROFILE}?include=streaks")).json()

    assert profile["streaks"] == [
        {
            "name": "login",
            "title": "Login",
            "unit": "day",
            "length": 1,
            "status": "active",
            "since": "2026-01-05",
            "endsAt": "2026-01-07T00:00:00Z",
            "endsAtLocal": "2026-01-07T00:00:00Z",
            "longest": 1,
            "longestFrom": "2026-01-05",
            "longestTo": "2026-01-05",
            "totalDays": 1,
            "lastDay": "2026-01-05",
            "freezes": 0,
            "neededDays": None,
            "doneDays": None,
            "days": [{"day": "2026-01-05", "why": "credited"}],
        }
    ]


async def test_the_included_history_begins_with_the_newest(home: App) -> None:
    await home.give_points("ada", messages=100)

    profile = (await home.visit(await home.sign_in("ada"), f"{PROFILE}?include=history")).json()

    assert [entry["event"]["type"] for entry in profile["history"]["entries"]] == ["login", "message.sent"]


async def test_an_unknown_include_is_422_and_names_the_parameter(home: App) -> None:
    token = await home.sign_in("ada")

    answer = await home.visit(token, f"{PROFILE}?include=rank,%00secrets")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "include"
    assert (await home.visit(token, sec_purpose="prefetch")).json()["streak"] == 0


async def test_other_parameters_are_refused(home: App) -> None:
    answer = await home.visit(await home.sign_in("ada"), f"{PROFILE}?utm_source=mail&include=&%ff=%00")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "utm_source"


# ---- the two roads ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?include=rank,next,streaks,history", "?include=rank&include=next", "?include=no"]
)
async def test_both_roads_to_the_profile_answer_alike(home: App, query: str) -> None:
    """The framework's own handler stands behind the hot lane, and serves the address with a slash at its end."""
    await home.give_points("ada", agents=3)
    token = await home.sign_in("ada")
    await home.visit(token)

    hot, framework = await home.visit(token, PROFILE + query), await home.visit(token, PROFILE + "/" + query)

    assert hot.status_code == framework.status_code
    assert hot.content == framework.content
    assert dict(hot.headers) == dict(framework.headers)


async def test_both_roads_refuse_alike(home: App) -> None:
    hot, framework = await home.client.get(PROFILE), await home.client.get(PROFILE + "/")

    assert (hot.status_code, hot.content) == (framework.status_code, framework.content)
    assert dict(hot.headers) == dict(framework.headers)


async def test_a_slash_at_the_end_earns_the_day_too(home: App) -> None:
    token = await home.sign_in("ada")

    assert (await home.visit(token, PROFILE + "/", Sec_Purpose="prefetch")).json()["streak"] == 0
    assert (await home.visit(token, PROFILE + "/")).json()["streak"] == 1


# ---- when the database is broken --------------------------------------------------------------


def failed(answer: httpx2.Response) -> None:
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["error"] == "Failed to fetch profile"
    assert (problem["type"], problem["status"]) == ("/problems/profile-failed", 500)


@pytest.mark.parametrize("path", [PROFILE, PROFILE + "/"])
async def test_a_closed_database_is_the_500_of_the_contract(filed: App, path: str) -> None:
    token = await filed.sign_in("ada")
    await filed.laurels.store.close()

    failed(await filed.visit(token, path))


async def test_a_corrupt_database_is_the_500_of_the_contract(filed: App, tmp_path: Path) -> None:
    token = await filed.sign_in("ada")
    (page,) = (await sql(filed.laurels.store, "SELECT rootpage FROM sqlite_schema WHERE name = 'users'"))[0]
    await filed.laurels.close()
    with (tmp_path / "laurels.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)

    async with reopened(tmp_path / "laurels.db", filed.clock) as client:
        failed(await client.get(PROFILE, headers={"cookie": f"{COOKIE}={token}"}))


async def test_a_database_without_its_tables_is_the_500_of_the_contract(tmp_path: Path) -> None:
    async with reopened(tmp_path / "empty.db", utc_now) as client:
        failed(await client.get(PROFILE, headers={"cookie": f"{COOKIE}=laurels_session_YWRh.{'x' * 43}"}))


@asynccontextmanager
async def reopened(database: Path, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """The application over this file as it is."""
    laurels = Laurels(open_store(f"sqlite:///{database}"), clock=clock)
    try:
        async with client_of(create_app(laurels, Settings())) as client:
            yield client
    finally:
        await laurels.close()
