"""The first zone of a user may become known after events: all of them are read again, as if it had been known from the start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.progress import Progress
from laurels.errors import ZoneChangeTooSoon
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.long_histories import LONG
from laurels.testing import TestClock, sandbox
from tests.service.test_history import check_stored
from tests.support import at, badge, catalog, count, sql

pytestmark = pytest.mark.anyio

LOS_ANGELES, TOKYO = "America/Los_Angeles", "Asia/Tokyo"
KIRITIMATI, PAGO_PAGO = "Pacific/Kiritimati", "Pacific/Pago_Pago"

EVENINGS = ["2026-02-02T04:00", "2026-02-02T20:00", "2026-02-04T04:00", "2026-02-05T04:00"]
"""Four days in Los Angeles, three in UTC with a gap."""

RULES = catalog(
    metrics={"visits": count("login"), "days": {"kind": "distinct_days", "events": ["login"]}},
    streaks={"login": {"events": ["login"]}, "prompt": {"events": ["login"], "late_days": 0, "amount": 2}},
    points=[
        {"id": "visit", "events": ["login"], "amount": 3},
        {"id": "capped", "events": ["login"], "amount": 4, "cap_per_day": 6},
    ],
    badges=[
        badge("run", 20, streak="login", streak_of=4),
        badge("pair", 7, streak="login", streak_of=2),
        badge("days", 15, metric="days", at_least=4),
        badge("both", 5, all_of=[{"has_badge": "run"}, {"has_badge": "days"}]),
    ],
    leaderboards=[
        {"id": "week", "period": "week"},
        {"id": "run", "by": "streak", "of": "login", "period": "month"},
        {"id": "days", "by": "metric", "of": "days", "period": "week"},
    ],
)


async def live(laurels: Laurels, clock: TestClock, times: Sequence[str], user: str = "ada") -> None:
    for when in times:
        clock.set(at(when))
        await laurels.record(Event(user, f"e-{when}", "login"))


async def length_of(laurels: Laurels, user: str = "ada") -> int:
    return next(one for one in (await laurels.streaks(user)).streaks if one.name == "login").length


async def days_of(laurels: Laurels, user: str = "ada") -> list[str]:
    entries = (await laurels.history(user)).entries
    return [entry.event.day.isoformat() for entry in reversed(entries) if entry.event]


async def stored(laurels: Laurels, user: str = "ada") -> Progress:
    row = await laurels.store.user(user)
    assert row
    return row.progress


async def test_evenings_before_the_first_zone_count_on_their_days_in_it(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await live(laurels, clock, EVENINGS)
        assert await length_of(laurels) == 2
        clock.advance(hours=1)
        user = await laurels.update_user("ada", time_zone=LOS_ANGELES)

        assert [(one.since, one.time_zone) for one in user.time_zones] == [(None, LOS_ANGELES)]
        assert await length_of(laurels) == 4
        assert await days_of(laurels) == ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"]
        assert {"run", "days", "both"} <= (await stored(laurels)).badges.keys()
        await check_stored(laurels)


async def test_a_first_zone_that_comes_late_leaves_what_an_early_one_does(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await laurels.update_user("bob", time_zone=LOS_ANGELES)
        for when in EVENINGS:
            await live(laurels, clock, [when])
            await live(laurels, clock, [when], "bob")
        await laurels.update_user("ada", time_zone=LOS_ANGELES)

        ada, bob = await stored(laurels), await stored(laurels, "bob")
        assert replace(ada, zones=bob.zones, reached_at=bob.reached_at) == bob
        await check_stored(laurels)


async def test_points_that_a_cap_left_move_to_the_day_and_the_period_of_their_event(database: str) -> None:
    times = ["2026-02-08T04:00", "2026-02-08T20:00", "2026-02-09T03:00"]  # the 7th and twice the 8th in Los Angeles
    rules = catalog(
        points=[{"id": "capped", "events": ["login"], "amount": 4, "cap_per_day": 6}],
        leaderboards=[{"id": "week", "period": "week"}],
    )
    async with sandbox(rules, start=at(times[0]), database=database) as (laurels, clock):
        await live(laurels, clock, times)
        assert scores_of(await stored(laurels)) == {"2026-W06": 6, "2026-W07": 4}
        await laurels.update_user("ada", time_zone=LOS_ANGELES)

        progress = await stored(laurels)
        assert progress.capped == {"capped": {at("2026-02-07").toordinal(): 4, at("2026-02-08").toordinal(): 6}}
        assert (progress.points, scores_of(progress)) == (10, {"2026-W06": 8, "2026-W07": 2})
        newest = (await laurels.history("ada")).entries[0]
        changes = {(one.amount, one.reason, one.ref) for one in newest.points}
        assert changes == {(2, "zone", f"e-{times[1]}"), (-2, "zone", f"e-{times[2]}")}
        await check_stored(laurels)


def scores_of(progress: Progress) -> dict[str, int]:
    return {key: score for key, (score, _) in progress.scores["week"].items()}


async def test_a_badge_that_no_longer_follows_is_kept_with_its_points_until_a_reversal_takes_it(database: str) -> None:
    times = ["2026-02-02T23:00", "2026-02-03T07:00", "2026-02-03T07:30"]  # two days in UTC, one in Los Angeles
    async with sandbox(RULES, start=at(times[0]), database=database) as (laurels, clock):
        await live(laurels, clock, times)
        assert (await stored(laurels)).badges == {"pair": 7}
        await laurels.update_user("ada", time_zone=LOS_ANGELES)

        assert await length_of(laurels) == 1
        assert (await stored(laurels)).badges == {"pair": 7}
        await check_stored(laurels)
        await Admin(laurels).reverse("ada", f"e-{times[0]}", "a mistake", "an admin")
        progress = await stored(laurels)
        assert (progress.badges, progress.points) == ({"pair": 7}, 7 + 2 * 3 + 6)
        await check_stored(laurels)


async def test_a_badge_that_a_later_event_earns_in_the_first_zone_is_dated_to_it_with_its_points(database: str) -> None:
    times = ["2026-02-07T23:30", "2026-02-08T00:30", "2026-02-09T20:00"]  # the 7th twice and the 9th in Los Angeles
    rules = catalog(
        metrics={"days": {"kind": "distinct_days", "events": ["login"]}},
        badges=[badge("two", 15, metric="days", at_least=2)],
        leaderboards=[{"id": "week", "period": "week"}],
    )
    async with sandbox(rules, start=at(times[0]), database=database) as (laurels, clock):
        await live(laurels, clock, times)
        assert scores_of(await stored(laurels)) == {"2026-W06": 15}
        await laurels.update_user("ada", time_zone=LOS_ANGELES)

        assert scores_of(await stored(laurels)) == {"2026-W07": 15}
        (award,) = await laurels.store.awards("ada")
        assert award.event_id == f"e-{times[2]}"
        row = await laurels.store.user("ada")
        assert row
        assert row.earned == {"two": micros(at(times[2]))}
        await check_stored(laurels)


async def test_a_badge_that_follows_in_the_first_zone_is_taken_back_by_a_reversal(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await live(laurels, clock, EVENINGS)
        await laurels.update_user("ada", time_zone=LOS_ANGELES)
        await Admin(laurels).reverse("ada", f"e-{EVENINGS[1]}", "a mistake", "an admin")
        assert (await stored(laurels)).badges.keys() == {"pair"}

        await Admin(laurels).undo("ada", f"reversal:e-{EVENINGS[1]}")
        assert (await stored(laurels)).badges.keys() == {"pair", "run", "days", "both"}
        assert await days_of(laurels) == ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"]
        await check_stored(laurels)


async def test_an_event_reversed_before_the_first_zone_is_restored_on_its_day_in_it(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await live(laurels, clock, EVENINGS)
        await Admin(laurels).reverse("ada", f"e-{EVENINGS[2]}", "a mistake", "an admin")
        await laurels.update_user("ada", time_zone=LOS_ANGELES)
        await Admin(laurels).undo("ada", f"reversal:e-{EVENINGS[2]}")
        assert await length_of(laurels) == 4
        await check_stored(laurels)


async def test_freezes_given_before_the_first_zone_count_from_their_day_in_it(database: str) -> None:
    rules = catalog(streaks={"login": {"events": ["login"]}})
    async with sandbox(rules, start=at("2026-02-02T04:00"), database=database) as (laurels, clock):
        await live(laurels, clock, ["2026-02-02T04:00"])  # the 1st in Los Angeles
        clock.set(at("2026-02-03T05:00"))  # the evening of the 2nd
        await Admin(laurels).adjust("ada", "g", "freezes", {"streak": "login", "count": 1}, "a gift", "an admin")
        clock.set(at("2026-02-04T04:00"))  # the evening of the 3rd
        await laurels.record(Event("ada", "e-2", "login"))
        await laurels.update_user("ada", time_zone=LOS_ANGELES)

        grants = (await stored(laurels)).manual.grants
        assert grants == {"login": ((at("2026-02-02").toordinal(), 1),)}
        assert await length_of(laurels) == 2
        await check_stored(laurels)


async def test_how_late_an_event_was_follows_from_the_first_zone(database: str) -> None:
    rules = catalog(streaks={"login": {"events": ["login"], "late_days": 0}})
    async with sandbox(rules, start=at("2026-02-02T06:00"), database=database) as (laurels, clock):
        late = Event("ada", "late", "login", at("2026-02-01T23:00"))  # recorded on the next day in UTC only
        await laurels.record(late)
        assert await length_of(laurels) == 0
        await laurels.update_user("ada", time_zone=LOS_ANGELES)
        assert await length_of(laurels) == 1
        clock.advance(days=1)
        await check_stored(laurels)


async def test_the_daily_login_counts_once_a_day_before_and_after_the_first_zone(database: str) -> None:
    async with sandbox(start=at("2026-02-02T04:00"), database=database) as (laurels, clock):
        await laurels.profile("ada", login=True)  # the evening of the 1st
        await laurels.update_user("ada", time_zone=LOS_ANGELES)
        clock.set(at("2026-02-02T20:00"))
        assert (await laurels.profile("ada", login=True)).streak == 2
        clock.set(at("2026-02-03T04:00"))
        assert (await laurels.profile("ada", login=True)).streak == 2
        assert await days_of(laurels) == ["2026-02-01", "2026-02-02"]


async def test_verify_finds_a_late_first_zone_of_an_older_version_and_rebuild_reads_it_again(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await live(laurels, clock, EVENINGS)
        zones = f'["{LOS_ANGELES}",[],"UTC"]'  # as an older version set it: nothing was read again
        assert await sql(laurels.store, f"UPDATE users SET zones = '{zones}' RETURNING 1")
        assert [one.what for one in await Admin(laurels).verify("ada")] == ["days of events"]
        assert await Admin(laurels).rebuild("ada")
        assert await length_of(laurels) == 4
        await check_stored(laurels)


# ---- rule 4: hopping zones makes no days ------------------------------------------------------


@pytest.mark.parametrize("other", [PAGO_PAGO, "Pacific/Honolulu", "America/Los_Angeles", "UTC"])
async def test_a_first_zone_and_another_within_a_day_make_no_days(database: str, other: str) -> None:
    start = at("2026-01-15T10:30")
    async with sandbox(RULES, start=start, database=database) as (laurels, clock):
        await laurels.record(Event("ada", "e-1", "login"))  # the 15th in UTC
        await laurels.update_user("ada", time_zone=KIRITIMATI)
        clock.advance(seconds=30)
        await laurels.record(Event("ada", "e-2", "login"))  # the 16th there
        with pytest.raises(ZoneChangeTooSoon) as caught:
            await laurels.update_user("ada", time_zone=other)
        assert caught.value.allowed_from == start + timedelta(days=1)
        await laurels.update_user("ada", time_zone=other, lenient_zone=True)
        clock.advance(seconds=30)
        await laurels.record(Event("ada", "e-3", "login"))

        assert await length_of(laurels) == 1
        assert set(await days_of(laurels)) == {"2026-01-16"}
        clock.set(start + timedelta(days=1))
        user = await laurels.update_user("ada", time_zone=other)
        since = [(None, KIRITIMATI), (start + timedelta(days=1), other)]
        assert [(one.since, one.time_zone) for one in user.time_zones] == since
        await check_stored(laurels)


async def test_a_change_within_a_day_of_a_first_zone_without_events_is_allowed(database: str) -> None:
    async with sandbox(RULES, start=at("2026-01-15T10:30"), database=database) as (laurels, _):
        await laurels.update_user("ada", name="Ada")
        await laurels.update_user("ada", time_zone=KIRITIMATI)
        assert (await laurels.update_user("ada", time_zone=TOKYO)).time_zone == TOKYO


# ---- at the same time -------------------------------------------------------------------------


async def test_events_and_first_zones_at_the_same_time_end_in_one_zone_and_one_reading(database: str) -> None:
    async with AsyncExitStack() as stack:
        one, clock = await stack.enter_async_context(sandbox(RULES, start=at(EVENINGS[-1]), database=database))
        others = [one]
        if "memory" not in database and database != "sqlite://":
            others.append(await stack.enter_async_context(Laurels.open(database, catalog=RULES, clock=clock)))
        for number in range(4):
            user = f"user-{number}"
            events = [Event(user, f"e-{when}", "login", at(when)) for when in EVENINGS]
            works: list[Any] = [laurels.record(event) for event in events for laurels in others * 2]
            zones = [LOS_ANGELES, TOKYO, LOS_ANGELES]
            works[1:1] = [
                laurels.update_user(user, time_zone=zone, lenient_zone=True) for zone in zones for laurels in others
            ]
            await asyncio.gather(*works[number % 3 :], *works[: number % 3])

            zones_of = (await one.user(user)).time_zones
            assert len({change.time_zone for change in zones_of}) == len(zones_of)
            progress = await stored(one, user)
            assert progress.totals["visits"] == 4
            if zones_of[-1].time_zone == LOS_ANGELES and len(zones_of) == 1:
                assert await length_of(one, user) == 4
        await check_stored(one)


async def test_a_first_zone_after_a_long_history_reads_all_of_it_while_events_are_recorded(database: str) -> None:
    async with sandbox(RULES, start=at("2026-02-02T04:00"), database=database, late_window=None) as (laurels, clock):
        old = [Event("ada", f"old-{n}", "login", clock.now - timedelta(hours=7 * n)) for n in range(LONG + 10)]
        await laurels.record_many(old)
        works: list[Any] = [laurels.record(Event("ada", f"new-{n}", "login")) for n in range(6)]
        works.insert(3, laurels.update_user("ada", time_zone=LOS_ANGELES))
        await asyncio.gather(*works)

        assert (await stored(laurels)).totals["visits"] == LONG + 16
        assert (await days_of(laurels))[-6:] == ["2026-02-01"] * 6
        await check_stored(laurels)


# ---- any history ------------------------------------------------------------------------------

HOURS = st.lists(st.tuples(st.integers(0, 24 * 12), st.integers(0, 40)), min_size=1, max_size=14)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


async def read_with_zone_after(zone: str, plan: list[tuple[int, int]], known_after: int) -> Progress:
    """Live through events, as (hour, hours until recorded), with the zone known after a number of them."""
    async with sandbox(RULES, start=BEGIN, late_window=None) as (laurels, clock):
        in_order = sorted(enumerate(plan), key=lambda item: sum(item[1]))
        for number, (name, (hour, wait)) in enumerate(in_order):
            clock.set(BEGIN + timedelta(hours=hour + wait, minutes=59))
            if number == known_after:
                await laurels.update_user("ada", time_zone=zone)
            await laurels.record(Event("ada", f"e{name}", "login", BEGIN + timedelta(hours=hour, minutes=name)))
        if known_after >= len(plan):
            await laurels.update_user("ada", time_zone=zone)
        assert await Admin(laurels).verify("ada") == []
        return await stored(laurels)


@settings(max_examples=40, deadline=None)
@given(plan=HOURS, known_after=st.integers(1, 14), zone=st.sampled_from([LOS_ANGELES, TOKYO, KIRITIMATI, PAGO_PAGO]))
def test_any_history_reads_the_same_whenever_its_zone_became_known(
    plan: list[tuple[int, int]], known_after: int, zone: str
) -> None:
    async def both() -> tuple[Progress, Progress]:
        return await read_with_zone_after(zone, plan, 0), await read_with_zone_after(zone, plan, known_after)

    early, late = asyncio.run(both())
    assert without_awards(late) == without_awards(early)
    assert late.badges.keys() >= early.badges.keys()
    before_the_first_week_closed = max(map(sum, plan)) < 7 * 24
    if late.badges == early.badges and before_the_first_week_closed:
        assert (late.scores, late.board_days) == (early.scores, early.board_days)


def without_awards(progress: Progress) -> tuple[Any, ...]:
    """What follows from events alone, without badges, which are kept, and without their points."""
    of_events = progress.points - sum(progress.badges.values())
    return progress.totals, progress.days, progress.capped, progress.partial, progress.folds, of_events
