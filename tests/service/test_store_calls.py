"""How often the store is called to answer a request: counted over a real store of each engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import pytest

from laurels import Admin, Catalog, Event, Laurels, Profile, UserErased
from laurels.storage import open_store
from laurels.storage.contract import Store
from laurels.testing import TestClock
from tests.support import MONDAY, badge, catalog, count

pytestmark = pytest.mark.anyio

RULES = catalog(
    metrics={"messages": count("message")},
    badges=[badge("first", metric="messages", at_least=1), badge("second-day", 30, streak="login", streak_of=2)],
)


class CountingStore:
    """A store that notes the name of each method that is called on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def noted(*args: Any, **options: Any) -> Any:
            if name != "keyring":  # once read, the keys are held in memory
                self.calls.append(name)
            return found(*args, **options)

        return noted


@dataclass
class Counted:
    """A Laurels over a counting store."""

    laurels: Laurels
    store: CountingStore
    clock: TestClock

    async def calls(self, work: Callable[[], Awaitable[Any]]) -> list[str]:
        """The store calls of this work."""
        self.store.calls.clear()
        await work()
        return list(self.store.calls)

    async def log_in(self) -> Profile:
        return await self.laurels.profile("ada", login=True)

    def under(self, rules: Catalog) -> Laurels:
        """The same database under another catalog."""
        return Laurels(cast(Store, self.store), rules, clock=self.clock, on_difference="apply")


@pytest.fixture
async def counted(database: str) -> AsyncIterator[Counted]:
    store, clock = CountingStore(open_store(database)), TestClock(MONDAY)
    laurels = Laurels(cast(Store, store), RULES, clock=clock)
    await laurels.store.migrate()
    await laurels.record(Event("bob", "e-1", "message"))
    await laurels.profile("bob")  # what is read once for a process: whether it is a sandbox, and the secret
    yield Counted(laurels, store, clock)
    await laurels.close()


async def test_a_profile_is_one_call(counted: Counted) -> None:
    await counted.log_in()

    assert await counted.calls(counted.log_in) == ["profile_view"]
    assert await counted.calls(lambda: counted.laurels.profile("ada")) == ["profile_view"]


async def test_the_profile_of_a_hidden_user_is_one_call(counted: Counted) -> None:
    counted.clock.advance(hours=1)
    await counted.laurels.record(Event("ada", "e-1", "message"))
    await counted.laurels.update_user("ada", visibility="hidden")
    await counted.log_in()

    assert await counted.calls(counted.log_in) == ["profile_view"]
    assert (await counted.log_in()).user_rank == 2


async def test_the_first_login_of_a_day_is_one_more_call(counted: Counted) -> None:
    assert await counted.calls(counted.log_in) == ["profile_view", "change"]


async def test_a_login_that_moves_points_reads_the_leaders_again(counted: Counted) -> None:
    await counted.log_in()
    counted.clock.advance(days=1)

    assert await counted.calls(counted.log_in) == ["profile_view", "change", "profile_view"]
    profile = await counted.log_in()
    assert (profile.points, profile.user_rank, profile.leaderboard[0].points) == (30, 1, 30)


async def test_a_login_under_new_rules_is_one_change(counted: Counted) -> None:
    await counted.log_in()
    counted.clock.advance(days=1)
    rules = catalog(badges=[badge("second-day", 99, streak="login", streak_of=2)])
    laurels = counted.under(rules)
    await laurels.profile("bob")

    calls = await counted.calls(lambda: laurels.profile("ada", login=True))

    assert calls == ["profile_view", "change", "profile_view"]
    assert (await laurels.profile("ada")).points == 99
    await laurels.group_commit.close()


async def test_the_first_profile_after_an_amnesty_is_one_change(counted: Counted) -> None:
    await counted.log_in()
    await Admin(counted.laurels).add_amnesty(date(2026, 1, 1), date(2026, 1, 2), "an outage", "a test")

    assert await counted.calls(counted.log_in) == ["profile_view", "change", "profile_view"]
    assert await counted.calls(counted.log_in) == ["profile_view"]


async def test_a_login_after_another_change_agrees_with_the_leaders(counted: Counted) -> None:
    """A change between the view and the login must not leave the user with points that the leaders do not show."""
    counted.clock.advance(hours=1)
    view = counted.store._store.profile_view

    async def changed_after(user_id: str, limit: int) -> Any:
        found = await view(user_id, limit)
        counted.store.__dict__.pop("profile_view")
        await counted.laurels.record(Event("ada", "e-1", "message"))
        return found

    counted.store.profile_view = changed_after

    profile = await counted.log_in()

    assert (profile.points, profile.user_rank, [one.points for one in profile.leaderboard]) == (10, 2, [10, 10])


async def test_a_user_who_is_erased_during_a_login_stays_erased(counted: Counted) -> None:
    view = counted.store._store.profile_view

    async def erased_after(user_id: str, limit: int) -> Any:
        found = await view(user_id, limit)
        await counted.laurels.erase_user("ada")
        return found

    await counted.log_in()
    counted.clock.advance(days=1)
    counted.store.profile_view = erased_after

    with pytest.raises(UserErased):
        await counted.log_in()


async def test_a_time_zone_that_changes_during_a_login_leaves_one_login_for_each_day(counted: Counted) -> None:
    view = counted.store._store.profile_view

    async def moved_after(user_id: str, limit: int) -> Any:
        found = await view(user_id, limit)
        counted.store.__dict__.pop("profile_view")
        await counted.laurels.update_user("ada", time_zone="Pacific/Kiritimati")
        return found

    counted.store.profile_view = moved_after

    assert (await counted.log_in()).streak == 1  # noon of Monday in UTC is Tuesday on Kiritimati
    counted.clock.advance(days=1)
    assert (await counted.log_in()).streak == 2
    counted.clock.advance(days=1)
    assert (await counted.log_in()).streak == 3


async def test_an_overview_is_one_call(counted: Counted) -> None:
    await counted.laurels.record(Event("ada", "e-1", "message"))
    await counted.log_in()

    assert await counted.calls(lambda: counted.laurels.overview("ada")) == ["user_details"]
    overview = await counted.laurels.overview("ada", limit=1)
    assert overview.profile.history
    assert (len(overview.profile.history.entries), overview.profile.history.next) == (1, 2)
    (first, _) = overview.explanations
    assert first.event
    assert (first.badge, first.event.id, overview.profile.rank) == ("first", "e-1", await counted.laurels.rank("ada"))


async def test_an_overview_without_refresh_writes_nothing_and_says_that_it_is_outdated(counted: Counted) -> None:
    await counted.laurels.record(Event("ada", "e-1", "message"))
    laurels = counted.under(catalog())

    calls = await counted.calls(lambda: laurels.overview("ada", refresh=False))

    assert "change" not in calls
    assert (await laurels.overview("ada", refresh=False)).outdated
    assert not (await laurels.overview("ada")).outdated
    await laurels.group_commit.close()


async def test_a_time_far_later_needs_no_other_calls(counted: Counted) -> None:
    await counted.log_in()
    counted.clock.advance(days=400)
    await counted.log_in()

    assert await counted.calls(counted.log_in) == ["profile_view"]
    assert counted.clock() == MONDAY + timedelta(days=400)
