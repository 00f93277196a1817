"""Insights: rarity, the community report, the status of a process, and cached values."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from statistics import median

import pytest

from laurels.engine.events import Event
from laurels.errors import StoreUnavailable
from laurels.present.reports import CommunityReport, ReportProgress
from laurels.service.insights import Cached, Insights
from laurels.service.laurels import Laurels
from laurels.service.report import COHORTS, DAYS, ReportFold, monday
from laurels.storage.contract import MaintenanceRun, ReportUser, Store, UserSnapshot
from laurels.telemetry.writes import WriteMeter, WriteRate
from laurels.testing import sandbox
from tests.support import MONDAY, badge, catalog, count

pytestmark = pytest.mark.anyio

CATALOG = catalog(
    metrics={"agents": count("agent"), "mornings": {"kind": "distinct_days", "events": ["rise"]}},
    streaks={"weeks": {"events": ["login"], "cadence": "weekly"}},
    badges=[
        badge("one", metric="agents", at_least=1),
        badge("three", metric="agents", at_least=3),
        badge("week", streak="login", streak_of=3),
        badge("nobody", metric="agents", at_least=1000),
    ],
    points=[{"id": "agents", "events": ["agent"], "amount": 3}],
)
NOW = MONDAY + timedelta(days=200, hours=5)
BADGES = "one", "three", "week", "nobody"


@pytest.fixture
async def laurels(store: Store) -> AsyncIterator[Laurels]:
    """Laurels over each engine, long after Monday."""
    one = Laurels(store, CATALOG, late_window=None, clock=lambda: NOW)
    yield one
    await one.group_commit.close()


async def live(laurels: Laurels, users: int, seed: int) -> list[UserSnapshot]:
    """Users with random histories, as they are stored."""
    draw = random.Random(seed)
    for number in range(users):
        first = draw.randrange(200)
        days = [first, *(draw.randrange(first, 201) for _ in range(draw.randrange(1, 40)))]
        events = [
            Event(
                f"u{number}",
                f"e{index}",
                draw.choice(("login", "login", "agent", "rise")),
                MONDAY + timedelta(days=day),
            )
            for index, day in enumerate(days)
        ]
        await laurels.record_many(events)
    read = [await laurels.store.user_snapshot(f"u{number}") for number in range(users)]
    return [one for one in read if one]


# ---- the report -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_the_report_equals_a_plain_count(laurels: Laurels, seed: int) -> None:
    users = await live(laurels, 25, seed)

    made = await Insights(laurels).full_report()

    assert (made.users, made.sampled, made.computed_at) == (25, 25, NOW)
    today = NOW.toordinal()
    shown = range(today - DAYS + 1, today + 1)
    active = [{event_day(row.event) for row in user.events if row.event.type != "agent"} for user in users]
    assert {one.day.toordinal(): one.users for one in made.active} == {
        day: sum(day in days for days in active) for day in shown
    }
    awards = [(award.awarded_at.toordinal(), award.badge) for user in users for award in user.awards]
    assert {(one.day.toordinal(), one.badge): one.awards for one in made.awards} == Counter(
        award for award in awards if award[0] in shown
    )
    points = Counter[tuple[int, str, str]]()
    for user in users:
        for entry in user.ledger:
            points[entry.at.toordinal(), entry.reason, entry.ref] += entry.amount
    assert {(one.day.toordinal(), one.reason, one.ref): one.points for one in made.points} == {
        key: paid for key, paid in points.items() if key[0] in shown
    }
    assert [one.active for one in made.retention] == plain_retention(active, today)
    assert {one.level: one.users for one in made.levels} == {
        level: sum((user.user.progress.points >= 100) == (level == 2) for user in users) for level in (1, 2)
    }
    check_badges(made, users)


def event_day(event: Event) -> int:
    assert event.day is not None
    return event.day


def plain_retention(active: Sequence[set[int]], today: int) -> list[list[int]]:
    """Week by week, each user by each user."""
    newest = date.fromordinal(today) - timedelta(days=date.fromordinal(today).weekday())
    found: list[list[int]] = []
    for back in reversed(range(COHORTS)):
        week = newest - timedelta(weeks=back)
        members = [days for days in active if days and week <= date.fromordinal(min(days)) < week + timedelta(days=7)]
        spans = [(week + timedelta(weeks=number)).toordinal() for number in range(back + 1)]
        found.append([sum(any(start <= day < start + 7 for day in days) for days in members) for start in spans])
    return found


def check_badges(made: CommunityReport, users: Sequence[UserSnapshot]) -> None:
    """First badges, holders and medians, from the awards themselves."""
    waits: dict[str, list[float]] = defaultdict(list)
    for user in users:
        for award in user.awards:
            waits[award.badge].append(max(0.0, (award.awarded_at - user.user.created_at).total_seconds()))
    ordered = [sorted(user.awards, key=lambda award: (award.awarded_at, award.revision)) for user in users]
    firsts = Counter(awards[0].badge for awards in ordered if awards)
    assert {one.badge: (one.holders, one.first, one.median_seconds) for one in made.badges} == {
        name: (len(waits[name]), firsts[name], median(waits[name]) if waits[name] else None) for name in BADGES
    }


async def test_streaks_are_counted_as_the_profile_reads_them(laurels: Laurels) -> None:
    users = await live(laurels, 20, 7)
    for number in range(20):
        days = range(200 - number % 6, 200)
        await laurels.record_many(
            [Event(f"u{number}", f"s{day}", "login", MONDAY + timedelta(days=day)) for day in days]
        )

    made = await Insights(laurels).full_report()

    for one in made.streaks:
        read = [
            next(shape for shape in (await laurels.streaks(user.user.user_id)).streaks if shape.name == one.streak)
            for user in users
        ]
        begun = [shape for shape in read if shape.status != "none"]
        assert {each.length: each.users for each in one.current} == Counter(shape.length for shape in begun)
        assert {each.length: each.users for each in one.longest} == Counter(shape.longest for shape in begun)
    assert any(each.length > 3 for each in made.streaks[0].current)


async def test_the_order_of_users_makes_no_difference(laurels: Laurels) -> None:
    await live(laurels, 15, 1)
    read = await laurels.store.community_report([f"u{number}" for number in range(15)])

    def of(users: Sequence[ReportUser]) -> CommunityReport:
        fold = ReportFold(CATALOG, NOW)
        for user in users:
            fold.add(user)
        return fold.report(15)

    assert of(read) == of(read[::-1])


async def test_a_community_without_users_has_empty_charts(laurels: Laurels) -> None:
    made = await Insights(laurels).full_report()

    assert (made.users, made.sampled) == (0, 0)
    assert (made.awards, made.points) == ([], [])
    assert [one.users for one in made.active] == [0] * DAYS
    assert [len(one.active) for one in made.retention] == [*range(COHORTS, 0, -1)]


async def test_of_many_users_the_report_counts_a_sample_and_says_so(laurels: Laurels) -> None:
    await live(laurels, 12, 2)

    made = await Insights(laurels, most_sampled=5).full_report()

    assert (made.users, made.sampled) == (12, 5)
    assert sum(one.users for one in made.levels) == 5


async def test_the_first_report_shows_its_progress_and_is_then_returned(laurels: Laurels) -> None:
    await live(laurels, 3, 2)
    insights = Insights(laurels)

    assert await insights.community_report() == ReportProgress(progress=0.0)
    whole = await insights.full_report()

    assert await insights.community_report() is whole


@pytest.mark.parametrize("day", range(730_000, 730_010))
def test_a_week_begins_on_monday(day: int) -> None:
    assert date.fromordinal(monday(day)).weekday() == 0
    assert 0 <= day - monday(day) < 7


# ---- rarity -----------------------------------------------------------------------------------


async def test_rarity_counts_holders_and_shows_no_share_of_few_users(laurels: Laurels) -> None:
    await laurels.record_many([Event(f"u{number}", "e", "agent", NOW) for number in range(4)])
    await laurels.record(Event("u5", "e", "login", NOW))
    few, enough = Insights(laurels, rarity_users=6), Insights(laurels, rarity_users=5)

    assert [(one.id, one.holders, one.share) for one in (await few.rarity()).badges][:2] == [
        ("one", 4, None),
        ("three", 0, None),
    ]
    assert (await few.rarity()).users == 5
    assert [one.share for one in (await enough.rarity()).badges] == [0.8, 0.0, 0.0, 0.0]


async def test_the_public_rarity_of_few_users_has_no_numbers(laurels: Laurels) -> None:
    await laurels.record_many([Event(f"u{number}", "e", "agent", NOW) for number in range(4)])

    told = await Insights(laurels, rarity_users=5).public_rarity()

    assert told.users is None
    assert [(one.id, one.holders, one.share) for one in told.badges] == [(name, None, None) for name in BADGES]
    enough = Insights(laurels, rarity_users=4)
    assert await enough.public_rarity() == await enough.rarity()


async def test_rarity_without_anybody_has_no_share(laurels: Laurels) -> None:
    told = await Insights(laurels, rarity_users=1).rarity()

    assert told.users == 0
    assert {one.share for one in told.badges} == {None}


# ---- caching ----------------------------------------------------------------------------------


class Maker:
    """Makes 1, 2, 3 ... each when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def make(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        if number == 13:
            raise StoreUnavailable("thirteen")
        return number


async def test_simultaneous_requests_wait_for_one_computation() -> None:
    maker = Maker()
    cached = Cached(maker.make, 60)
    asking = [asyncio.create_task(cached.value()) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()
    maker.go.set()

    assert await asyncio.gather(*asking[1:]) == [1] * 9
    assert (await cached.value(), maker.begun) == (1, 1)


async def test_a_cached_value_is_computed_at_the_real_time_even_if_the_first_request_pretends_another() -> None:
    async with sandbox() as (laurels, clock):
        await laurels.set_clock_offset(timedelta())
        insights = Insights(laurels)
        with laurels.pretend(clock() + timedelta(days=400)):
            first = await insights.rarity()

        assert first.computed_at == clock()
        await insights.close()


async def test_the_old_value_is_served_while_a_new_one_is_made() -> None:
    maker = Maker()
    cached = Cached(maker.make, -1)
    maker.go.set()
    assert await cached.value() == 1
    maker.go.clear()

    assert [await cached.value() for _ in range(3)] == [1, 1, 1]
    assert cached.newest() == 1
    await asyncio.sleep(0)
    assert maker.begun == 2
    maker.go.set()
    await asyncio.sleep(0.01)
    assert cached.newest() == 2
    await cached.close()


async def test_what_fails_first_is_raised_and_tried_again() -> None:
    maker = Maker()
    maker.begun = 12
    maker.go.set()
    cached = Cached(maker.make, 60)

    with pytest.raises(StoreUnavailable, match="thirteen"):
        await cached.value()
    assert await cached.value() == 14


async def test_what_fails_later_leaves_the_old_value() -> None:
    maker = Maker()
    maker.begun = 11
    maker.go.set()
    cached = Cached(maker.make, -1)

    assert [await cached.value(), await cached.value()] == [12, 12]
    await asyncio.sleep(0.01)
    assert await cached.value() == 12
    assert maker.begun == 13
    await asyncio.sleep(0.01)
    assert cached.newest() == 14
    await cached.close()


async def test_closing_ends_what_is_being_made() -> None:
    maker = Maker()
    cached = Cached(maker.make, 60)
    cached.newest()
    await asyncio.sleep(0)

    await cached.close()

    assert cached.newest() is None
    assert maker.begun == 1
    await cached.close()


# ---- the status -------------------------------------------------------------------------------


async def test_the_status_shows_writes_queue_engine_and_maintenance(laurels: Laurels) -> None:
    insights = Insights(laurels)
    quiet = await insights.process_status()
    assert (quiet.events_per_second, quiet.waited50_ms, quiet.backup, quiet.verify) == (0, None, None, None)
    await laurels.record_many([Event("ada", f"e{number}", "agent", NOW) for number in range(30)])
    await laurels.store.save_maintenance_run(MaintenanceRun("backup", MONDAY, {"bytes": 5}))
    await asyncio.sleep(0.2)

    process_status = await insights.process_status()

    assert process_status.engine in ("SQLite", "PostgreSQL")
    assert 0 < process_status.events_per_second <= 30
    assert process_status.waited50_ms
    assert process_status.waited99_ms
    assert 0 < process_status.waited50_ms <= process_status.waited99_ms
    assert (process_status.queued, process_status.queue_limit) == (0, 10_000)
    assert process_status.backup
    assert (process_status.backup.at, process_status.backup.outcome) == (MONDAY, {"bytes": 5})
    assert process_status.verify is None
    await insights.close()


async def test_the_status_counts_users_and_events_in_the_background(laurels: Laurels) -> None:
    await laurels.record(Event("ada", "e", "agent", NOW))
    insights = Insights(laurels)
    first = await insights.process_status()
    for _ in range(100):
        counted = await insights.process_status()
        if counted.users is not None:
            break
        await asyncio.sleep(0.02)

    assert first.users is None
    assert (counted.users, counted.events) == (1, 1)


def test_a_meter_reads_the_last_minute() -> None:
    meter = WriteMeter(1000.0)
    meter.add(1000.5, 600, [0.001] * 99 + [1.0])
    meter.add(1059.9, 60, [0.001])

    assert meter.read(1059.9).per_second == pytest.approx(660 / 59.9)
    assert meter.read(1100.0).per_second == 1
    assert meter.read(1130.0) == WriteRate(0.0, None, None)


def test_a_new_meter_divides_by_the_time_since_it_began() -> None:
    meter = WriteMeter(1000.0)
    meter.add(1001.0, 100, [0.001])

    assert meter.read(1010.0).per_second == 10


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_exact_within_a_step(seed: int) -> None:
    draw = random.Random(seed)
    waits = sorted(draw.lognormvariate(-6, 2) for _ in range(1000))
    meter = WriteMeter(0.0)
    for number, wait in enumerate(draw.sample(waits, len(waits))):
        meter.add(number / 50, 1, [wait])

    rate = meter.read(20.0)

    assert rate.median_ms == pytest.approx(1000 * waits[499], rel=0.05)
    assert rate.slow_ms == pytest.approx(1000 * waits[989], rel=0.05)


def test_a_wait_of_nothing_is_a_wait() -> None:
    meter = WriteMeter(0.0)
    meter.add(1.0, 1, [0.0])

    assert meter.read(1.0).median_ms == pytest.approx(0.001, rel=0.1)


def test_a_meter_stores_no_more_than_a_minute() -> None:
    meter = WriteMeter(0.0)
    for second in range(10_000):
        meter.add(second, 1, [0.001])

    assert meter.read(10_000).per_second == pytest.approx(1, rel=0.02)
    assert len(meter._seconds) <= 61
