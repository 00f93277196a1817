"""What people define with metrics, each as a story: who, what happens, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from laurels import Event, Laurels
from laurels.present.events import EventResult
from laurels.service.admin import Admin
from laurels.testing import TestClock
from tests.support import at, badge, catalog

pytestmark = pytest.mark.anyio

NOW = at("2026-03-04T12:00")  # a Wednesday


@asynccontextmanager
async def opened(database: str, **tables: Any) -> AsyncIterator[Laurels]:
    """A Laurels with these tables; when it is left, what is stored must be what the events give."""
    async with Laurels.open(database, catalog(**tables), clock=TestClock(NOW)) as laurels:
        yield laurels
        for user_id in [name async for name in Admin(laurels).users()]:
            assert await Admin(laurels).verify(user_id) == []


async def send(
    laurels: Laurels, user: str, name: str, kind: str, hours_ago: float = 0, quantity: int = 1, **data: Any
) -> EventResult:
    return await laurels.record(Event(user, name, kind, NOW - timedelta(hours=hours_ago), quantity, data))


async def held(laurels: Laurels, user: str) -> list[str]:
    return [one.id for one in (await laurels.profile(user)).badges]


async def lines(laurels: Laurels, board: str, period: str = "current") -> list[tuple[int, str, int]]:
    page = await laurels.leaderboard(board, period)
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def test_only_long_articles_that_were_not_imported_count(database: str) -> None:
    async with opened(
        database,
        metrics={
            "articles": {
                "kind": "count",
                "events": ["published"],
                "where": {"words": {"at_least": 300}, "source": {"not": ["import", "bot"]}},
                "one": "article",
                "many": "articles",
            }
        },
        streaks={"reviewed": {"events": ["published"], "where": {"reviewer": {"exists": True}}}},
        points=[{"id": "paid", "events": ["published"], "where": {"plan": ["pro", "team"]}, "amount": 25}],
        badges=[badge("author", metric="articles", at_least=2)],
    ) as laurels:
        await send(laurels, "ada", "a-1", "published", 50, words=300, reviewer="bob")
        await send(laurels, "ada", "a-2", "published", 40, words=299, plan="free")
        await send(laurels, "ada", "a-3", "published", 30, words=900, source="import", plan="pro")
        explained = await laurels.explain("ada", "author")
        assert explained.sentence == "1 more article to earn Author."
        assert (await laurels.profile("ada")).points == 25

        await send(laurels, "ada", "a-4", "published", 1, words=2000, source="editor", plan="team", reviewer="cay")
        assert await held(laurels, "ada") == ["author"]
        streaks = {one.name: one.longest for one in (await laurels.streaks("ada")).streaks}
        assert streaks["reviewed"] == 1

        await Admin(laurels).reverse("ada", "a-1", "a copy", "a test")
        assert await held(laurels, "ada") == []


async def test_donations_are_counted_to_the_cent_and_shown_with_decimals(database: str) -> None:
    donated = {"kind": "sum", "events": ["donated"], "of": "amount", "scale": 100, "one": "euro", "many": "euros"}
    async with opened(
        database,
        metrics={"donated": donated, "largest": {**donated, "kind": "max"}},
        badges=[badge("patron", metric="donated", at_least=10_000)],
        leaderboards=[
            {"id": "givers", "by": "metric", "of": "donated"},
            {"id": "month", "by": "metric", "of": "donated", "period": "month"},
            {"id": "largest", "by": "metric", "of": "largest"},
        ],
    ) as laurels:
        for number, amount in enumerate((0.1, 0.2, 12.04)):
            await send(laurels, "ada", f"d-{number}", "donated", amount=amount)
        explained = await laurels.explain("ada", "patron")
        assert explained.sentence == "87.66 more euros to earn Patron."
        (check,) = explained.checks
        assert (check.text, check.current, check.target, check.scale) == ("100 euros", 1234, 10_000, 100)
        profile = await laurels.profile("ada", include=["next"])
        assert [(one.current, one.target, one.scale) for one in profile.next] == [(1234, 10_000, 100)]

        ignored = [
            (await send(laurels, "ada", name, "donated", amount=amount)).ignored[0].why
            for name, amount in (("fraction", 1.005), ("text", "5.00"), ("large", 1e13))
        ]
        assert ignored == [
            "must have at most 2 decimals",
            "must be a number, not a text",
            "must be from 0 to 9999999999999.99",
        ]
        await send(laurels, "ada", "d-9", "donated", amount=87.66)
        assert await held(laurels, "ada") == ["patron"]
        assert await lines(laurels, "givers") == await lines(laurels, "month") == [(1, "ada", 10_000)]
        assert await lines(laurels, "largest") == [(1, "ada", 8766)]
        assert (await laurels.leaderboard("givers")).board.scale == 100

        await Admin(laurels).reverse("ada", "d-1", "by mistake", "a test")
        assert await lines(laurels, "givers") == [(1, "ada", 9980)]
        assert await held(laurels, "ada") == []


async def test_a_person_who_sends_many_messages_in_one_day_is_no_further_than_the_cap(database: str) -> None:
    async with opened(
        database,
        metrics={
            "talks": {"kind": "count", "events": ["sent"], "cap_per_day": 2, "one": "message", "many": "messages"}
        },
        badges=[badge("regular", metric="talks", at_least=5)],
        leaderboards=[
            {"id": "all", "by": "metric", "of": "talks"},
            {"id": "week", "by": "metric", "of": "talks", "period": "week", "late_hours": 72},
        ],
    ) as laurels:
        for number in range(9):
            await send(laurels, "ada", f"m-{number}", "sent", 30)
        assert (await laurels.explain("ada", "regular")).sentence == "3 more messages to earn Regular."
        for number, hours_ago in enumerate((2, 54, 64)):  # Wednesday, Monday, and Sunday
            await send(laurels, "ada", f"n-{number}", "sent", hours_ago)
        await send(laurels, "bob", "b", "sent", 1)
        assert await lines(laurels, "all") == [(1, "ada", 5), (2, "bob", 1)]
        assert await lines(laurels, "week") == [(1, "ada", 4), (2, "bob", 1)]
        assert await lines(laurels, "week", "previous") == [(1, "ada", 1)]
        assert await held(laurels, "ada") == ["regular"]

        for number in range(7):  # two of the nine are left, and the cap hides that the others are gone
            await Admin(laurels).reverse("ada", f"m-{number}", "spam", "a test")
        assert await held(laurels, "ada") == ["regular"]
        await Admin(laurels).reverse("ada", "m-7", "spam", "a test")
        assert (await held(laurels, "ada"), await lines(laurels, "week")) == ([], [(1, "ada", 3), (2, "bob", 1)])


async def test_the_best_seven_days_of_reading_earn_a_badge_whenever_they_were(database: str) -> None:
    pages = {"kind": "sum", "events": ["read"], "within": "7 days", "one": "page in a week", "many": "pages in a week"}
    async with opened(
        database,
        metrics={"week": pages, "days": {"kind": "distinct_days", "events": ["read"], "within": "7 days"}},
        badges=[badge("sprint", metric="week", at_least=100), badge("steady", metric="days", at_least=3)],
        leaderboards=[
            {"id": "sprints", "by": "metric", "of": "week"},
            {"id": "month", "by": "metric", "of": "week", "period": "month"},
        ],
    ) as laurels:
        for number, (days_ago, quantity) in enumerate(((20, 40), (14, 50), (13, 5), (2, 60))):
            await send(laurels, "ada", f"r-{number}", "read", 24 * days_ago, quantity=quantity)
        assert await lines(laurels, "sprints") == [(1, "ada", 90)]
        assert (await laurels.explain("ada", "sprint")).sentence == "10 more pages in a week to earn Sprint."

        await send(laurels, "ada", "late", "read", 24 * 17, quantity=10)
        assert await lines(laurels, "sprints") == [(1, "ada", 100)]
        assert await held(laurels, "ada") == ["sprint", "steady"]
        assert (await laurels.explain("ada", "sprint")).earned_at == NOW - timedelta(days=14)
        assert await lines(laurels, "month") == [(1, "ada", 60)]

        await Admin(laurels).reverse("ada", "r-1", "not read", "a test")
        assert await lines(laurels, "sprints") == [(1, "ada", 60)]
        assert await held(laurels, "ada") == []


async def test_who_likes_one_post_again_and_again_counts_once_a_day(database: str) -> None:
    likes = {"kind": "count", "events": ["liked"], "once_per": "day", "per": ["post"], "one": "like", "many": "likes"}
    async with opened(
        database,
        metrics={"likes": likes, "hours": {"kind": "count", "events": ["liked"], "once_per": "hour"}},
        badges=[badge("fan", metric="likes", at_least=3)],
        leaderboards=[
            {"id": "fans", "by": "metric", "of": "likes"},
            {"id": "today", "by": "metric", "of": "likes", "period": "day"},
        ],
    ) as laurels:
        for number in range(6):
            await send(laurels, "ada", f"l-{number}", "liked", number / 10, post="p-1")
        unread = await send(laurels, "ada", "l-6", "liked", 1)
        assert [(one.metric, one.pointer, one.why) for one in unread.ignored] == [("likes", "/data/post", "is missing")]
        assert await lines(laurels, "fans") == [(1, "ada", 1)]
        await send(laurels, "ada", "l-7", "liked", 2, post="p-2")
        await send(laurels, "ada", "l-8", "liked", 26, post="p-1")
        assert (await held(laurels, "ada"), await lines(laurels, "today")) == (["fan"], [(1, "ada", 2)])
        user = await laurels.core.user("ada")
        assert user.progress.totals == {"likes": 3, "hours": 4}

        await Admin(laurels).reverse("ada", "l-7", "unliked", "a test")
        assert (await held(laurels, "ada"), await lines(laurels, "fans")) == ([], [(1, "ada", 2)])


async def test_a_corrected_zone_moves_events_to_other_days_and_so_past_a_cap(database: str) -> None:
    async with opened(
        database,
        metrics={
            "capped": {"kind": "count", "events": ["sent"], "cap_per_day": 1},
            "day": {"kind": "count", "events": ["sent"], "within": "1 day"},
            "turns": {"kind": "count", "events": ["sent"], "once_per": "day"},
        },
        leaderboards=[
            {"id": f"{of}-{period}", "by": "metric", "of": of, "period": period}
            for of in ("capped", "day")
            for period in ("all", "week")
        ],
    ) as laurels:
        await send(laurels, "ada", "m-1", "sent", 13)  # 23:00 of Tuesday in UTC
        await send(laurels, "ada", "m-2", "sent", 11)
        assert (await laurels.core.user("ada")).progress.totals == {"capped": 2, "day": 1, "turns": 2}
        zone = {"zone": "Asia/Tokyo", "first": "2026-03-02", "last": "2026-03-04"}
        await Admin(laurels).adjust("ada", "zone", "timeZone", zone, "was in Japan", "a test")
        assert (await laurels.core.user("ada")).progress.totals == {"capped": 1, "day": 2, "turns": 1}
        for period in ("all", "week"):
            assert await lines(laurels, f"capped-{period}") == [(1, "ada", 1)]
            assert await lines(laurels, f"day-{period}") == [(1, "ada", 2)]


async def test_a_runner_sees_the_best_time_and_the_newest_weight(database: str) -> None:
    metrics = {
        "best_time": {"kind": "min", "events": ["ran"], "of": "seconds", "one": "second", "many": "seconds"},
        "weight": {"kind": "last", "events": ["weighed"], "of": "kg", "scale": 10},
    }
    async with opened(
        database,
        metrics=metrics,
        badges=[badge("fast", metric="best_time", at_most=1200)],
        leaderboards=[
            {"id": "fastest", "by": "metric", "of": "best_time", "order": "lowest"},
            {"id": "weights", "by": "metric", "of": "weight"},
        ],
    ) as laurels:
        await send(laurels, "ada", "r-1", "ran", 5, seconds=1300)
        assert (await laurels.explain("ada", "fast")).checks[0].text == "1,200 seconds or less"
        await send(laurels, "ada", "r-2", "ran", 9, seconds=1190)  # from a watch that was offline
        assert (await held(laurels, "ada"), await lines(laurels, "fastest")) == (["fast"], [(1, "ada", 1190)])
        await send(laurels, "ada", "w-1", "weighed", 1, kg=71.5)
        await send(laurels, "ada", "w-2", "weighed", 30, kg=74)
        assert await lines(laurels, "weights") == [(1, "ada", 715)]
        await Admin(laurels).reverse("ada", "r-2", "the watch was wrong", "a test")
        assert (await held(laurels, "ada"), await lines(laurels, "fastest")) == ([], [(1, "ada", 1300)])


async def test_inviting_one_friend_often_or_oneself_counts_once_or_not_at_all(database: str) -> None:
    friends = {"kind": "distinct", "events": ["invited"], "of": "friend", "not_self": True, "many": "friends"}
    async with opened(
        database, metrics={"friends": friends}, badges=[badge("host", metric="friends", at_least=2)]
    ) as laurels:
        for number in range(4):
            await send(laurels, "ada", f"i-{number}", "invited", friend="bob")
        own = await send(laurels, "ada", "i-4", "invited", friend="ada")
        assert [(one.pointer, one.why) for one in own.ignored] == [("/data/friend", "is the user's own id")]
        assert (await laurels.explain("ada", "host")).checks[0].current == 1
        await send(laurels, "ada", "i-5", "invited", friend="cay")
        assert await held(laurels, "ada") == ["host"]
        await laurels.update_user("bob")
        await laurels.erase_user("bob")
        assert await held(laurels, "ada") == ["host"]
        stored = await laurels.store.event("ada", "i-0")
        assert stored
        assert "bob" not in str(stored.event.data)


async def test_a_badge_has_another_name_and_a_retired_one_stays_with_those_who_have_it(database: str) -> None:
    sent = {"sent": {"kind": "count", "events": ["sent"]}}
    first = {
        "metrics": sent,
        "badges": [badge("ten", metric="sent", at_least=2), badge("beta", metric="sent", at_least=1)],
    }
    async with opened(database, **first) as laurels:
        for number in range(2):
            await send(laurels, "ada", f"m-{number}", "sent")
        assert sorted(await held(laurels, "ada")) == ["beta", "ten"]
        later = [
            {**badge("decade", metric="sent", at_least=2), "was": "ten"},
            {**badge("beta", metric="sent", at_least=1), "retired": True},
        ]
        await Admin(laurels).apply_catalog(catalog(metrics=sent, badges=later), "better names", "a test")
        profile = await laurels.profile("ada")
        assert (sorted(one.id for one in profile.badges), profile.points) == (["beta", "decade"], 20)

        for number in range(2):
            await send(laurels, "bob", f"m-{number}", "sent")
        assert await held(laurels, "bob") == ["decade"]
        shown = await laurels.profile("bob")
        assert "beta" not in [one.id for one in shown.available_badges]


async def test_who_practises_after_midnight_keeps_the_streak_of_the_evening(database: str) -> None:
    streaks = {"nights": {"events": ["practised"], "day_starts": "04:00"}, "days": {"events": ["practised"]}}
    async with opened(database, streaks=streaks) as laurels:
        await laurels.update_user("ada", time_zone="UTC")
        await send(laurels, "ada", "p-1", "practised", 60)  # Monday at midnight: Sunday's night
        await send(laurels, "ada", "p-2", "practised", 35)  # Tuesday at 01:00: Monday's
        await send(laurels, "ada", "p-3", "practised", 13)  # Tuesday at 23:00
        lengths = {one.name: one.longest for one in (await laurels.streaks("ada")).streaks}
        assert (lengths["nights"], lengths["days"]) == (3, 2)
