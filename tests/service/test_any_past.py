"""Random catalogs one after the other, with events before, between and late: what rules pay is what an independent model says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.events import Event
from laurels.engine.rule_versions import read_past, text_of
from laurels.errors import ZoneChangeTooSoon
from tests.support import KINDS, MONDAY, badge, catalog, new_database
from tests.support.arena import Arena, arena
from tests.support.paid import Applied, Done, paid

TYPES = ("a", "b")
BOARDS = [{"id": "week", "period": "week"}, {"id": "day", "period": "day", "late_hours": 24 * 30}]
ZONES = ("UTC", "Pacific/Kiritimati", "America/Los_Angeles")

Tables = list[dict[str, Any]]
Step = tuple[Any, ...]


def dated(values: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    """A value that is another one from one or two days on; for some without a value before."""

    def entries(drawn: Any) -> list[dict[str, Any]]:
        begin, gap, (first, *later) = drawn
        days = [MONDAY.date() + timedelta(days=begin + number * gap) for number in range(3)]
        found = [{"is": first} if begin else {"from": days[0], "is": first}]
        for day, value in zip(days[1:], later, strict=False):
            found += [{"from": day, "is": value}] if value != found[-1]["is"] else []
        return found

    return st.tuples(st.integers(0, 3), st.integers(1, 3), st.lists(values, min_size=1, max_size=3)).map(entries)


CAPS = dated(st.integers(4, 9)).map(lambda caps: {"cap_per_day": caps})


@st.composite
def rules(draw: st.DrawFn) -> Tables:
    """Up to three point rules; the same ids return with other pay."""
    names = draw(st.lists(st.sampled_from(["r0", "r1", "r2"]), unique=True, max_size=3))
    return [
        {
            "id": name,
            "events": draw(st.sampled_from([["a"], ["b"], ["a", "b"]])),
            "amount": draw(st.integers(1, 4) | dated(st.integers(1, 4))),
            "per": draw(st.sampled_from(["event", "quantity"])),
            **draw(st.sampled_from([{}, {}, {"where": {"plan": "pro"}}])),
            **draw(st.sampled_from([{}, {}, {"cap_per_week": 11}])),
            **draw(st.sampled_from([{}, {"cap_per_day": 5}, {"cap_per_day": 8}]) | CAPS),
            **draw(st.sampled_from([{}, {}, {"past": "keep"}, {"past": "recompute"}])),
        }
        for name in names
    ]


NAMES = st.sampled_from([f"e{number}" for number in range(12)])
RECORD = st.tuples(
    st.just("record"),
    NAMES,
    st.sampled_from(TYPES),
    st.integers(0, 24 * 6),
    st.integers(1, 3),
    st.sampled_from(["pro", "free"]),
)
STEPS = st.lists(
    st.one_of(
        RECORD,
        RECORD,
        RECORD,
        st.tuples(st.just("reverse"), NAMES),
        st.tuples(st.just("undo"), NAMES),
        st.tuples(st.just("apply"), rules()),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("zone"), st.sampled_from(ZONES)),
    ),
    max_size=25,
)


async def take(one: Arena, step: Step, revisions: list[Applied]) -> None:
    now = one.clock()
    match step:
        case ("record", name, kind, hours, quantity, plan):
            at = min(now, MONDAY + timedelta(hours=hours))
            if await one.laurels.store.event("ada", name) is None:
                await one.laurels.record(Event("ada", name, kind, at, quantity, {"plan": plan}))
        case ("reverse", name):
            await one.admin.reverse("ada", name, "because", "a test")
        case ("undo", name):
            if await one.laurels.store.event("ada", name) is not None:
                await one.admin.reverse("ada", name, "because", "a test")
                await one.admin.undo("ada", f"reversal:{name}")
        case ("apply", tables):
            if tables != revisions[-1].points:
                await check_plan(one, revisions, tables)
                await one.apply(following(tables))
                revisions.append(Applied(now, tables))
        case ("wait", hours):
            one.clock.advance(hours=hours)
        case _:
            with suppress(ZoneChangeTooSoon):
                await one.laurels.update_user("ada", time_zone=step[1])


def following(tables: Tables) -> Any:
    """A catalog with these rules. Its badge shows that what depends on points follows them, and pays nothing."""
    return catalog(
        metrics={"m": {"kind": "count", "events": ["a"]}},
        points=tables,
        badges=[badge("rich", 0, points_of=12)],
        leaderboards=BOARDS,
    )


async def check_plan(one: Arena, revisions: list[Applied], tables: Tables) -> None:
    """A plan says what each rule whose pay changes has paid under both choices."""
    plan, events = await one.admin.plan_catalog(following(tables)), await events_of(one)
    for change in plan.pay:
        (table,) = [table for table in tables if table["id"] == change.id]
        for policy, found in (("keep", change.keep), ("recompute", change.recompute)):
            rule = [{**table, "past": policy}]
            assert found == paid([*only(change.id, revisions), Applied(plan.at, rule)], events)
        assert change.chosen == table.get("past", "keep")
        assert change.users == (change.keep != change.recompute)


def only(rule: str, revisions: list[Applied]) -> list[Applied]:
    return [Applied(row.at, [one for one in row.points if one["id"] == rule]) for row in revisions]


async def events_of(one: Arena) -> list[Done]:
    """The active events, on their days."""
    snapshot = await one.laurels.store.user_snapshot("ada")
    assert snapshot
    return [
        Done(row.event.id, row.event.type, row.event.occurred_at, row.event.day, row.event.quantity, row.event.data)
        for row in snapshot.events
        if row.reversed_by is None and row.event.occurred_at and row.event.day
    ]


async def play(database: str, first: Tables, steps: Sequence[Step]) -> None:
    async with arena(database, following(first), start=MONDAY) as one:
        await one.laurels.update_user("ada")
        revisions = [Applied(one.clock(), first)]
        for step in steps:
            await take(one, step, revisions)
        profile = await one.laurels.profile("ada")
        assert profile.points == paid(revisions, await events_of(one))
        catalog = one.laurels.catalog
        assert read_past(text_of(catalog.past)) == catalog.past


@pytest.mark.parametrize("kind", KINDS)
def test_rules_pay_what_the_version_that_was_in_force_pays_for_any_catalogs_and_events(kind: str) -> None:
    @settings(max_examples=100 if kind == "sqlite-memory" else 6)
    @given(rules(), STEPS)
    def check(first: Tables, steps: list[Step]) -> None:
        with new_database(kind) as database:
            asyncio.run(play(database, first, steps))

    check()
