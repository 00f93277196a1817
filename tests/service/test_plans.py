"""A plan of a catalog: it says what applying does, user by user, and stores nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentRefused, CatalogError
from laurels.present.plans import CatalogPlan, PlannedUser
from laurels.service import planning
from laurels.service.laurels import Laurels
from tests.support import KINDS, MONDAY, badge, catalog, contents, count, new_database
from tests.support.arena import Arena, arena
from tests.support.strategies import (
    AVAILABLE,
    METRICS,
    STREAKS,
    boosts,
    conditions,
    histories,
    may_be_available,
    rules,
)

BOARDS = [
    {"id": "week", "period": "week"},
    {"id": "runs", "by": "streak", "of": "pro", "period": "month"},
    {"id": "largest", "by": "metric", "of": "largest"},
    {"id": "capped", "by": "metric", "of": "capped", "period": "week"},
    {"id": "busiest", "by": "metric", "of": "busiest"},
    {"id": "days", "by": "metric", "of": "days", "period": "week", "order": "lowest"},
    {"id": "weighted", "by": "metric", "weights": {"counted": 3, "summed": 1}, "period": "week"},
    {"id": "others", "except_groups": ["staff"]},
    {"id": "apart", "within": "country", "period": "week"},
]


OTHER_STREAKS = st.sampled_from(
    [
        {},
        {"busy": {"events": ["a", "b"]}},
        {"training": {**STREAKS["training"], "days": 2}},
        {"training": {**STREAKS["training"], "week_starts": "mon"}, "pro": {**STREAKS["pro"], "cadence": "monthly"}},
    ]
)
OTHER_METRICS = st.sampled_from(
    [
        {},
        {"counted": {**METRICS["counted"], "where": {}}},
        {"counted": count("a", "b"), "sized": {**METRICS["sized"], "kind": "max"}},
        {"days": {**METRICS["days"], "events": ["b"]}, "busiest": {**METRICS["busiest"], "events": ["a", "b"]}},
    ]
)
LEVELS = st.one_of(
    st.builds(lambda two: [{"title": "One", "points": 0}, {"title": "Two", "points": two}], st.integers(1, 200)),
    st.builds(lambda count, first: {"count": count, "first": first}, st.integers(1, 9), st.integers(1, 60)),
    st.builds(lambda first: {"count": 6, "first": first, "growth": "1.5"}, st.integers(1, 60)),
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """The tables of a catalog with five badges."""
    names = tuple(f"b{number}" for number in range(5))
    points = [{**draw(rules(f"r{number}")), **draw(PAST)} for number in range(draw(st.integers(0, 2)))]
    return {
        "metrics": METRICS | draw(OTHER_METRICS),
        "streaks": STREAKS | draw(OTHER_STREAKS),
        "points": points,
        "boosts": draw(boosts(tuple(rule["id"] for rule in points))),
        "levels": draw(LEVELS),
        "badges": draw(badges(names)),
        "leaderboards": draw(
            st.lists(st.sampled_from([*BOARDS, BOARDS[-1] | {"within": "region"}]), unique_by=lambda board: board["id"])
        ),
    }


@st.composite
def badges(draw: st.DrawFn, names: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        when, keys = draw(conditions(tuple(names[:index]))), draw(KEYS)
        if "member_for" in str(when):  # a badge for time cannot be limited
            keys = {key: value for key, value in keys.items() if key != "supply"}
        days = draw(AVAILABLE) if may_be_available(when) else {}
        found.append({**badge(name, draw(st.integers(0, 60)), **when), **keys, **days})
    return found


LIMITED = {"supply": 2, "holders": "lose"}
KEYS = st.sampled_from(
    [
        *({}, {}, {}, {"retired": True}, {"holders": "lose"}, {"supply": 1}, {"supply": 2}, LIMITED),
        *({"past": "recompute"}, {"holders": "lose", "past": "recompute"}, {**LIMITED, "past": "recompute"}),
    ]
)
PAST = st.sampled_from([{}, {"past": "recompute"}, {"past": "keep"}])


def simple(badges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same badges without what needs everything stored of a user: a limited supply, and conditions in order."""
    found = [{key: value for key, value in one.items() if key != "supply"} for one in badges]
    return [one | {"when": {"metric": "counted", "at_least": 3}} if "in_order" in str(one) else one for one in found]


@st.composite
def pairs(draw: st.DrawFn, *, counted_alike: str) -> tuple[Catalog, Catalog]:
    """A catalog, and one that may follow it. Of what is counted from events, all, most or any part is the same in both."""
    before, after = draw(tables()), draw(tables())
    if counted_alike == "all":
        kept = [{key: value for key, value in one.items() if key != "available"} for one in after["badges"]]
        after = {**before, "badges": kept, "levels": after["levels"]}
    if counted_alike == "most":
        others = draw(st.sampled_from([("metrics",), ("streaks",), ("points",), ("metrics", "streaks", "points")]))
        same = {key: after[key] for key in ("badges", "levels", *others)}
        before, after = ({**before, **one, "badges": simple(one["badges"])} for one in (before, same))
        before["leaderboards"] = after["leaderboards"] = [one for one in before["leaderboards"] if not one.get("by")]
    known = {board["id"] for board in after["leaderboards"]}
    after["leaderboards"] = [*after["leaderboards"], *(one for one in before["leaderboards"] if one["id"] not in known)]
    return catalog(**before), catalog(**after)


ADJUSTMENTS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "revocation", "points", "exclusion"]), st.integers(0, 4), st.integers(-50, 200)
    ),
    max_size=3,
)
PEOPLE = st.lists(st.tuples(histories(12), ADJUSTMENTS), min_size=1, max_size=4)

Seen = tuple[int, int, frozenset[str], Mapping[str, tuple[int, int]], Mapping[tuple[str, str, str], int]]

GROUPS = (["country:de", "region:eu"], ["staff", "country:fr", "region:eu"], ["country:de", "country:fr"], [])


async def populate(one: Arena, people: Sequence[tuple[list[Event], list[tuple[str, int, int]]]]) -> list[str]:
    """Users with these events and adjustments."""
    names = [f"user-{number}" for number in range(len(people))]
    for position, (name, (events, adjustments)) in enumerate(zip(names, people, strict=True)):
        joined = MONDAY + timedelta(days=position) if position % 2 else None
        await one.laurels.update_user(name, groups=GROUPS[position % len(GROUPS)], joined_at=joined)
        for event in events:
            await one.laurels.record(
                Event(name, event.id, event.type, event.occurred_at, quantity=event.quantity, data=event.data)
            )
        for number, (kind, of, amount) in enumerate(adjustments):
            data = {"points": {"amount": amount or 1}, "exclusion": {}}.get(kind, {"badge": f"b{of}"})
            with suppress(AdjustmentRefused):
                await one.adjust(name, kind, f"a{number}", **data)
    return names


async def seen(one: Laurels, names: Sequence[str]) -> dict[str, Seen]:
    """What readers see of each user."""
    found: dict[str, Seen] = {}
    for name in names:
        profile, streaks = await one.profile(name), (await one.streaks(name)).streaks
        lines: dict[tuple[str, str, str], int] = {}
        for (partition, period), place in (await one.store.standings_of(name)).items():
            board, _, value = partition.partition("/in/=")
            lines[board.partition("/")[0], period, value.removesuffix("/hidden")] = place.sort_key
        held = frozenset(row.badge for row in await one.store.awards(name))
        runs = {streak.name: (streak.length, streak.longest) for streak in streaks}
        found[name] = (profile.points, profile.level, held, runs, lines)
    return found


def difference(name: str, before: Seen, after: Seen, of: Catalog) -> dict[str, Any] | None:
    """What changed for a user by what readers see, in the words of a plan; None if nothing did."""
    (points, level, held, runs, lines), (points2, level2, held2, runs2, lines2) = before, after

    def score(line: tuple[str, str, str], of_lines: Mapping[tuple[str, str, str], int]) -> int | None:
        return of.boards[line[0]].score(of_lines[line]) if line in of_lines else None

    streaks = {
        streak: (runs.get(streak, (0, 0)), runs2.get(streak, (0, 0)))
        for streak in {**runs, **runs2}
        if runs.get(streak, (0, 0)) != runs2.get(streak, (0, 0))
    }
    moved = {
        line: (score(line, lines), score(line, lines2))
        for line in {**lines, **lines2}
        if lines.get(line) != lines2.get(line)
    }
    found = {
        "points": (points, points2),
        "level": (level, level2),
        "gained": held2 - held,
        "lost": held - held2,
        "streaks": streaks,
        "lines": moved,
    }
    return None if before == after else found


def planned(user: PlannedUser) -> dict[str, Any]:
    """The same of a planned user."""
    return {
        "points": (user.points.before, user.points.after),
        "level": (user.level.before, user.level.after),
        "gained": frozenset(user.gained),
        "lost": frozenset(user.lost),
        "streaks": {
            one.streak: ((one.length.before, one.longest.before), (one.length.after, one.longest.after))
            for one in user.streaks
        },
        "lines": {(one.leaderboard, one.period, one.within): (one.before, one.after) for one in user.leaderboards},
    }


def no(*_catalogs: object) -> None:
    return None


async def planned_without(one: Arena, following: Catalog, *ways: str) -> list[PlannedUser]:
    """The affected users of a plan that does not use these ways to read less of users."""
    users: list[PlannedUser] = []
    with pytest.MonkeyPatch.context() as patch:
        for way in ways:
            patch.setattr(planning, way, no)
        plan = await one.admin.plan_catalog(following, each=users.append)
    if "recount_of" in ways:
        assert plan.from_events == (0 if plan.basis == "nothing" else plan.users)
    return users


async def check_plan(kind: str, before: Catalog, after: Catalog, people: Any) -> CatalogPlan | None:
    """Plan a catalog, apply it, and compare with what all readers see before and after."""
    with new_database(kind) as database:
        async with arena(database, before, start=MONDAY + timedelta(days=13)) as one:
            names = await populate(one, people)
            was, stored, users = await seen(one.laurels, names), await contents(one.laurels.store), list[PlannedUser]()
            try:
                plan = await one.admin.plan_catalog(after, each=users.append)
            except CatalogError:
                with pytest.raises(CatalogError):
                    await one.apply(after)
                return None
            assert await contents(one.laurels.store) == stored
            assert await planned_without(one, after, "suffices") == users
            assert await planned_without(one, after, "suffices", "recount_of") == users
            await one.apply(after)
            now = await seen(one.laurels, names)
            changed = {name: difference(name, was[name], now[name], after) for name in names}

            assert {user.user_id: planned(user) for user in users} == {
                name: one for name, one in changed.items() if one is not None
            }
            assert (plan.users, plan.affected) == (len(names), len(users))
            assert plan.points.after == sum(points for points, *_ in now.values())
            assert plan.points.paid - plan.points.taken == plan.points.after - plan.points.before
            assert sum(one.gained for one in plan.badges) == sum(len(user.gained) for user in users)
            return plan


@pytest.mark.parametrize(("counted_alike", "basis"), [("all", "progress"), ("most", "events"), ("none", "events")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_what_applying_does_for_any_catalogs_and_users(kind: str, *, counted_alike: str, basis: str) -> None:
    bases = set[str]()

    @settings(max_examples=20 if kind == "sqlite-memory" else 4)
    @given(pairs(counted_alike=counted_alike), PEOPLE)
    def check(pair: tuple[Catalog, Catalog], people: Any) -> None:
        plan = asyncio.run(check_plan(kind, *pair, people))
        bases.add(plan.basis if plan else "refused")

    check()
    if kind == "sqlite-memory":  # the few examples of the other engine need not have every basis
        assert basis in bases
