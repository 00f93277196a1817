"""Different friends: one counts once, oneself never, in the default catalog and on leaderboards; no id of a friend is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.metrics import OWN_REFERENCE, REFERENCE
from laurels.errors import EventConflict
from laurels.present.events import EventResult
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.copying import copy
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.support import KINDS, at, badge, catalog, contents, count, new_database

pytestmark = pytest.mark.anyio

START = at("2026-01-14T12:00")
FRIENDS = {"kind": "distinct", "events": ["invited"], "of": "friend", "not_self": True}
BADGES = [badge("host", metric="friends", at_least=2)]
BOARDS = [
    {"id": "friends", "by": "metric", "of": "friends"},
    {"id": "weekly", "by": "metric", "of": "friends", "period": "week", "late_hours": 24 * 14},
]
WITH = catalog(metrics={"friends": FRIENDS}, badges=BADGES, leaderboards=BOARDS)
WITHOUT = catalog(metrics={"friends": count("invited")}, badges=BADGES, leaderboards=BOARDS)


async def refer(laurels: Laurels, name: str, friend: Any = None, quantity: int = 1, user: str = "ada") -> EventResult:
    data = None if friend is None else {"friend": friend}
    return await laurels.record(Event(user, name, "referral.completed", quantity=quantity, data=data))


async def invite(laurels: Laurels, name: str, friend: Any, days_ago: int = 0, user: str = "ada") -> EventResult:
    return await laurels.record(
        Event(user, name, "invited", START - timedelta(days=days_ago), data={"friend": friend, "by": "mail"})
    )


async def earned(laurels: Laurels, user: str = "ada") -> tuple[list[str], int]:
    profile = await laurels.profile(user)
    return [one.id for one in profile.badges], profile.points


async def lines(laurels: Laurels, board: str, period: str = "current") -> list[tuple[str, int]]:
    return [(line.user_id, line.score) for line in (await laurels.leaderboard(board, period)).standings]


async def test_by_default_one_friend_counts_once_and_oneself_never(database: str) -> None:
    async with sandbox(database=database) as (laurels, _):
        for number in range(5):
            await refer(laurels, f"same-{number}", "bob", quantity=3)
        assert await earned(laurels) == (["first_referral"], 100)

        own = await refer(laurels, "own", "eve", quantity=5, user="eve")
        assert await earned(laurels, "eve") == ([], 0)
        assert [(one.metric, one.pointer, one.why) for one in own.ignored] == [
            ("referrals", "/data/friend", "is the user's own id")
        ]

        for friend in ("cay", "dan", 5, 6):
            await refer(laurels, f"with-{friend}", friend)
        assert await earned(laurels) == (["first_referral", "referral_5"], 600)
        await check_stored(laurels)


async def test_by_default_events_that_name_no_one_count_by_their_quantity(database: str) -> None:
    async with sandbox(database=database) as (laurels, _):
        result = await refer(laurels, "five", quantity=5)
        assert result.ignored == ()
        assert await earned(laurels) == (["first_referral", "referral_5"], 600)
        await check_stored(laurels)


async def test_a_reversed_event_leaves_a_friend_who_was_named_again(database: str) -> None:
    async with sandbox(WITH, start=START, database=database) as (laurels, _):
        admin = Admin(laurels)
        for name, friend, days in (("1", "bob", 8), ("2", "bob", 0), ("3", "cay", 2)):
            await invite(laurels, name, friend, days)
        assert await earned(laurels) == (["host"], 10)
        assert await lines(laurels, "friends") == await lines(laurels, "weekly") == [("ada", 2)]
        assert await lines(laurels, "weekly", "previous") == [("ada", 1)]

        await admin.reverse("ada", "1", "a mistake", "a test")
        assert await lines(laurels, "friends") == await lines(laurels, "weekly") == [("ada", 2)]
        assert await lines(laurels, "weekly", "previous") == []
        await admin.reverse("ada", "2", "a mistake", "a test")
        assert await earned(laurels) == ([], 0)
        assert await lines(laurels, "friends") == await lines(laurels, "weekly") == [("ada", 1)]
        await admin.undo("ada", "reversal:1")
        assert await earned(laurels) == (["host"], 10)
        assert await lines(laurels, "weekly") == [("ada", 1)]
        await check_stored(laurels)


async def test_who_had_as_many_friends_first_is_ahead_in_any_order_of_arrival(database: str) -> None:
    async with sandbox(WITH, start=START, database=database) as (laurels, _):
        for name, friend, days in (("1", "x", 0), ("2", "y", 2), ("3", "x", 4)):  # two since the day before yesterday
            await invite(laurels, name, friend, days, "ada")
        for name, friend, days in (("1", "x", 3), ("2", "y", 1)):  # two since yesterday
            await invite(laurels, name, friend, days, "bob")
        assert await lines(laurels, "friends") == [("ada", 2), ("bob", 2)]
        await check_stored(laurels)


async def test_no_id_of_a_friend_remains_when_the_friend_is_erased(database: str) -> None:
    async with sandbox(WITH, start=START, database=database) as (laurels, _):
        await invite(laurels, "1", "bob-the-friend")
        await laurels.update_user("bob-the-friend")
        await laurels.erase_user("bob-the-friend")
        assert "bob-the-friend" not in repr(await contents(laurels.store))

        stored = await laurels.store.event("ada", "1")
        assert stored
        assert stored.event.data
        assert stored.event.data["by"] == "mail"
        assert stored.event.data["friend"].startswith(REFERENCE)
        await check_stored(laurels)


async def test_a_retry_is_a_duplicate_and_another_friend_a_conflict(database: str) -> None:
    async with sandbox(WITH, start=START, database=database) as (laurels, _):
        await invite(laurels, "1", "bob")
        assert (await invite(laurels, "1", "bob")).duplicate
        with pytest.raises(EventConflict):
            await invite(laurels, "1", "cay")
        own = await invite(laurels, "2", "ada")
        assert (await invite(laurels, "2", "ada")).ignored == own.ignored
        stored = await laurels.store.event("ada", "2")
        assert stored
        assert stored.event.data == {"friend": OWN_REFERENCE, "by": "mail"}


async def test_events_from_before_the_metric_count_with_later_ones(database: str) -> None:
    async with sandbox(WITHOUT, start=START, database=database) as (before, clock):
        for name, friend in (("1", "bob"), ("2", "bob"), ("3", "ada")):
            await invite(before, name, friend)
        assert await lines(before, "friends") == [("ada", 3)]

        laurels = Laurels(before.store, WITH, clock=clock, on_difference="apply")
        assert (await invite(laurels, "1", "bob")).duplicate
        await invite(laurels, "4", "bob")
        assert await lines(laurels, "friends") == [("ada", 1)]
        await check_stored(laurels)
        await laurels.group_commit.close()


@contextmanager
def silent(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
async def test_a_copy_knows_the_friends_of_before(source: str, target: str) -> None:
    with new_database(source) as first, new_database(target) as second:
        async with (
            sandbox(WITH, start=START, database=first) as (laurels, _),
            sandbox(WITH, start=START, database=second) as (copied, _),
        ):
            await invite(laurels, "1", "bob")
            await copy(laurels.store, copied.store, silent)
            await invite(copied, "2", "bob")
            assert await lines(copied, "friends") == [("ada", 1)]
            await invite(copied, "3", "cay")
            assert await lines(copied, "friends") == [("ada", 2)]
            await check_stored(copied)


def test_the_default_catalog_counts_different_friends() -> None:
    metric = Catalog.default().metrics["referrals"]
    assert (metric.kind, metric.of, metric.not_self, metric.missing) == ("distinct", "friend", True, "quantity")
