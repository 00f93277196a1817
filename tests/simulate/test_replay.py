"""Replays: under the catalog in force, a replay is the present state; under another one, what a new database would have."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laurels.commands.rows import active_events
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.occurrence import deciding_events
from laurels.errors import AdjustmentRefused, CatalogError
from laurels.simulate.replay import ReplayOptions, is_sampled, replay
from laurels.simulate.replay_totals import Replay
from laurels.simulate.replaying import BADGES, History, replayed
from laurels.simulate.report import report
from tests.service.test_plans import PEOPLE, pairs, populate
from tests.support import KINDS, MONDAY, badge, catalog, contents, new_database
from tests.support.arena import Arena, arena

PAIRS = pairs(counted_alike="none")
END = MONDAY + timedelta(days=13)
"""After all events of random histories."""


async def whole(one: Arena, candidate: Catalog, **options: Any) -> Replay:
    return await replay(one.laurels.core, candidate, ReplayOptions(**options))


def side_of(made: Replay) -> tuple[int, dict[int, int], dict[str, int], dict[str, int]]:
    """Points, users by level, holders by badge and running streaks of the present side."""
    side = made.present
    return (
        side.points,
        {one.level: one.users for one in side.levels if one.users},
        {one.badge: one.holders for one in side.badges if one.holders},
        {one.streak: one.active for one in side.streaks if one.active},
    )


def without_taking(people: Any) -> Any:
    """The same people, of whom nothing was taken by hand: a badge stays that was earned by what was taken later."""
    kept = ("grant", "points", "exclusion")
    return [(events, [(kind, of, abs(amount)) for kind, of, amount in done if kind in kept]) for events, done in people]


async def check_present(kind: str, one_catalog: Catalog, people: Any) -> None:
    """A replay under the catalog in force equals what users read, and dates badges as they are stored."""
    with new_database(kind) as database:
        async with arena(database, one_catalog, start=END) as one:
            names = await populate(one, without_taking(people))
            profiles = [await one.laurels.profile(name) for name in names]
            before = await contents(one.laurels.store)
            made = await whole(one, one_catalog)
            assert await contents(one.laurels.store) == before, "a replay stores nothing"
            points, levels, holders, running = side_of(made)
            assert made.unlike_stored == 0
            assert made.users == len(names)
            assert points == sum(profile.points for profile in profiles)
            assert levels == counted(profile.level for profile in profiles)
            stored = [row for name in names for row in await one.laurels.store.awards(name)]
            assert holders == counted(row.badge for row in stored)
            streaks = [
                streak for name in names for streak in (await one.laurels.streaks(name)).streaks if streak.length
            ]
            assert running == counted(streak.name for streak in streaks)
            assert sum(source.total for source in made.present.sources) == points
            for name in names:
                await check_dates(one, one_catalog, name)


def counted(names: Any) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


async def check_dates(one: Arena, of: Catalog, name: str) -> None:
    """Badges that events earned have the dates that are stored."""
    snapshot = await one.laurels.store.user_snapshot(name)
    assert snapshot
    history = History(snapshot.user, snapshot.events, snapshot.adjustments, snapshot.amnesties)
    keyring = await one.laurels.store.keyring()
    none_left = [badge for badge in of.limited if badge not in snapshot.user.progress.badges]
    user = replayed(of, history, keyring, await one.laurels.now(), none_left)
    by_events = {row.badge for row in snapshot.awards if row.event_id} - of.limited.keys()
    if any(row.kind in ("points", "grant", "revocation") for row in snapshot.adjustments):
        return  # what is set by hand counts from the beginning here, and from its own time in a live database
    # One whose condition holds from the beginning is awarded with whatever comes first.
    by_events &= deciding_events(of, user.progress, active_events(snapshot.events), by_events).keys()
    dates = {name: micros(at) for name, at in user.badges.items() if name in by_events}
    assert dates == {name: at for name, at in snapshot.user.earned.items() if name in by_events}


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_under_the_catalog_in_force_is_the_present_state(kind: str) -> None:
    @settings(
        max_examples=8 if kind == "sqlite-memory" else 2,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(PAIRS, PEOPLE)
    def check(pair: tuple[Catalog, Catalog], people: Any) -> None:
        asyncio.run(check_present(kind, pair[0], people))

    check()


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(PAIRS, PEOPLE)
def test_a_candidate_is_counted_as_if_it_had_always_been_in_force(pair: tuple[Catalog, Catalog], people: Any) -> None:
    async def check() -> None:
        async with arena("sqlite://", pair[0], start=END) as one, arena("sqlite://", pair[1], start=END) as other:
            await populate(one, people)
            await populate(other, people)
            made, direct = await whole(one, pair[1]), await whole(other, pair[1])
            for name in ("points", "sources", "levels", "badges", "ranges", "streaks"):
                assert getattr(made.candidate, name) == getattr(direct.present, name), name

    if pair[0].limited or pair[1].limited:
        return  # who has a copy depends on who came first
    try:
        asyncio.run(check())
    except (AdjustmentRefused, CatalogError):
        return


# ---- by day ---------------------------------------------------------------------------------------

RULES = catalog(
    points=[{"id": "posts", "events": ["post"], "amount": 10, "cap_per_day": 20}],
    metrics={"posts": {"kind": "count", "events": ["post"]}},
    badges=[badge("third", 100, metric="posts", at_least=3)],
    levels=[{"title": "One", "points": 0}, {"title": "Two", "points": 100}],
)
EASIER = catalog(
    points=[{"id": "posts", "events": ["post"], "amount": 20}, {"id": "likes", "events": ["like"], "amount": 1}],
    metrics={"posts": {"kind": "count", "events": ["post"]}},
    badges=[badge("third", 100, metric="posts", at_least=2), badge("new", 5, metric="posts", at_least=1)],
    levels=[{"title": "One", "points": 0}, {"title": "Two", "points": 100}],
)


async def three_days(one: Arena) -> None:
    """Ada posts thrice on the first day and once on the third; ben likes."""
    for number, day in enumerate((0, 0, 0, 2)):
        at = MONDAY + timedelta(days=day, hours=number)
        await one.laurels.record(Event("ada", f"p{number}", "post", at))
    await one.laurels.record(Event("ben", "l1", "like", MONDAY + timedelta(days=1)))


@pytest.mark.anyio
async def test_the_numbers_of_each_day() -> None:
    async with arena("sqlite://", RULES) as one:
        one.clock.set(MONDAY + timedelta(days=3))
        await three_days(one)
        made = await whole(one, EASIER)

    assert (made.unit, [day.day for day in made.periods]) == ("day", [5, 6, 7])
    present, candidate = made.present, made.candidate
    assert {one.source: one.paid for one in present.sources if one.total} == {"posts": [20, 0, 10], BADGES: [100, 0, 0]}
    assert {one.source: one.paid for one in candidate.sources if one.total} == {
        "posts": [60, 0, 20], "likes": [0, 1, 0], BADGES: [105, 0, 0],
    }  # fmt: skip
    assert [(one.badge, one.earned) for one in candidate.badges] == [("third", [1, 0, 0]), ("new", [1, 0, 0])]
    assert [one.reached for one in candidate.levels] == [[0, 0, 0], [1, 0, 0]]
    assert (made.more, made.fewer, made.higher, made.lower) == (2, 0, 0, 0)
    assert [(one.least, one.users) for one in candidate.ranges if one.users] == [(1, 1), (100, 1)]


@pytest.mark.anyio
async def test_other_kinds_of_points_are_left_out() -> None:
    coins = {"id": "coins", "events": ["post"], "amount": 3, "kind": "coins"}
    of = catalog(
        kinds={"coins": {"one": "coin", "many": "coins"}},
        points=[coins, {"id": "posts", "events": ["post"], "amount": 10}],
    )
    async with arena("sqlite://", of, start=END) as one:
        await three_days(one)
        await one.adjust("ada", "points", "a1", amount=7, of="coins")
        made = await whole(one, of)

    assert (made.present.points, made.unlike_stored) == (40, 0)
    assert [(one.source, one.total) for one in made.present.sources] == [
        ("posts", 40),
        ("badges", 0),
        ("adjustments", 0),
    ]


@pytest.mark.anyio
async def test_a_part_of_the_history_and_of_the_users() -> None:
    async with arena("sqlite://", RULES) as one:
        one.clock.set(MONDAY + timedelta(days=3))
        await three_days(one)
        later = await whole(one, EASIER, since=MONDAY + timedelta(days=1))
        earlier = await whole(one, EASIER, until=MONDAY + timedelta(days=1))
        some = await whole(one, EASIER, sample=50)

    assert (later.events, later.present.points, later.candidate.points) == (2, 10, 26)
    assert (earlier.events, earlier.present.points) == (3, 120)
    assert any("Only events and adjustments from 2026-01-06 12:00 UTC are counted" in note for note in later.notes)
    sampled = [name for name in ("ada", "ben") if is_sampled(name, 50)]
    assert (some.users, some.all_users) == (len(sampled), 2)
    assert any(
        f"A sample of 50 % of the users by a hash of their ids, always the same: {len(sampled)} of 2." in n
        for n in some.notes
    )


def test_a_sample_has_about_its_share_and_grows_with_it() -> None:
    names = [f"user-{number}" for number in range(5000)]
    tenth, third = ({name for name in names if is_sampled(name, percent)} for percent in (10, 33))

    assert 400 < len(tenth) < 600
    assert tenth < third
    assert all(is_sampled(name, 100) for name in names)


@pytest.mark.anyio
async def test_the_report_is_one_file_without_scripts_and_with_a_table_for_each_picture() -> None:
    async with arena("sqlite://", RULES) as one:
        one.clock.set(MONDAY + timedelta(days=3))
        await three_days(one)
        made = await whole(one, EASIER)
    page = report(made)

    assert "<script" not in page
    assert not any(part in page for part in ('src="', "href=", "@import", "url("))
    assert page.count("<svg viewBox") == page.count("<table>") - 1
    assert page.count('role="img"') == page.count("<title id=")
    assert "color-scheme: light dark" in page
    assert "the candidate as if it had always been in force" in page


@given(st.integers(1, 100))
@settings(max_examples=10)
def test_a_user_of_a_sample_is_in_every_larger_one(percent: int) -> None:
    assert not is_sampled("ada", percent) or all(is_sampled("ada", more) for more in range(percent, 101))
