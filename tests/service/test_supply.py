"""Limited supply: at most so many users have a badge at once, in the order in which their transactions are committed."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentRefused, CatalogError
from laurels.present.events import EventResult
from laurels.present.plans import PlannedUser
from laurels.service import group_commit, long_histories, period_rules, supplies
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.supplies import supply_differences
from laurels.storage import open_store
from laurels.storage.copying import copy
from tests.support import badge, catalog, new_database, sql
from tests.support.arena import Arena, arena, beside

pytestmark = pytest.mark.anyio

BUSY = {"busy": {"events": ["n"]}}
METRICS = {"m": {"kind": "count", "events": ["m"]}}


def founders(supply: int | None = 2, at_least: int = 2, *more: dict[str, Any], **keys: Any) -> Catalog:
    """A badge of 50 points for a number of events, of which there are some copies."""
    limited = {"supply": supply} if supply else {}
    badges = [{**badge("founder", 50, metric="m", at_least=at_least), **limited, **keys}, *more]
    return catalog(metrics=METRICS, streaks=BUSY, badges=badges)


async def record(one: Arena, name: str, events: int = 2, kind: str = "m", first: int = 0) -> list[EventResult]:
    return [await one.laurels.record(Event(name, f"{kind}-{n}", kind)) for n in range(first, first + events)]


async def holders(one: Arena) -> list[str]:
    """Who has the badge, by what the users' rows say; the awards must say the same."""
    rows = await sql(one.laurels.store, "SELECT user_id FROM awards WHERE badge = 'founder' ORDER BY user_id")
    names = [name for (name,) in rows]
    assert names == [name async for name in one.admin.users() if await has(one, name)]
    return names


async def has(one: Arena, name: str) -> bool:
    row = await one.laurels.store.user(name)
    return row is not None and "founder" in row.progress.badges


async def left(one: Arena, name: str = "ada") -> int:
    ((copies),) = (await one.laurels.profile(name, include=["copies"])).copies
    return copies.left


# ---- a story ------------------------------------------------------------------------------------


async def test_the_first_two_are_founders_and_the_third_sees_that_none_is_left(database: str) -> None:
    async with arena(database, founders()) as one:
        assert [result.awards for result in await record(one, "ada")][1][0].badge == "founder"
        await record(one, "bob", 1)
        assert await left(one) == 1
        assert [near.id for near in (await one.laurels.profile("bob", include=["next"])).next] == ["founder"]
        await record(one, "cem")
        await record(one, "bob", 1, first=1)

        profile = await one.laurels.profile("bob", include=["next", "toward", "copies"])
        assert await holders(one) == ["ada", "cem"]
        assert (profile.points, [*profile.next], [*profile.toward]) == (0, [], [])
        (copies,) = profile.copies
        assert (copies.badge, copies.supply, copies.left) == ("founder", 2, 0)
        about = await one.laurels.explain("bob", "founder")
        assert (about.earned, about.sentence) == (False, "None of the 2 copies of Founder is left.")
        assert about.checks[0].met
        overview = await one.laurels.overview("bob")
        assert overview.explanations[0].sentence == about.sentence
        assert "earned on" in (await one.laurels.explain("cem", "founder")).sentence


async def test_a_freed_copy_goes_to_the_next_user_who_is_due_and_sends_any_event_that_counts(database: str) -> None:
    async with arena(database, founders()) as one:
        for name in ("ada", "bob", "cem", "dot"):
            await record(one, name)
        await one.adjust("bob", "revocation", badge="founder")
        assert (await holders(one), await left(one)) == (["ada"], 1)  # no one gets it without doing something

        await record(one, "dot", 1, "n")
        assert await holders(one) == ["ada", "dot"]
        assert not (await record(one, "cem", 1, "n"))[0].awards
        await one.admin.undo("bob", "revocation")
        assert await holders(one) == ["ada", "dot"]  # bob's copy is dot's now
        assert (await one.laurels.profile("bob")).points == 0

        await one.laurels.erase_user("ada")
        await record(one, "bob", 1, "n")
        assert (await holders(one), (await one.laurels.profile("bob")).points) == (["bob", "dot"], 50)


async def test_a_reversal_frees_a_copy_and_its_undo_takes_one_only_if_one_is_left(database: str) -> None:
    async with arena(database, founders(1)) as one:
        await record(one, "ada")
        await record(one, "bob")
        await one.admin.reverse("ada", "m-1", "spam", "a test")
        assert await holders(one) == []
        await one.admin.undo("ada", "reversal:m-1")
        assert await holders(one) == ["ada"]
        await one.admin.reverse("ada", "m-1", "spam", "a test")
        await record(one, "bob", 1, "n")
        await one.admin.undo("ada", "reversal:m-1")
        assert (await holders(one), (await one.laurels.profile("ada")).points) == (["bob"], 0)


async def test_a_grant_takes_a_copy_and_is_refused_when_none_is_left(database: str) -> None:
    async with arena(database, founders(1)) as one:
        await one.laurels.update_user("ada")
        await one.adjust("ada", "grant", badge="founder")
        await record(one, "bob")
        with pytest.raises(
            AdjustmentRefused, match="all 1 copies of the badge 'founder' are taken; to grant it, revoke one"
        ):
            await one.adjust("bob", "grant", badge="founder")
        await one.adjust("ada", "grant", "again", badge="founder")  # who has it loses nothing
        assert await holders(one) == ["ada"]
        await one.admin.undo("ada", "again")
        await one.admin.undo("ada", "grant")
        assert await holders(one) == []
        await one.adjust("bob", "grant", badge="founder")
        assert await holders(one) == ["bob"]


async def test_copies_go_in_the_order_of_events_within_one_transaction(database: str) -> None:
    async with arena(database, founders(2, 1)) as one:
        events = [Event(name, "m-0", "m") for name in ("dot", "cem", "bob", "ada", "dot")]
        results = await one.laurels.record_many(events)
        assert [bool(getattr(result, "awards", ())) for result in results] == [True, True, False, False, True]
        assert await holders(one) == ["cem", "dot"]


async def test_what_a_copy_pays_can_earn_another_limited_badge(database: str) -> None:
    rich = {**badge("rich", 5, points_of=50), "supply": 1}
    async with arena(database, founders(2, 2, rich)) as one:
        await record(one, "ada")
        await record(one, "bob")
        assert [row.badge for row in await one.laurels.store.awards("ada")] == ["founder", "rich"]
        assert [row.badge for row in await one.laurels.store.awards("bob")] == ["founder"]


async def test_late_events_do_not_move_the_date_on_which_a_copy_was_taken(database: str) -> None:
    async with arena(database, founders(1)) as one:
        await record(one, "ada")
        await record(one, "bob")
        start = one.clock()
        one.clock.advance(days=2)
        await one.adjust("ada", "revocation", badge="founder")
        await record(one, "bob", 1, "n")
        await one.laurels.record(Event("bob", "late", "m", start))
        (earned,) = (await one.laurels.profile("bob", include=["earned"])).earned
        assert (earned.event_id, earned.earned_at) == ("n-0", one.clock())


# ---- catalogs -----------------------------------------------------------------------------------


async def test_a_larger_supply_reaches_those_who_are_due_and_a_smaller_one_takes_nothing(database: str) -> None:
    async with arena(database, founders(1)) as one:
        for name in ("ada", "bob", "cem"):
            await record(one, name)
        await one.apply(founders(2))
        assert [(await one.laurels.profile(name)).points for name in ("cem", "bob")] == [50, 0]
        assert await holders(one) == ["ada", "cem"]
        plan = await one.admin.plan_catalog(founders(1))
        assert "badges 'founder': 2 users have it, more than its supply of 1; they keep it" in plan.warnings
        await one.apply(founders(1))
        for name in ("ada", "bob", "cem"):
            await one.laurels.profile(name)
        assert (await holders(one), await left(one)) == (["ada", "cem"], 0)
        await one.adjust("ada", "revocation", badge="founder")
        await record(one, "bob", 1, "n")
        assert await holders(one) == ["cem"]
        await one.apply(founders(None))
        assert (await one.laurels.profile("bob", include=["copies"])).copies == []


async def test_a_supply_counts_who_has_the_badge_already_under_any_of_its_ids(database: str) -> None:
    async with arena(database, founders(None)) as one:
        await record(one, "ada")
        pioneer = {**badge("pioneer", 50, metric="m", at_least=2), "supply": 2, "was": "founder"}
        await one.apply(catalog(metrics=METRICS, streaks=BUSY, badges=[pioneer]))
        for name in ("bob", "cem"):
            await record(one, name)
        assert await one.laurels.store.supplies() == {"pioneer": 2}
        assert [(await one.laurels.profile(name)).points for name in ("ada", "bob", "cem")] == [50, 50, 0]
        await one.laurels.erase_user("ada")
        assert await one.laurels.store.supplies() == {"pioneer": 1}


@pytest.mark.parametrize(("supply", "what"), [(0, "1 or more"), (True, "1 or more"), ("many", "1 or more")])
async def test_a_supply_is_a_whole_number(supply: object, what: str) -> None:
    with pytest.raises(CatalogError, match=f"supply: must be a whole number of {what}"):
        catalog(metrics=METRICS, badges=[{**badge("founder", metric="m", at_least=1), "supply": supply}])


async def test_a_supply_is_part_of_the_rules_only_where_there_is_one() -> None:
    assert founders(None).rules != founders(2).rules != founders(3).rules


# ---- plans --------------------------------------------------------------------------------------


@pytest.mark.parametrize("counted_again", [False, True])
@pytest.mark.parametrize("is_long", [False, True])
async def test_a_plan_says_who_gets_the_copies_and_applying_it_does_that(
    database: str, monkeypatch: pytest.MonkeyPatch, *, is_long: bool, counted_again: bool
) -> None:
    if is_long:  # most users have a history that is computed apart
        for module in (group_commit, long_histories, period_rules):
            monkeypatch.setattr(module, "LONG", 2)
    async with arena(database, founders(None, 99)) as one:
        for number in range(30):
            await record(one, f"user-{29 - number:02}", 4 if number % 3 else 2)
        following = (
            founders(7)
            if not counted_again
            else catalog(
                metrics={**METRICS, "n": {"kind": "count", "events": ["n"]}},
                streaks=BUSY,
                badges=[{**badge("founder", 50, metric="m", at_least=2), "supply": 7}],
            )
        )
        users: list[PlannedUser] = []
        plan = await one.admin.plan_catalog(following, each=users.append)
        assert plan.basis == ("events" if counted_again else "progress")
        gained = [user.user_id for user in users if user.gained]
        assert gained == [f"user-{number:02}" for number in range(7)]
        assert [(about.gained, about.none_left) for about in plan.badges] == [(7, 23)]
        assert (
            "badges 'founder': 23 users qualify and find none left; 7 more get a copy, in the order of the users' ids"
            in plan.warnings
        )
        await one.admin.apply_catalog(following, "because", "a test", plan=plan.token)
        await one.admin.fill()
        assert await holders(one) == gained


async def test_a_plan_gives_on_what_users_lose_under_the_new_catalog(database: str) -> None:
    async with arena(database, founders(2, 2)) as one:
        for name in ("ada", "bob", "cem", "dot"):
            await record(one, name, 2 if name in ("ada", "bob") else 5)
        stricter, users = founders(2, 4, holders="lose"), list[PlannedUser]()
        plan = await one.admin.plan_catalog(stricter, each=users.append)
        assert [(user.user_id, user.gained, user.lost) for user in users] == [
            ("ada", [], ["founder"]),
            ("bob", [], ["founder"]),
            ("cem", ["founder"], []),
            ("dot", ["founder"], []),
        ]
        await one.admin.apply_catalog(stricter, "because", "a test", plan=plan.token)
        await one.admin.fill()
        assert await holders(one) == ["cem", "dot"]


# ---- long histories, several processes, verification ------------------------------------------------


async def test_a_user_with_a_long_history_gets_no_copy_that_others_took_meanwhile(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (group_commit, long_histories, period_rules):
        monkeypatch.setattr(module, "LONG", 2)
    async with arena(database, founders(None, 99)) as one:
        for name in ("ada", "bob", "cem"):
            await record(one, name, 4)
        await one.apply(founders(1))
        await asyncio.gather(*(one.laurels.profile(name) for name in ("ada", "bob", "cem")))
        assert len(await holders(one)) == 1


async def test_two_processes_that_both_see_the_last_copy_give_it_once(database: str) -> None:
    async with arena(database, founders(5, 1)) as one, beside(one, founders(5, 1)) as other:
        names = [f"user-{number:02}" for number in range(40)]
        await asyncio.gather(
            *(on.laurels.record(Event(name, "m-0", "m")) for on, name in zip([one, other] * 20, names, strict=True))
        )
        assert len(await holders(one)) == 5
        assert await left(one, "user-00") == 0


async def test_a_wrong_number_of_copies_is_found_and_corrected(database: str) -> None:
    async with arena(database, founders(2)) as one:
        await record(one, "ada")
        await sql(one.laurels.store, "UPDATE supplies SET taken = 2")
        (wrong,) = await supply_differences(one.laurels.core)
        assert (wrong.what, wrong.stored, wrong.rebuilt) == ("copies of founder", "2", "1")
        assert await supplies.fix_supplies(one.laurels.core) == 1
        await sql(one.laurels.store, "DELETE FROM supplies")
        assert await supplies.fix_supplies(one.laurels.core) == 1
        await record(one, "bob")
        assert await holders(one) == ["ada", "bob"]


async def test_rebuilding_a_user_whose_row_is_wrong_counts_what_the_awards_say(database: str) -> None:
    async with arena(database, founders(2)) as one:
        await record(one, "ada")
        await sql(one.laurels.store, "DELETE FROM awards")
        await sql(one.laurels.store, "UPDATE supplies SET taken = 0")
        await one.admin.rebuild("ada")
        assert (await holders(one), await one.laurels.store.supplies()) == (["ada"], {"founder": 1})


@pytest.mark.parametrize("kind", ["sqlite-memory", "postgresql"])
async def test_never_more_than_the_supply_with_grants_revocations_and_erasures_meanwhile(kind: str) -> None:
    with new_database(kind) as database:
        async with arena(database, founders(3, 1)) as one:
            names, most = [f"user-{number:02}" for number in range(24)], 0

            async def watch() -> None:
                nonlocal most
                while True:
                    ((holding,),) = await sql(one.laurels.store, "SELECT count(*) FROM awards WHERE badge = 'founder'")
                    most = max(most, holding)
                    await asyncio.sleep(0)

            async def live(number: int, name: str) -> None:
                for turn in range(4):
                    await one.laurels.record(Event(name, f"m-{turn}", "m"))
                    if await has(one, name):
                        await one.adjust(name, "revocation", f"r-{turn}", badge="founder")
                        await one.admin.undo(name, f"r-{turn}")
                if number % 6 == 0:
                    await one.laurels.erase_user(name)

            watching = asyncio.create_task(watch())
            await asyncio.gather(*(live(number, name) for number, name in enumerate(names)))
            for name in names[1:6]:
                await one.laurels.record(Event(name, "last", "m"))
            watching.cancel()
            assert most == 3
            assert len(await holders(one)) == 3


async def test_a_copy_of_a_database_counts_on(tmp_path: Any) -> None:
    database = f"sqlite:///{tmp_path / 'one.db'}"
    async with Laurels.open(database, founders(1, 1), on_difference="apply") as laurels:
        await laurels.record(Event("ada", "m-0", "m"))
    source, target = open_store(database), open_store(f"sqlite:///{tmp_path / 'two.db'}")
    await target.migrate()
    await copy(source, target, lambda _label, _total: nullcontext(lambda _done: None))
    await source.close()
    await target.close()
    async with Laurels.open(f"sqlite:///{tmp_path / 'two.db'}", founders(1, 1)) as laurels:
        assert not (await laurels.record(Event("bob", "m-0", "m"))).awards
        assert await Admin(laurels).verify("bob") == []
