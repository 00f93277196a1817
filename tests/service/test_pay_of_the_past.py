"""`past`: whether a change of what something pays counts from now on, or for all the past. Stories of an operator and a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.copying import copy
from tests.support import badge, catalog, sql
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

WEEKLY = [{"id": "weekly", "period": "week"}]
HOUR = timedelta(hours=1)


def paying(
    amount: Any, *more: dict[str, Any], points: int = 50, reward: dict[str, Any] | None = None, **keys: Any
) -> Catalog:
    """A rule that pays for each message, and a badge for two of them."""
    return catalog(
        metrics={"m": {"kind": "count", "events": ["m"]}},
        points=[*([{"id": "pay", "events": ["m"], "amount": amount, **keys}] if amount else []), *more],
        badges=[{**badge("two", points, metric="m", at_least=2), **(reward or {})}],
        leaderboards=WEEKLY,
    )


@contextmanager
def silent(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


async def send(one: Arena, name: str, ago: timedelta = timedelta()) -> None:
    await one.laurels.record(Event("ada", name, "m", one.clock() - ago))


async def points(one: Arena) -> int:
    return (await one.laurels.profile("ada")).points


async def paid(one: Arena) -> list[tuple[int, str]]:
    """The ledger: amounts and reasons."""
    return [
        (amount, reason)
        for amount, reason in await sql(
            one.laurels.store, "SELECT amount, reason FROM ledger ORDER BY revision, position"
        )
    ]


async def test_a_change_of_pay_counts_from_now_on_and_a_late_event_by_its_own_date(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(5))
        assert await points(one) == 2
        await send(one, "new")
        await send(one, "late", ago=HOUR)
        assert await points(one) == 2 + 50 + 5 + 2
        assert [entry for entry in await paid(one) if entry[1] != "moved"] == [
            (2, "rule"),
            (5, "rule"),
            (50, "badge"),
            (2, "rule"),
        ]


async def test_a_catalog_can_say_that_a_change_of_pay_counts_for_all_the_past(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(5, past="recompute"))
        assert (await points(one), await paid(one)) == (5, [(2, "rule"), (3, "catalog")])
        one.clock.advance(hours=2)
        await one.apply(paying(9))
        await one.apply(paying(9, past="recompute"))  # it is enough to say so later
        assert await points(one) == 9


async def test_a_new_rule_pays_from_now_on_and_a_removed_one_leaves_what_it_paid(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(0, {"id": "other", "events": ["m"], "amount": 7}))
        assert await points(one) == 2
        await send(one, "late", ago=HOUR)
        assert await points(one) == 2 + 2 + 50
        await send(one, "new")
        assert await points(one) == 2 + 2 + 50 + 7
        await one.admin.reverse("ada", "late", "because", "a test")
        assert await points(one) == 2 + 50 + 7

    async with arena("sqlite://", paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(2, {"id": "other", "events": ["m"], "amount": 7, "past": "recompute"}))
        assert await points(one) == 9


async def test_an_event_that_only_an_ended_rule_names_is_not_counted(database: str) -> None:
    async with arena(database, paying(2, {"id": "gone", "events": ["x"], "amount": 1})) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(2))
        late = await one.laurels.record(Event("ada", "x-1", "x", one.clock() - HOUR))
        new = await one.laurels.record(Event("ada", "x-2", "x"))
        assert (late.counted, new.counted, await points(one)) == (True, False, 3)


async def test_a_cap_goes_on_through_other_changes_and_begins_again_when_it_is_changed(database: str) -> None:
    async with arena(database, paying(2, cap_per_day=6)) as one:
        for name in ("a", "b"):
            await send(one, name)
        one.clock.advance(hours=2)
        await one.apply(paying(3, cap_per_day=6))
        await send(one, "c")
        assert await points(one) == 50 + 6  # 2 + 2, and what was left of the cap
        one.clock.advance(hours=1)
        await one.apply(paying(3, cap_per_day=7))
        for name in ("d", "e", "f"):
            await send(one, name)
        assert await points(one) == 50 + 6 + 7


async def test_going_back_to_a_revision_counts_from_then_on(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(5))
        await send(one, "m-2")
        one.clock.advance(hours=2)
        await one.admin.rollback_catalog(1, "because", "a test")
        await send(one, "m-3")
        assert await points(one) == 2 + 5 + 50 + 2
        await send(one, "late", ago=HOUR)
        assert await points(one) == 2 + 5 + 50 + 2 + 5


async def test_a_process_that_opens_the_database_later_and_a_copy_of_it_judge_alike(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'one.db'}"
    async with arena(address, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(5))
        rules, now = one.laurels.catalog.rules, one.clock()
    source, target = open_store(address), open_store(f"sqlite:///{tmp_path / 'two.db'}")
    await target.migrate()
    await copy(source, target, silent)
    await source.close()
    await target.close()
    for file in ("one.db", "two.db"):
        # The file of revision 2 is the database's catalog, although it does not know what was before.
        async with Laurels.open(f"sqlite:///{tmp_path / file}", paying(5), clock=lambda: now) as again:
            assert again.catalog.rules == rules != paying(5).rules
            await again.record(Event("ada", "late", "m", now - HOUR))
            assert (await again.profile("ada")).points == 2 + 2 + 50
            assert await Admin(again).verify("ada") == []


# ---- badges -----------------------------------------------------------------------------------


async def test_holders_keep_what_a_badge_paid_unless_the_catalog_says_recompute(database: str) -> None:
    more = {"reward": {"past": "recompute"}}
    async with arena(database, paying(0)) as one:
        await send(one, "m-1")
        await send(one, "m-2")
        one.clock.advance(days=8)
        await one.apply(paying(0, points=80))
        assert await points(one) == 50
        await one.apply(paying(0, points=80, **more))
        assert (await points(one), await paid(one)) == (80, [(50, "badge"), (30, "catalog")])
        assert [row.points for row in await one.laurels.store.awards("ada")] == [80]
        assert await one.lines() == []  # it counts in the week in which the badge was earned
        await one.apply(paying(0, points=10, **more))
        assert await points(one) == 10
        await one.admin.reverse("ada", "m-1", "because", "a test")
        assert await points(one) == 0
        await one.apply(paying(0, points=20, **more))
        await one.admin.undo("ada", "reversal:m-1")
        assert await points(one) == 20
        assert [row.points for row in await one.laurels.store.awards("ada")] == [20]


async def test_what_a_badge_pays_more_counts_in_the_period_in_which_it_was_earned(database: str) -> None:
    async with arena(database, paying(0)) as one:
        await send(one, "m-1")
        await send(one, "m-2")
        one.clock.advance(hours=1)
        await one.apply(paying(0, points=80, reward={"past": "recompute"}))
        assert await points(one) == 80
        assert await one.lines() == [(1, "ada", 80)]


# ---- plans ------------------------------------------------------------------------------------


async def test_a_plan_shows_what_both_choices_pay(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        await send(one, "m-2")
        await one.laurels.record(Event("bob", "m-1", "m"))
        one.clock.advance(hours=2)
        more = {"id": "new", "events": ["m"], "amount": 1, "past": "recompute"}
        following = paying(5, more, points=80, reward={"past": "recompute"})
        plan = await one.admin.plan_catalog(following)
        found = {(one.key, one.id): (one.chosen, one.keep, one.recompute, one.users) for one in plan.pay}
        assert found == {
            ("points", "pay"): ("keep", 6, 15, 2),
            ("points", "new"): ("recompute", 0, 3, 2),
            ("badges", "two"): ("recompute", 50, 80, 1),
        }
        assert (plan.points.before, plan.points.after) == (56, 6 + 3 + 80)
        await one.admin.apply_catalog(following, "because", "a test", plan=plan.token)
        assert (await points(one), (await one.laurels.profile("bob")).points) == (4 + 2 + 80, 2 + 1)


async def test_an_unknown_policy_is_refused_with_the_fix() -> None:
    with pytest.raises(
        CatalogError, match=r"points\[1\] 'pay'.past: unknown policy 'recomputed'; did you mean 'recompute'\?"
    ):
        paying(2, past="recomputed")
    assert paying(2, past="keep").rules == paying(2).rules  # it decides when it is applied, and nothing else


# ---- values that change on a day --------------------------------------------------------------


async def test_a_value_that_changes_on_a_day_changes_on_the_users_own_date(database: str) -> None:
    """An operator announces that answers pay more from the 8th on. It is the 8th in Kiritimati first."""
    amount = [{"is": 1}, {"from": date(2026, 1, 8), "is": 10}]
    async with arena(database, paying(1, points=0)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=1)
        await one.apply(paying(amount, points=0))
        await one.laurels.update_user("kim", time_zone="Pacific/Kiritimati")
        for user in ("ada", "kim"):
            await one.laurels.record(Event(user, "m-2", "m"))  # noon of the 7th in London
        assert [(await one.laurels.profile(user)).points for user in ("ada", "kim")] == [2, 10]
        one.clock.advance(days=1)
        await send(one, "m-3")
        await send(one, "late", ago=24 * HOUR)
        assert await points(one) == 2 + 10 + 1


# ---- caps per week ----------------------------------------------------------------------------


async def test_a_week_pays_no_more_than_its_cap_and_the_points_count_in_the_order_of_occurrence(database: str) -> None:
    """An operator pays 4 points for a message, at most 6 a day and 10 a week. The 7th of January is a Wednesday."""
    boards = [{"id": "daily", "period": "day", "late_hours": 24 * 30}]
    of = catalog(
        points=[{"id": "pay", "events": ["m"], "amount": 4, "cap_per_day": 6, "cap_per_week": 10}], leaderboards=boards
    )
    async with arena(database, of) as one:
        for name, ago in (("wed-1", 0), ("wed-2", 0), ("tue-1", 1)):
            await send(one, name, ago=24 * ago * HOUR)
        assert await points(one) == 6 + 4
        await send(one, "mon-1", ago=48 * HOUR)  # it is paid, and leaves less for what came after it
        assert await points(one) == 10
        assert [(await one.lines("daily", f"2026-01-0{day}")) for day in (5, 6, 7)] == [
            [(1, "ada", 4)],
            [(1, "ada", 4)],
            [(1, "ada", 2)],
        ]
        one.clock.advance(days=5)
        await send(one, "next")
        assert await points(one) == 14
        await one.admin.reverse("ada", "mon-1", "because", "a test")
        assert await points(one) == 14


# ---- reading as of an earlier time ------------------------------------------------------------


async def test_a_profile_as_of_an_earlier_time_is_computed_with_the_versions_of_that_time(database: str) -> None:
    async with arena(database, paying(2)) as one:
        await send(one, "m-1")
        one.clock.advance(hours=2)
        await one.apply(paying(5))
        one.clock.advance(hours=1)
        await one.laurels.record(Event("bob", "m-1", "m"))
        await send(one, "m-2")
        then = one.clock()
        as_then = (await one.laurels.profile("ada")).points
        one.clock.advance(hours=1)
        await one.apply(paying(9))
        one.clock.advance(hours=1)
        await send(one, "late", ago=4 * HOUR)
        assert await points(one) == 2 + 5 + 50 + 2

        now = one.clock()
        assert as_then == 2 + 5 + 50
        assert (await one.laurels.profile("ada", as_of=then)).points == as_then
        assert (await one.laurels.profile("ada", as_of=then, known_at=now)).points == as_then + 2
