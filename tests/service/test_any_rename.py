"""Random histories with renames and spends: when a rename comes, and in which order events come, does not matter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentNotFound, AdjustmentRefused
from tests.service.test_history import Place, place
from tests.support import MONDAY, badge, catalog

Step = tuple[Any, ...]
START = 500
"""The points that everyone is given first, so that no order of events lets a spend be refused."""


def rules(two: str, rich: str, work: str, week: str, was: Mapping[str, str]) -> Catalog:
    def named(key: str, **fields: Any) -> dict[str, Any]:
        return {**fields, **({"was": was[key]} if key in was else {})}

    return catalog(
        metrics={"m": {"kind": "count", "events": ["m"]}},
        points=[{"id": "m", "events": ["m"], "amount": 3, "per": "quantity"}],
        streaks={"login": {"events": ["login"]}, work: named("work", events=["m"])},
        badges=[
            named("two", **badge(two, 50, metric="m", at_least=2)),
            named("rich", **badge(rich, 30, points_of=START + 65)),
            badge("both", 7, all_of=[{"has_badge": two}, {"has_badge": rich}]),
            badge("run", 9, streak=work, streak_of=3),
        ],
        leaderboards=[named("week", id=week, period="week")],
    )


OLD = rules("two", "rich", "work", "week", {})
NEW = rules("second", "wealthy", "craft", "weekly", {name: name for name in ("two", "rich", "work", "week")})

NAMES = st.sampled_from([f"e{number}" for number in range(6)])
ACTS = st.sampled_from([f"a{number}" for number in range(4)])
RECORD = st.tuples(st.just("record"), NAMES, st.integers(1, 9), st.integers(0, 4))
SPEND = st.tuples(st.just("spend"), ACTS, st.integers(1, 60))
STEPS = st.one_of(
    RECORD,
    st.tuples(st.just("reverse"), NAMES),
    st.tuples(st.just("undo"), NAMES.map("reversal:{}".format) | ACTS),
    st.tuples(st.just("badge"), ACTS, st.sampled_from(["grant", "revocation"]), st.sampled_from(["two", "rich"])),
    st.tuples(st.just("pause"), ACTS, st.integers(0, 4)),
    SPEND,
)


async def take(home: Place, step: Step) -> None:
    match step:
        case ("record", name, quantity, days):
            if await home.laurels.store.event("ada", name) is None:
                await home.laurels.record(Event("ada", name, "m", MONDAY.replace(day=5 + days), quantity))
        case ("reverse", name):
            await home.admin.reverse("ada", name, "because", "a test")
        case ("undo", name):
            await home.admin.undo("ada", name)
        case ("badge", name, kind, of):
            await home.adjust(f"{kind}-{of}-{name}", kind, badge=of)
        case ("pause", name, days):
            day = MONDAY.replace(day=5 + days).date().isoformat()
            await home.adjust(f"{name}-{days}", "pause", streak="work", first=day, last=day)
        case (_, name, amount):
            await home.adjust(f"{name}-{amount}", "points", amount=amount, spend=True)


async def outcome(steps: Sequence[Step], renamed_at: int) -> Any:
    """What a user has after these steps, with the new names given before one of them."""
    async with place(OLD, start=MONDAY.replace(day=9)) as home:
        await home.laurels.update_user("ada", name="Ada")
        await home.adjust("start", "points", amount=START)
        for number, step in enumerate([*steps, ("end",)]):
            if number == renamed_at:
                await home.admin.apply_catalog(NEW, "because", "a test")
            try:
                await take(home, step) if step != ("end",) else None
            except (AdjustmentNotFound, AdjustmentRefused):
                continue
        profile = await home.laurels.profile("ada", include=["balance"])
        awards = sorted((row.badge, row.points) for row in await home.laurels.store.awards("ada"))
        work = (await home.laurels.streaks("ada")).streaks[1]
        week = [line.score for line in (await home.laurels.leaderboard("weekly")).standings]
        return profile.points, profile.balance, awards, (work.name, work.length, work.longest, work.total_days), week


@settings(max_examples=25)
@given(st.lists(STEPS, min_size=3, max_size=12), st.data())
def test_a_rename_at_any_time_gives_what_the_new_names_would_have_given_from_the_start(
    steps: list[Step], data: st.DataObject
) -> None:
    renamed_at = data.draw(st.integers(0, len(steps)))
    assert asyncio.run(outcome(steps, renamed_at)) == asyncio.run(outcome(steps, 0))


@settings(max_examples=15)
@given(st.lists(RECORD | SPEND, min_size=3, max_size=8), st.randoms())
def test_events_and_spends_in_any_order_leave_the_same_points_and_balance(
    steps: list[Step], order: random.Random
) -> None:
    unique = list({step[:2] if step[0] == "record" else step: step for step in steps}.values())
    other = order.sample(unique, len(unique))
    middle = len(unique) // 2
    assert asyncio.run(outcome(unique, middle)) == asyncio.run(outcome(other, middle))
