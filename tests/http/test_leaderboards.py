"""/api/gamification/leaderboards: who may ask for which lines, and that every reading of a rank agrees."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest

from laurels import Catalog
from laurels.http.leaderboards import MAX_FRIENDS
from laurels.server import app as server
from laurels.settings import LimitSettings, Settings
from tests.support.app import LEADERBOARDS, PROFILE, USERS, App, event, open_app

pytestmark = pytest.mark.anyio

CATALOG = """
name = "boards"

[profile]
login_event = "login"
login_streak = "login"

[metrics.books]
kind = "count"
events = ["book.finished"]

[metrics.seconds]
kind = "max"
events = ["race.run"]
of = "seconds"

[streaks.login]
events = ["login"]

[[points]]
id = "pages"
events = ["page.read"]
amount = 1
per = "quantity"

[[leaderboards]]
id = "points"
name = "All time"

[[leaderboards]]
id = "weekly"
name = "Weekly"
period = "week"

[[leaderboards]]
id = "berlin"
name = "Day in Berlin"
period = "day"
zone = "Europe/Berlin"
ties = "shared"

[[leaderboards]]
id = "books"
name = "Books"
by = "metric"
of = "books"
ties = "dense"

[[leaderboards]]
id = "races"
name = "Longest race"
by = "metric"
of = "seconds"
period = "month"

[[leaderboards]]
id = "streaks"
name = "Longest streak"
by = "streak"
of = "login"

[[leaderboards]]
id = "staff"
name = "Staff only"
groups = ["staff"]

[[leaderboards]]
id = "cup"
name = "Cup"
period = "season"
late_hours = 0
seasons = [
  { name = "Winter cup", first = 2026-01-01, last = 2026-01-10 },
  { name = "Spring cup", first = 2026-03-01, last = 2026-03-31 },
]

[[levels]]
title = "Reader"
points = 0

[[levels]]
title = "Bookworm"
points = 50

[[badges]]
id = "bookworm"
name = "Bookworm"
description = "Finish 100 books"
icon = "📚"
category = "usage"
points = 10
condition = "100 books"
when = { metric = "books", at_least = 100 }
"""


@pytest.fixture
async def boards() -> AsyncIterator[App]:
    """A server with a board of each kind, at noon of Monday, 5 January 2026."""
    async with open_app(Catalog.parse(CATALOG)) as one:
        yield one


@pytest.fixture
async def everywhere(database: str) -> AsyncIterator[App]:
    """The same, once for each engine of storage."""
    async with open_app(Catalog.parse(CATALOG), database=database) as one:
        yield one


async def read(home: App, path: str, **parameters: Any) -> httpx2.Response:
    """Lines of a board as the back end reads them."""
    return await home.client.get(f"{LEADERBOARDS}/{path}", params=parameters, headers=home.by_key)


async def page(home: App, path: str, **parameters: Any) -> Any:
    answer = await read(home, path, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def give(home: App, **pages: int) -> None:
    """Points at a different time for each user, one second after the other."""
    for user_id, number in pages.items():
        await home.record(event(user_id, "page.read", home.clock().isoformat(), quantity=number))
        home.clock.advance(seconds=1)


def places(shown: Any) -> list[tuple[int, str, int]]:
    return [(line["rank"], line["userId"], line["score"]) for line in shown["standings"]]


# ---- what a board says ------------------------------------------------------------------------


async def test_all_leaderboards_are_listed_with_what_they_count_and_their_current_period(boards: App) -> None:
    answer = await boards.client.get(LEADERBOARDS, headers=boards.by_key)

    told = {board["id"]: board for board in answer.json()["leaderboards"]}
    assert list(told) == ["points", "weekly", "berlin", "books", "races", "streaks", "staff", "cup"]
    assert told["berlin"] == {
        "id": "berlin",
        "name": "Day in Berlin",
        "by": "points",
        "of": None,
        "order": "highest",
        "ties": "shared",
        "groups": [],
        "teams": None,
        "visibility": "public",
        "period": "day",
        "zone": "Europe/Berlin",
        "current": {
            "key": "2026-01-05",
            "start": "2026-01-04T23:00:00Z",
            "end": "2026-01-05T23:00:00Z",
            "closesAt": "2026-01-06T23:00:00Z",
            "status": "running",
        },
    }
    assert told["points"]["current"]["end"] is None
    assert (told["books"]["by"], told["books"]["of"], told["staff"]["groups"]) == ("metric", "books", ["staff"])


async def test_a_line_says_rank_user_score_and_level(everywhere: App) -> None:
    await everywhere.client.put(f"{USERS}/ada", json={"name": "Ada"}, headers=everywhere.by_key)
    await give(everywhere, ada=60, bob=10)

    shown = await page(everywhere, "weekly", me="bob")

    assert shown["standings"] == [
        {
            "rank": 1,
            "userId": "ada",
            "name": "Ada",
            "score": 60,
            "reachedAt": "2026-01-05T12:00:00Z",
            "points": 60,
            "level": 2,
            "title": "Bookworm",
        },
        shown["me"],
    ]
    assert (shown["me"]["rank"], shown["me"]["userId"], shown["me"]["name"]) == (2, "bob", "Anonymous")
    assert (shown["rankedUsers"], shown["computedAt"], shown["next"]) == (2, "2026-01-05T12:00:02Z", None)
    assert shown["board"]["id"] == "weekly"
    assert shown["period"] == shown["board"]["current"]


async def test_boards_by_metric_and_by_streak_count_what_they_say(everywhere: App) -> None:
    await everywhere.record(
        event("ada", "book.finished", "b-1"),
        event("ada", "race.run", "r-1", data={"seconds": 50}),
        event("ada", "race.run", "r-2", data={"seconds": 40}),
        event("bob", "login", "l-1", occurredAt="2026-01-03T12:00:00Z"),
        event("bob", "login", "l-2", occurredAt="2026-01-04T12:00:00Z"),
    )

    assert places(await page(everywhere, "books")) == [(1, "ada", 1)]
    assert places(await page(everywhere, "races")) == [(1, "ada", 50)]
    assert places(await page(everywhere, "streaks")) == [(1, "bob", 2)]
    assert places(await page(everywhere, "points")) == []


async def test_only_members_of_its_groups_stand_on_a_board(boards: App) -> None:
    await boards.client.put(f"{USERS}/ada", json={"groups": ["staff"]}, headers=boards.by_key)
    await give(boards, ada=1, bob=2)

    assert places(await page(boards, "staff", me="bob")) == [(1, "ada", 1)]
    assert (await page(boards, "staff", me="bob"))["me"] is None


async def test_no_one_is_ranked_on_an_empty_leaderboard(everywhere: App) -> None:
    shown = await page(everywhere, "weekly", me="ada", around="ada")

    assert (shown["standings"], shown["me"], shown["rankedUsers"], shown["next"]) == ([], None, 0, None)


# ---- one rank ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "ranks"), [("points", [1, 2, 3, 4]), ("berlin", [1, 2, 2, 4]), ("books", [1, 2, 2, 3])]
)
async def test_equal_scores_show_the_ranks_that_the_board_says(everywhere: App, board: str, ranks: list[int]) -> None:
    for user_id, number in (("ada", 9), ("bob", 5), ("cyd", 5), ("dan", 1)):
        await give(everywhere, **{user_id: number})
        await everywhere.record(*[event(user_id, "book.finished", f"book-{i}") for i in range(number)])

    whole = await page(everywhere, board)

    assert [line["rank"] for line in whole["standings"]] == ranks
    for line in whole["standings"]:
        user_id = line["userId"]
        assert (await page(everywhere, board, me=user_id, limit=1))["me"] == line
        assert (await page(everywhere, board, around=user_id, limit=1))["standings"] == [line]
        assert (await page(everywhere, board, friends=user_id))["standings"] == [line]
        assert line in (await page(everywhere, board, around=user_id, limit=3))["standings"]


async def test_the_profile_and_the_answer_to_an_event_agree_with_the_board_of_points(
    everywhere: App,
) -> None:
    users = [f"user-{number:02}" for number in range(12)]
    for number, user_id in enumerate(users):
        (result,) = await everywhere.record(event(user_id, "page.read", quantity=10 + number // 3))
        assert result["rank"]["after"] == (await page(everywhere, "points", me=user_id, limit=1))["me"]["rank"]
        everywhere.clock.advance(seconds=1)

    lines = (await page(everywhere, "points", limit=20))["standings"]

    assert [line["rank"] for line in lines] == list(range(1, 13))
    assert [line["score"] for line in lines] == sorted((line["score"] for line in lines), reverse=True)
    for line in lines:
        profile = await everywhere.profile_of(line["userId"], include="rank")
        assert profile["rank"] == {"rank": line["rank"], "rankedUsers": 12}
        assert profile["userRank"] == (line["rank"] if line["rank"] <= 10 else None)
        assert [one["userId"] for one in profile["leaderboard"]] == [one["userId"] for one in lines[:5]]


async def test_what_a_session_reads_is_what_the_back_end_reads(boards: App) -> None:
    await give(boards, ada=9, bob=5, cyd=5)
    token = await boards.sign_in("bob")

    mine = await boards.visit(token, f"{LEADERBOARDS}/weekly?limit=2")

    assert mine.json() == await page(boards, "weekly", limit=2, me="bob")
    assert mine.json()["me"]["rank"] == 2
    assert (await boards.visit(token, LEADERBOARDS)).json() == (
        await boards.client.get(LEADERBOARDS, headers=boards.by_key)
    ).json()


# ---- which lines ------------------------------------------------------------------------------


async def test_around_me_has_me_in_its_middle_or_as_near_as_the_ends_allow(everywhere: App) -> None:
    await give(everywhere, a=9, b=8, c=7, d=6, e=5, f=4)
    near = {}
    for user_id in "abcdef":
        token = await everywhere.sign_in(user_id)
        answer = await everywhere.visit(token, f"{LEADERBOARDS}/weekly?around=me&limit=3")
        near[user_id] = "".join(line["userId"] for line in answer.json()["standings"])

    assert near == {"a": "abc", "b": "abc", "c": "bcd", "d": "cde", "e": "def", "f": "def"}
    token = await everywhere.sign_in("a")
    around = (await everywhere.visit(token, f"{LEADERBOARDS}/weekly?around=e&limit=3")).json()
    assert [line["userId"] for line in around["standings"]] == ["d", "e", "f"]
    assert (around["me"]["userId"], around["next"]) == ("a", None)


async def test_the_back_end_names_the_user_of_me(boards: App) -> None:
    await give(boards, a=9, b=8, c=7, me=6)

    assert [line[1] for line in places(await page(boards, "weekly", around="me", me="c", limit=1))] == ["c"]
    assert [line[1] for line in places(await page(boards, "weekly", around="me", limit=1))] == ["me"]


@pytest.mark.parametrize(
    "query", ["friends=cyd,ada,nobody", "friends=cyd&friends=ada", "friends=cyd%2Cada", "friends=ada,,cyd,ada"]
)
async def test_friends_have_the_ranks_of_the_whole_board(everywhere: App, query: str) -> None:
    await give(everywhere, ada=9, bob=5, cyd=3)
    token = await everywhere.sign_in("bob")

    shown = (await everywhere.visit(token, f"{LEADERBOARDS}/weekly?{query}")).json()

    assert places(shown) == [(1, "ada", 9), (3, "cyd", 3)]
    assert (shown["me"]["rank"], shown["rankedUsers"], shown["next"]) == (2, 3, None)
    first = (await everywhere.visit(token, f"{LEADERBOARDS}/weekly?{query}&limit=1")).json()
    assert places(first) == [(1, "ada", 9)]


async def test_without_friends_there_are_no_lines(everywhere: App) -> None:
    await give(everywhere, ada=9)

    assert places(await page(everywhere, "weekly", friends="")) == []


async def test_a_friends_id_may_hold_a_comma(boards: App) -> None:
    await give(boards, **{"a,b": 9})

    assert places(await page(boards, "weekly", friends=["a,b", "cyd"])) == [(1, "a,b", 9)]


async def test_all_friends_are_returned_without_a_limit(boards: App) -> None:
    users = {f"user-{number:03}": 1 for number in range(30)}
    await give(boards, **users)

    assert len((await page(boards, "weekly", friends=",".join(users)))["standings"]) == 30


# ---- pages ------------------------------------------------------------------------------------


async def walk(home: App, limit: int, between: Any = None) -> list[Any]:
    """All pages of the weekly board, as long as each says where the next begins."""
    pages = [await page(home, "weekly", limit=limit)]
    while pages[-1]["next"]:
        if between:
            await between(len(pages))
        pages.append(await page(home, "weekly", limit=limit, after=pages[-1]["next"]))
    return pages


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
async def test_the_pages_of_a_board_are_the_board(everywhere: App, limit: int) -> None:
    await everywhere.record(*[event(f"user-{i:02}", "page.read", quantity=1 + i // 5) for i in range(23)])

    lines = [place for shown in await walk(everywhere, limit) for place in places(shown)]

    assert lines == places(await page(everywhere, "weekly", limit=100))
    assert [rank for rank, _, _ in lines] == list(range(1, 24))


async def test_a_user_whose_position_does_not_change_appears_exactly_once_while_paging(everywhere: App) -> None:
    await give(everywhere, **{f"still-{i:02}": 100 - i for i in range(20)}, climber=1)

    async def climb(number: int) -> None:
        await give(everywhere, climber=7 * number, newcomer=3 * number)

    met = [user for shown in await walk(everywhere, 3, climb) for _, user, _ in places(shown)]

    still = [user for user in met if user.startswith("still")]
    assert still == [f"still-{i:02}" for i in range(20)]


async def test_a_user_who_leaves_a_tie_while_paging_skips_no_one(everywhere: App) -> None:
    """Streaks of a day have the same time, so only the user id orders the lines."""
    for user in "abcdef":
        await everywhere.record(event(user, "login", everywhere.clock().isoformat()))
    first = await page(everywhere, "streaks", limit=3)
    everywhere.clock.advance(days=1)
    await everywhere.record(event("a", "login", everywhere.clock().isoformat()))

    rest = await page(everywhere, "streaks", limit=3, after=first["next"])

    assert [user for _, user, _ in places(first)] == ["a", "b", "c"]
    assert places(rest) == [(4, "d", 1), (5, "e", 1), (6, "f", 1)]


async def test_a_line_has_the_rank_at_the_time_of_its_page(boards: App) -> None:
    await give(boards, ada=9, bob=8, cyd=7)
    first = await page(boards, "weekly", limit=2)
    await give(boards, dan=20)

    assert places(await page(boards, "weekly", limit=2, after=first["next"])) == [(4, "cyd", 7)]


async def test_a_cursor_reveals_no_user(boards: App) -> None:
    await give(boards, somebody=9, another=8)

    cursor = (await page(boards, "weekly", limit=1))["next"]
    await boards.client.put(f"{USERS}/somebody", json={"visibility": "pseudonym"}, headers=boards.by_key)

    assert cursor.isascii()
    assert b"somebody" not in urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert (await page(boards, "weekly", limit=1))["next"] == cursor
    assert [user for _, user, _ in places(await page(boards, "weekly", after=cursor))] == ["another"]


async def test_a_cursor_is_as_long_as_any_users_id_needs(everywhere: App) -> None:
    longest = "🏆" * 200
    await everywhere.record(event(longest, "page.read", quantity=9), event("another", "page.read"))

    cursor = (await page(everywhere, "weekly", limit=1))["next"]

    assert [user for _, user, _ in places(await page(everywhere, "weekly", after=cursor))] == ["another"]


# ---- periods ----------------------------------------------------------------------------------


async def test_this_week_the_week_before_and_any_week_by_its_key(boards: App) -> None:
    await give(boards, ada=9)
    boards.clock.advance(days=7)
    await give(boards, bob=5)

    assert places(await page(boards, "weekly")) == [(1, "bob", 5)]
    assert places(await page(boards, "weekly", period="previous")) == [(1, "ada", 9)]
    last = await page(boards, "weekly", period="2026-W02")
    assert places(last) == [(1, "ada", 9)]
    assert last["period"] == {
        "key": "2026-W02",
        "start": "2026-01-05T00:00:00Z",
        "end": "2026-01-12T00:00:00Z",
        "closesAt": "2026-01-13T00:00:00Z",
        "status": "ended",
    }
    assert places(await page(boards, "weekly", period="2025-W02")) == []


async def test_a_period_is_coming_runs_ends_and_closes(boards: App) -> None:
    seen: list[str] = []
    for moment in (
        "2026-01-11T23:59:59",
        "2026-01-12",
        "2026-01-18T23:59:59",
        "2026-01-19",
        "2026-01-19T23:59",
        "2026-01-20",
    ):
        boards.clock.set(datetime.fromisoformat(moment).replace(tzinfo=UTC))
        seen.append((await page(boards, "weekly", period="2026-W03"))["period"]["status"])

    assert seen == ["coming", "running", "running", "ended", "ended", "closed"]


async def test_a_late_event_counts_until_its_period_closes_and_no_longer(everywhere: App) -> None:
    everywhere.clock.set(datetime(2026, 1, 12, 23, 59, tzinfo=UTC))
    await everywhere.record(event("ada", "page.read", "in-time", occurredAt="2026-01-11T12:00:00Z", quantity=5))
    everywhere.clock.set(datetime(2026, 1, 13, tzinfo=UTC))
    await everywhere.record(event("ada", "page.read", "too-late", occurredAt="2026-01-11T12:00:00Z", quantity=5))

    assert places(await page(everywhere, "weekly", period="previous")) == [(1, "ada", 5)]
    assert places(await page(everywhere, "points")) == [(1, "ada", 10)]


async def test_between_seasons_there_is_no_current_one_and_the_previous_one_can_be_read(boards: App) -> None:
    await give(boards, ada=9)
    boards.clock.set(datetime(2026, 2, 1, tzinfo=UTC))

    between = await read(boards, "cup")
    (told,) = [
        board
        for board in (await boards.client.get(LEADERBOARDS, headers=boards.by_key)).json()["leaderboards"]
        if board["id"] == "cup"
    ]

    assert (between.status_code, between.json()["type"]) == (404, "/problems/period-not-found")
    assert "between seasons" in between.json()["detail"]
    assert "Winter cup, Spring cup" in between.json()["detail"]
    assert told["current"] is None
    assert places(await page(boards, "cup", period="previous")) == [(1, "ada", 9)]
    assert places(await page(boards, "cup", period="Winter cup")) == [(1, "ada", 9)]
    assert (await page(boards, "cup", period="Spring cup"))["period"]["status"] == "coming"


@pytest.mark.parametrize(
    ("board", "period", "said"),
    [
        ("points", "previous", "all time"),
        ("points", "2026", "all time"),
        ("weekly", "2026-01", "2026-W47"),
        ("weekly", "2026-W54", "2026-W47"),
        ("weekly", "2026-w02", "2026-W47"),
        ("weekly", "", "2026-W47"),
        ("berlin", "2026-02-30", "2026-11-24"),
        ("races", "9999-99", "2026-11"),
        ("cup", "Autumn cup", "Winter cup, Spring cup"),
        ("cup", "previous", "no season that has ended"),
    ],
)
async def test_an_unknown_period_is_404_and_says_which_there_are(
    boards: App, board: str, period: str, said: str
) -> None:
    answer = await read(boards, board, period=period)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/period-not-found")
    assert said in answer.json()["detail"]


async def test_an_unknown_board_is_404_and_says_which_there_are(boards: App) -> None:
    answer = await read(boards, "nonsense")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/leaderboard-not-found")
    assert "points, weekly" in answer.json()["detail"]


# ---- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=1001", "limit"),
        ("limit=" + "9" * 400, "limit"),
        ("after=nonsense", "after"),
        ("after=", "after"),
        ("after=%00", "after"),
        ("after=k9H_agHPAAZMG0wVMsD_", "after"),
        ("around=", "around"),
        ("around=%00", "around"),
        ("around=" + "x" * 201, "around"),
        ("me=" + "x" * 201, "me"),
        ("friends=a,%0A", "friends"),
        ("friends=" + "x" * 201, "friends"),
        ("friends=" + ",".join(map(str, range(MAX_FRIENDS + 1))), "friends"),
        ("after={next}&around=ada", "after"),
        ("after={next}&friends=ada", "after"),
        ("around=ada&friends=bob", "around"),
    ],
    ids=lambda one: str(one)[:24],
)
async def test_a_wrong_parameter_is_422_and_named(boards: App, query: str, parameter: str) -> None:
    await give(boards, ada=9, bob=5)
    cursor = (await page(boards, "weekly", limit=1))["next"]

    answer = await boards.client.get(f"{LEADERBOARDS}/weekly?{query.replace('{next}', cursor)}", headers=boards.by_key)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-input")
    (wrong,) = answer.json()["errors"]
    assert wrong["parameter"] == parameter


async def test_a_key_may_request_more_lines_than_a_session(boards: App) -> None:
    token = await boards.sign_in("ada")

    assert (await boards.visit(token, f"{LEADERBOARDS}/weekly?limit=100")).status_code == 200
    refused = await boards.visit(token, f"{LEADERBOARDS}/weekly?limit=101")
    assert (refused.status_code, refused.json()["detail"]) == (422, "must be a whole number from 1 to 100")
    assert (await read(boards, "weekly", limit=1000)).status_code == 200


@pytest.mark.parametrize("board", ["%00", "a%0Ab", "%ff", "x" * 101])
async def test_a_boards_id_that_can_be_none_is_422(boards: App, board: str) -> None:
    answer = await boards.client.get(f"{LEADERBOARDS}/{board}", headers=boards.by_key)

    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "board")


@pytest.mark.parametrize("user_id", ["me", "a/b", "a+b&c=d", "日本語", "%41", "x" * 200, "👑" * 200])
async def test_any_user_id_may_be_requested(boards: App, user_id: str) -> None:
    await give(boards, **{user_id: 5})

    for parameter in ("around", "friends", "me"):
        query = f"{parameter}={quote(user_id, safe='')}&me={quote(user_id, safe='')}"
        answer = await boards.client.get(f"{LEADERBOARDS}/weekly?{query}", headers=boards.by_key)
        assert answer.json()["standings"] == [answer.json()["me"]]


# ---- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/weekly"])
async def test_a_board_is_for_the_apps_users_and_its_back_end(boards: App, path: str) -> None:
    token = await boards.sign_in("ada")
    bad_key = boards.key[:-1] + ("a" if boards.key[-1] != "a" else "b")

    for headers in ({}, {"authorization": f"Bearer {bad_key}"}, {"authorization": f"Bearer {token}x"}):
        answer = await boards.client.get(LEADERBOARDS + path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for headers in (boards.by_key, {"authorization": f"Bearer {token}"}, {"cookie": f"laurels-session={token}"}):
        answer = await boards.client.get(LEADERBOARDS + path, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"


async def test_a_session_cannot_choose_another_me(boards: App) -> None:
    await give(boards, ada=9, bob=5)
    token = await boards.sign_in("ada")

    refused = await boards.visit(token, f"{LEADERBOARDS}/weekly?me=bob")

    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "me")
    assert (await boards.visit(token, f"{LEADERBOARDS}/weekly?me=ada")).json()["me"]["userId"] == "ada"


async def test_reading_a_leaderboard_is_not_a_login_and_creates_no_user(boards: App) -> None:
    token = await boards.sign_in("ada")
    await boards.visit(token, f"{LEADERBOARDS}/weekly")
    await page(boards, "weekly", me="nobody", around="nobody")

    assert (await boards.profile_of("ada"))["streak"] == 0
    assert (await boards.client.get(f"{USERS}/nobody", headers=boards.by_key)).status_code == 404


async def test_an_erased_user_is_on_no_board(everywhere: App) -> None:
    await give(everywhere, ada=9, bob=5)
    await everywhere.client.delete(f"{USERS}/ada", headers=everywhere.by_key)

    for board in ("points", "weekly", "berlin"):
        shown = await page(everywhere, board, me="ada")
        assert (places(shown), shown["me"], shown["rankedUsers"]) == ([(1, "bob", 5)], None, 1)


async def test_boards_count_for_the_rates_of_their_callers() -> None:
    async with open_app(Catalog.parse(CATALOG), Settings(limits=LimitSettings(session_rate=1, key_rate=1))) as one:
        token = await one.sign_in("ada")
        for _ in range(5):
            assert (await one.visit(token, LEADERBOARDS)).status_code == 200
        refused = await one.visit(token, f"{LEADERBOARDS}/weekly")
        by_key = [(await read(one, "weekly")).status_code for _ in range(6)]

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert by_key[-1] == 429


async def test_a_head_has_the_headers_of_the_get(boards: App) -> None:
    await give(boards, ada=9)
    for path in ("", "/weekly"):
        got = await boards.client.get(LEADERBOARDS + path, headers=boards.by_key)
        head = await boards.client.head(LEADERBOARDS + path, headers=boards.by_key)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


async def test_the_board_of_the_profile_is_the_first_page_of_the_board_of_points(boards: App) -> None:
    await give(boards, a=3, b=5, c=5, d=1, e=2, f=9)
    token = await boards.sign_in("a")

    profile = (await boards.visit(token, PROFILE)).json()
    shown = (await boards.visit(token, f"{LEADERBOARDS}/points?limit=5")).json()

    for mine, line in zip(profile["leaderboard"], shown["standings"], strict=True):
        assert mine.items() <= line.items()
    assert profile["userRank"] == shown["me"]["rank"]
    assert all(one["rank"] < two["rank"] for one, two in pairwise(shown["standings"]))


# ---- closed periods ---------------------------------------------------------------------------


async def test_closed_periods_are_listed_the_newest_first(everywhere: App) -> None:
    for _ in range(3):
        await give(everywhere, ada=5)
        everywhere.clock.advance(days=7)
    assert await page(everywhere, "weekly/periods") == {"closings": []}
    await everywhere.laurels.close_periods()

    closings = (await page(everywhere, "weekly/periods"))["closings"]

    assert [one["period"] for one in closings] == ["2026-W04", "2026-W03", "2026-W02"][-len(closings) :]
    assert closings[0]["end"] < closings[0]["closedAt"]
    assert len((await page(everywhere, "weekly/periods", limit=1))["closings"]) == 1
    assert (await read(everywhere, "none/periods")).status_code == 404


async def test_a_server_closes_periods_automatically(boards: App) -> None:
    await give(boards, ada=5)
    boards.clock.advance(days=9)
    async with server._repeating(boards.laurels.close_periods, server.CLOSE_PERIODS_SECONDS, "closing failed"):
        with anyio.fail_after(30):
            while not await boards.laurels.store.closings("weekly", 1):  # noqa: ASYNC110  # it happens in the database
                await anyio.sleep(0.01)
    assert [one.period for one in await boards.laurels.store.closings("weekly", 5)] == ["2026-W02"]
