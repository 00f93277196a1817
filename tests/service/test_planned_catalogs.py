"""What a plan of a catalog says, what it warns of, and how it is applied by its token."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError, InvalidInput, PlanOutdated, StoreUnavailable
from laurels.present.plans import CatalogPlan, PlannedUser
from laurels.service import planning
from laurels.service.admin import Admin
from laurels.testing import sandbox
from tests.support import badge, catalog, sql, toml
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

RULES: dict[str, Any] = {
    "metrics": {"m": {"kind": "count", "events": ["m"]}},
    "points": [{"id": "pay", "events": ["m"], "amount": 2, "cap_per_day": 100}],
    "badges": [badge("three", 50, metric="m", at_least=3)],
}
BASE = catalog(**RULES)
LEVELS = [{"title": "One", "points": 0}, {"title": "Two", "points": 50}]
WHY = ("because", "a test")


def other(**tables: Any) -> Catalog:
    return catalog(**{**RULES, **tables})


async def record(one: Arena, **events: int) -> None:
    """Record this many events of each user."""
    for name, number in events.items():
        for which in range(number):
            await one.laurels.record(Event(name, f"m-{which}", "m"))


async def points(one: Arena, *names: str) -> list[int]:
    return [(await one.laurels.profile(name)).points for name in names]


async def test_a_plan_says_what_differs_who_is_affected_and_what_it_was_made_from(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=4, bob=2, cy=1)
        plan = await one.admin.plan_catalog(other(badges=[badge("three", 60, metric="m", at_least=2)]))

    assert plan.differences == ["badges 'three'.points: from 50 to 60", "badges 'three'.when: from '3 m' to '2 m'"]
    assert (plan.base, plan.basis, plan.users, plan.affected) == (1, "progress", 3, 1)
    assert (plan.outdated, plan.from_events) == (0, 0)
    assert [(one.badge, one.gained, one.lost) for one in plan.badges] == [("three", 1, 0)]
    assert (plan.points.before, plan.points.after, plan.points.paid, plan.points.more) == (64, 124, 60, 1)
    assert [user.user_id for user in plan.most_affected] == ["bob"]
    assert plan.apply_seconds > 0


async def test_a_plan_of_other_texts_computes_no_user(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=4)
        plan = await one.admin.plan_catalog(other(badges=[{**RULES["badges"][0], "name": "Four"}]))

    assert (plan.basis, plan.users, plan.affected, plan.points.before) == ("nothing", 1, 0, 58)
    assert plan.differences == ["badges 'three'.name: from 'Three' to 'Four'"]


async def test_a_plan_names_the_ten_users_who_are_affected_most(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, **{f"u{number:02}": number for number in range(1, 14)})
        seen: list[PlannedUser] = []
        plan = await one.admin.plan_catalog(other(points=[]), each=seen.append)

    assert plan.basis == "events"
    assert [user.user_id for user in plan.most_affected] == [f"u{number:02}" for number in range(13, 3, -1)]
    assert [user.user_id for user in seen] == [f"u{number:02}" for number in range(1, 14)]
    assert (plan.points.taken, plan.points.fewer) == (182, 13)


async def test_users_who_were_not_read_since_the_last_revision_come_under_the_new_one_directly(database: str) -> None:
    two = badge("two", 7, metric="m", at_least=2)
    async with arena(database, BASE) as one:
        await record(one, ada=2, bob=2)
        await one.apply(other(badges=[*RULES["badges"], two]))
        await one.laurels.profile("ada")
        found: list[PlannedUser] = []
        following = other(badges=[*RULES["badges"], badge("two", 7, metric="m", at_least=99)])
        plan = await one.admin.plan_catalog(following, each=found.append)
        await one.apply(following)

        assert (plan.outdated, plan.from_events) == (1, 1)
        assert [(user.user_id, user.lost, user.points.after) for user in found] == [("bob", ["two"], 4)]
        assert await points(one, "ada", "bob") == [11, 4]
        assert [(badge.badge, badge.unqualified) for badge in plan.badges] == [("two", 1)]


async def test_a_plan_reads_users_in_small_pieces_while_others_write(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PAGE", 3)
    monkeypatch.setattr(planning, "TOGETHER", 4)
    async with arena(database, BASE) as one:
        await record(one, **{f"u{number}": 2 for number in range(8)})
        done: list[int] = []
        writes: list[asyncio.Task[Any]] = []

        def write(number: int) -> None:
            done.append(number)
            writes.append(asyncio.create_task(one.laurels.record(Event("u0", f"late-{number}", "m"))))

        plan = await one.admin.plan_catalog(other(points=[]), progress=write)
        await asyncio.gather(*writes)

    assert done == [3, 6, 8]
    assert (plan.users, plan.affected) == (8, 8)


async def test_a_user_who_is_erased_meanwhile_is_left_out(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "TOGETHER", 1)
    async with arena(database, BASE) as one:
        await record(one, ada=1, bob=1, cy=1)
        load = one.laurels.store.load

        async def erasing(request: Any) -> Any:
            await one.laurels.erase_user("bob")
            return await load(request)

        monkeypatch.setattr(one.laurels.store, "load", erasing)
        plan = await one.admin.plan_catalog(other(points=[]))

    assert plan.users == 2


async def test_a_catalog_that_must_not_follow_has_no_plan(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=3)
        with pytest.raises(CatalogError, match=r"badges 'three': is gone, but 1 user"):
            await one.admin.plan_catalog(other(badges=[]))


async def test_a_plan_ends_if_another_catalog_is_put_in_force_meanwhile(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PAGE", 1)
    async with arena(database, BASE) as one:
        await record(one, ada=3, bob=1)
        await plan_and_apply(one, other(points=[]), one.apply(other(levels=LEVELS)))


async def plan_and_apply(one: Arena, planned: Catalog, applied: Coroutine[Any, Any, None]) -> None:
    """Plan a catalog, and put another one in force when the first user is read."""
    read = one.laurels.store.users_after

    async def applying(after: str, limit: int) -> Any:
        if after == "ada":
            await applied
        return await read(after, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one.laurels.store, "users_after", applying)
        with pytest.raises(PlanOutdated):
            await one.admin.plan_catalog(planned)


# ---- applying a plan --------------------------------------------------------------------------


async def planned(one: Arena, following: Catalog) -> CatalogPlan:
    """A plan, made at another time than anything else."""
    one.clock.advance(seconds=1)
    plan = await one.admin.plan_catalog(following)
    one.clock.advance(seconds=1)
    return plan


async def test_a_token_applies_what_was_planned_and_names_the_users_who_moved(database: str) -> None:
    following = other(badges=[badge("three", 60, metric="m", at_least=2)])
    async with arena(database, BASE) as one:
        await record(one, ada=2, bob=1)
        plan = await planned(one, following)
        await one.laurels.record(Event("bob", "since", "m"))
        applied = await one.admin.apply_catalog(following, *WHY, plan=plan.token)
        again = await one.admin.apply_catalog(following, *WHY, plan=plan.token)
        done: list[int] = []
        await one.admin.fill(done.append)
        lines = (await one.laurels.leaderboard()).standings

        assert (applied.is_new, applied.revision.number, applied.moved) == (True, 2, ["bob"])
        assert (again.is_new, again.revision.number) == (False, 2)
        assert done == [2]
        assert [(line.user_id, line.score) for line in lines] == [("ada", 64), ("bob", 64)]
        assert not one.laurels.core.recomputing


async def test_a_catalog_is_in_force_where_the_users_who_moved_cannot_be_read(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "laurels.security")
    following = other(levels=LEVELS)

    async def fail(*_: object) -> list[str]:
        raise StoreUnavailable("the connection was lost")

    async with arena(database, BASE) as one:
        await record(one, ada=2)
        plan = await planned(one, following)
        monkeypatch.setattr(one.laurels.store, "users_changed_since", fail)
        applied = await one.admin.apply_catalog(following, *WHY, plan=plan.token)

    assert (applied.is_new, applied.moved) == (True, None)
    assert any(record.getMessage().startswith("event=catalog.applied") for record in caplog.records)


async def test_the_users_who_moved_are_read_before_a_catalog_is_put_in_force(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = other(levels=LEVELS)
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        plan = await planned(one, following)
        await record(one, bob=1)
        read, seen = one.laurels.store.users_changed_since, list[int]()

        async def noted(*values: Any) -> Sequence[str]:
            seen.append((await one.laurels.store.catalog_key())[0])
            return await read(*values)

        monkeypatch.setattr(one.laurels.store, "users_changed_since", noted)
        applied = await one.admin.apply_catalog(following, *WHY, plan=plan.token)

    assert (seen, applied.revision.number, applied.moved) == ([1], 2, ["bob"])


async def test_a_token_is_refused_for_another_catalog_or_base(database: str) -> None:
    following = other(levels=LEVELS)
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        plan = await planned(one, following)

        with pytest.raises(PlanOutdated, match="another catalog"):
            await one.admin.apply_catalog(other(points=[]), *WHY, plan=plan.token)
        await one.apply(other(points=[]))
        with pytest.raises(PlanOutdated, match="began from revision 1, and revision 2 is in force"):
            await one.admin.apply_catalog(following, *WHY, plan=plan.token)
        assert len(await one.admin.catalog_revisions()) == 2


async def test_a_token_that_this_database_did_not_sign_is_refused(database: str) -> None:
    following = other(levels=LEVELS)
    async with arena(database, BASE) as one, sandbox(BASE) as (elsewhere, _):
        await record(one, ada=2)
        await elsewhere.record(Event("ada", "m-1", "m"))
        token = (await planned(one, following)).token

        for wrong in (token + "x", token[:-3], "plan-", "", "ä", token.replace("plan-", "plan-A"), token[5:]):
            with pytest.raises(InvalidInput, match="not the token of a plan of this database"):
                await one.admin.apply_catalog(following, *WHY, plan=wrong)
        with pytest.raises(InvalidInput, match="of this database"):
            await Admin(elsewhere).apply_catalog(following, *WHY, plan=token)
        assert len(await one.admin.catalog_revisions()) == 1


async def test_going_back_to_a_revision_is_planned_and_applied_as_the_next_one(database: str) -> None:
    first = other(points=[{**RULES["points"][0], "past": "recompute"}])
    async with arena(database, first) as one:
        await record(one, ada=2, bob=3)
        pay = {"id": "pay", "events": ["m"], "amount": 5, "past": "recompute"}
        await one.apply(other(levels=LEVELS, points=[pay]))
        assert await points(one, "ada", "bob") == [10, 65]

        plan = await planned(one, await one.admin.catalog_of(1))
        applied = await one.admin.rollback_catalog(1, *WHY, plan=plan.token)

        assert (plan.base, plan.affected, plan.points.taken, plan.levels.lower) == (2, 2, 15, 1)
        assert (applied.revision.number, applied.revision.text, applied.moved) == (3, first.text, [])
        assert await points(one, "ada", "bob") == [4, 56]
        with pytest.raises(InvalidInput, match="there is no revision 9"):
            await one.admin.rollback_catalog(9, *WHY)


async def test_a_server_brings_all_users_under_a_planned_catalog_in_the_background(database: str) -> None:
    following = other(points=[{"id": "pay", "events": ["m"], "amount": 9}])
    async with arena(database, BASE) as one:
        await record(one, ada=1, bob=1)
        await one.laurels.period_rules.apply()
        plan = await planned(one, following)
        await one.admin.apply_catalog(following, *WHY, plan=plan.token)
        async with asyncio.timeout(20):
            while one.laurels.core.recomputing:  # noqa: ASYNC110  # the same process recomputes
                await asyncio.sleep(0.01)
        assert not await one.laurels.store.are_under_other_rules(one.laurels.catalog.rules)


async def test_a_plan_names_the_rules_that_the_revision_will_have(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        changed = other(points=[{**RULES["points"][0], "amount": 7}])
        plan = await one.admin.plan_catalog(changed)
        applied = await one.admin.apply_catalog(changed, *WHY, plan=plan.token)
        back = await one.admin.plan_catalog(BASE)
        again = await one.admin.rollback_catalog(1, *WHY)
        assert (applied.revision.rules, again.revision.rules) == (plan.rules, back.rules)


# ---- announced or silent ----------------------------------------------------------------------

GIVEN = other(badges=[badge("three", 60, metric="m", at_least=2)], leaderboards=[{"id": "week", "tell_top": 3}])


async def notified(one: Arena) -> list[tuple[str, str]]:
    """The users and types of all notifications, except those of events."""
    rows = await sql(one.laurels.store, "SELECT user_id, type, data FROM outbox ORDER BY user_id, revision, position")
    return [(user_id, kind) for user_id, kind, _ in rows]


@pytest.mark.parametrize("filled", [True, False])
async def test_users_are_notified_of_what_an_announced_catalog_gives_them(database: str, *, filled: bool) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        await one.admin.apply_catalog(GIVEN, *WHY)
        await (one.admin.fill() if filled else one.laurels.profile("ada"))
        assert ("ada", "badge.earned") in await notified(one)


@pytest.mark.parametrize("filled", [True, False])
async def test_users_are_not_notified_of_what_a_silent_catalog_gives_them(database: str, *, filled: bool) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=2, bob=1)
        before = await notified(one)
        applied = await one.admin.apply_catalog(GIVEN, *WHY, silent=True)
        await (one.admin.fill() if filled else one.laurels.profile("ada"))

        assert applied.revision.silent
        assert await notified(one) == before
        assert await points(one, "ada", "bob") == [64, 2]
        await one.laurels.record(Event("bob", "later", "m"))
        assert ("bob", "badge.earned") in await notified(one)


async def test_what_a_silent_catalog_gives_stays_silent_under_a_later_one(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=2, bob=1)
        await one.laurels.record(Event("cy", "c", "m"))
        await one.admin.apply_catalog(GIVEN, *WHY, silent=True)
        before = await notified(one)
        await one.laurels.profile("bob")
        two = badge("one", 5, metric="m", at_least=1)
        more = Catalog.parse(GIVEN.text.replace("badges = [", f"badges = [{toml(two)}, "))
        await one.admin.apply_catalog(more, *WHY)
        await one.laurels.profile("ada")
        assert await notified(one) == before
        await one.laurels.profile("bob")  # was under the silent revision already
        assert ("bob", "badge.earned") in await notified(one)


async def test_an_event_that_brings_a_user_under_a_silent_catalog_notifies_of_itself_only(database: str) -> None:
    following = other(badges=[*RULES["badges"], badge("two", 60, metric="m", at_least=2)])
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        await one.admin.apply_catalog(following, *WHY, silent=True)
        result = await one.laurels.record(Event("ada", "third", "m"))
        earned = await sql(one.laurels.store, "SELECT data FROM outbox WHERE type = 'badge.earned'")

        assert [award.badge for award in result.awards] == ["three"]
        assert len(earned) == 1
        assert "three" in str(earned[0])
        assert await points(one, "ada") == [116]


async def test_a_plan_is_refused_for_another_policy(database: str) -> None:
    async with arena(database, BASE) as one:
        await record(one, ada=2)
        loud, silent = await planned(one, GIVEN), await one.admin.plan_catalog(GIVEN, silent=True)

        assert (loud.silent, silent.silent) == (False, True)
        with pytest.raises(PlanOutdated, match="for a change that is announced, and this one is silent"):
            await one.admin.apply_catalog(GIVEN, *WHY, plan=loud.token, silent=True)
        with pytest.raises(PlanOutdated, match="for a change that is silent, and this one is announced"):
            await one.admin.apply_catalog(GIVEN, *WHY, plan=silent.token)
        applied = await one.admin.apply_catalog(GIVEN, *WHY, plan=silent.token, silent=True)
        assert (applied.revision.silent, applied.revision.filled) == (True, 0)
        await one.admin.fill()
        row = (await one.admin.catalog_revisions())[-1]
        assert (row.filled, row.filled_at is not None) == (1, True)


# ---- warnings ---------------------------------------------------------------------------------


async def warned(before: Catalog, after: Catalog, inflation: int = 20, **events: int) -> list[str]:
    async with arena(of=before) as one:
        await record(one, **events)
        return (await one.admin.plan_catalog(after, inflation=inflation)).warnings


async def test_points_that_grow_by_more_than_the_given_share_are_warned_of() -> None:
    more = other(points=[{"id": "pay", "events": ["m"], "amount": 3, "cap_per_day": 100}])

    assert await warned(BASE, more, ada=1) == ["the points of all users grow by 50.0 %, from 2 to 3"]
    assert await warned(BASE, more, inflation=50, ada=1) == []
    assert await warned(other(points=[]), more, ada=1) == ["the points of all users grow from nothing, from 0 to 3"]


async def test_a_threshold_that_is_raised_on_holders_is_warned_of() -> None:
    raised = other(badges=[badge("three", 50, metric="m", at_least=5)])

    assert await warned(BASE, raised, ada=4, bob=5) == [
        "badges 'three': 1 user who has it does not meet the new condition, and keeps it"
    ]


async def test_a_lower_level_is_warned_of() -> None:
    assert await warned(other(levels=LEVELS), BASE, ada=4) == ["levels: 1 user falls to a lower level"]
