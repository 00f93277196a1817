"""Leaderboards that rank users apart, by a value of an attribute: which one a reader sees, and what happens to its lines."""

from __future__ import annotations

import pytest

from laurels.engine.events import Event
from laurels.engine.leaderboards import Visibility
from laurels.errors import InvalidInput
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.support import at, catalog

pytestmark = pytest.mark.anyio

LOCAL = catalog(
    points=[{"id": "a", "events": ["a"], "amount": 10, "per": "quantity"}],
    leaderboards=[
        {"id": "local", "within": "country", "period": "day", "late_hours": 0},
        {"id": "clubs", "teams": "club:"},
    ],
)
PEOPLE: list[tuple[str, str, int, Visibility | None]] = [
    ("ada", "de", 3, None),
    ("bea", "de", 2, "hidden"),
    ("cyd", "de", 2, None),
    ("dan", "de", 1, None),
    ("eva", "fr", 9, None),
    ("fay", "hidden", 5, None),
    ("gus", "hidden", 5, None),
]


async def populate(laurels: Laurels) -> None:
    for user, country, quantity, visibility in PEOPLE:
        await laurels.update_user(user, groups=[f"country:{country}", "staff"], visibility=visibility)
        await laurels.record(Event(user, "e", "a", quantity=quantity))


async def ranks(laurels: Laurels, value: str | None, **more: str) -> list[tuple[int, str]]:
    page = await laurels.leaderboard("local", within=value, **more)
    return [(line.rank, line.user_id) for line in page.standings]


async def test_readers_see_the_leaderboard_of_their_own_value(database: str) -> None:
    async with sandbox(LOCAL, start=at("2026-01-05T12:00"), database=database) as (laurels, _):
        empty = await laurels.leaderboard("local")
        assert (empty.within, empty.values, empty.standings) == ("", [], [])
        await populate(laurels)
        own = await laurels.leaderboard("local", me="dan")
        assert (own.within, own.values, own.me and own.me.rank) == ("de", ["de", "fr", "hidden"], 3)
        assert await ranks(laurels, "de") == [(1, "ada"), (2, "cyd"), (3, "dan")]
        assert await ranks(laurels, "fr", me="dan") == [(1, "eva")]
        assert await ranks(laurels, "it") == []
        no_country = await laurels.leaderboard("local", me="stranger")
        assert no_country.within == "de"
        with pytest.raises(InvalidInput, match="all users of 'points' are ranked together"):
            await laurels.leaderboard("points", within="de")


async def test_a_user_whose_value_changes_takes_the_score_along(database: str) -> None:
    async with sandbox(LOCAL, start=at("2026-01-05T12:00"), database=database) as (laurels, _):
        await populate(laurels)
        await laurels.update_user("ada", groups=["country:fr", "country:it"])
        assert await ranks(laurels, "fr") == [(1, "eva"), (2, "ada")]
        assert await ranks(laurels, "it") == [(1, "ada")]
        assert await ranks(laurels, "de") == [(1, "cyd"), (2, "dan")]
        await laurels.update_user("ada", groups=[])
        assert (await laurels.leaderboard("local")).values == ["de", "fr", "hidden"]


async def test_closed_ranks_stay_when_users_are_erased_or_move(database: str) -> None:
    async with sandbox(LOCAL, start=at("2026-01-05T12:00"), database=database) as (laurels, clock):
        await populate(laurels)
        clock.set(at("2026-01-06T00:00:01"))
        assert await laurels.close_periods() == [("local", "2026-01-05")]
        assert await laurels.close_periods() == []
        await laurels.update_user("dan", groups=["country:fr"])
        await laurels.erase_user("bea")
        await laurels.erase_user("ada")
        await laurels.erase_user("fay")
        await laurels.record(Event("dan", "late", "a", at("2026-01-05T13:00")))
        page = await laurels.leaderboard("local", "2026-01-05", within="de")
        assert [(line.rank, line.user_id) for line in page.standings] == [(2, "cyd"), (3, "dan")]
        assert page.period.status == "closed"
        assert await ranks(laurels, "fr", period="2026-01-05") == [(1, "eva")]
        assert await ranks(laurels, "hidden", period="2026-01-05") == [(2, "gus")]


async def test_lines_around_a_user_are_of_that_user_s_value(database: str) -> None:
    async with sandbox(LOCAL, start=at("2026-01-05T12:00"), database=database) as (laurels, _):
        await populate(laurels)
        assert await ranks(laurels, None, around="eva") == [(1, "eva")]
        assert await ranks(laurels, None, around="eva", me="dan") == [(1, "eva")]
        assert (
            await ranks(laurels, None, around="bea", me="eva") == []
        )  # a hidden user tells nothing, not even a country
        with pytest.raises(InvalidInput, match="leaderboard of teams"):
            await laurels.leaderboard("clubs", within="de")


async def test_a_closed_period_is_looked_up_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sandbox(LOCAL, start=at("2026-01-05T12:00"), database=database) as (laurels, clock):
        await populate(laurels)
        clock.set(at("2026-01-06T00:00:01"))

        async def no_walk() -> list[tuple[str, str]]:
            raise AssertionError

        monkeypatch.setattr(laurels.store, "periods", no_walk)
        for _ in range(2):
            assert await ranks(laurels, "fr", period="2026-01-05") == [(1, "eva")]
        assert await ranks(laurels, "fr", period="1001-01-01") == []
