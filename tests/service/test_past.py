"""Reading the past: what is known now about it, its limits, and what it refuses."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from laurels.commands import past
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.judge import recomputed
from laurels.errors import ErasurePending, InvalidInput, PastNotStored, UserNotFound
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.past import OF_OTHERS, PAST_INCLUDES
from laurels.service.profiles import INCLUDES
from laurels.storage.contract import FIRST_FORMER_STATE, NOT_STARTED, MaintenanceRun
from laurels.testing import TestClock, sandbox
from tests.support import LASTING_ENGINES, badge, catalog, count

pytestmark = pytest.mark.anyio

RULES: dict[str, Any] = {
    "metrics": {"messages": count("message"), "days": {"kind": "distinct_days", "events": ["message"]}},
    "streaks": {"work": {"events": ["message"], "amount": 2, "rest_days": ["sat", "sun"]}},
    "points": [
        {"id": "message", "events": ["message"], "amount": 10, "per": "quantity", "cap_per_day": 30},
        {"id": "login", "events": ["login"], "amount": 3},
    ],
    "badges": [
        badge("two", 50, metric="messages", at_least=2),
        badge("days", 15, metric="days", at_least=3),
        badge("rich", 30, points_of=120),
        badge("run", 20, streak="login", streak_of=3),
        badge("both", 5, all_of=[{"has_badge": "two"}, {"has_badge": "run"}]),
    ],
}
FIRST = catalog(**RULES)


def changed(**tables: Any) -> Catalog:
    return catalog(**{**RULES, **tables})


@pytest.fixture
async def opened(database: str) -> AsyncIterator[tuple[Laurels, TestClock]]:
    async with sandbox(FIRST, database=database) as (laurels, clock):
        yield laurels, clock


async def test_a_read_of_the_past_has_what_was_known_then(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "m1", "message", quantity=2))
    before, at = await laurels.profile("ada", include=PAST_INCLUDES), clock.now
    clock.advance(days=1)
    await Admin(laurels).adjust("ada", "gift", "points", {"amount": 200}, "a gift", "a test")
    await Admin(laurels).reverse("ada", "m1", "a mistake", "a test")

    then = await laurels.profile("ada", include=PAST_INCLUDES, as_of=at)

    assert (then.leaderboard, then.user_rank) == (None, None)
    assert replace_board(then) == replace_board(before)
    assert (await laurels.profile("ada")).points == 230


def replace_board(profile: Any) -> dict[str, Any]:
    return {name: value for name, value in profile.to_dict().items() if name not in ("leaderboard", "userRank")}


def test_all_that_a_profile_includes_can_be_read_of_the_past_except_what_is_of_others() -> None:
    assert {*PAST_INCLUDES, *OF_OTHERS} == {*INCLUDES}


async def test_what_is_known_since_counts_on_request(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    admin, start = Admin(laurels), clock.now
    await laurels.record(Event("ada", "m1", "message"))
    await admin.adjust("ada", "gift", "grant", {"badge": "run"}, "a gift", "a test")
    clock.advance(days=1)
    at = clock.now
    clock.advance(days=1)
    await laurels.record(Event("ada", "m2", "message", start + timedelta(hours=1)))  # late: it completes 'two'
    await laurels.record(Event("ada", "m3", "message"))  # after the time that is read
    await admin.adjust("ada", "more", "points", {"amount": 500}, "a gift", "a test")  # counts from now on

    then = await laurels.profile("ada", as_of=at)
    known = await laurels.profile("ada", as_of=at, known_at=clock.now, include=["earned", "history"])

    assert (then.points, [one.id for one in then.badges]) == (30, ["run"])
    assert (known.points, [one.id for one in known.badges]) == (95, ["two", "run", "both"])
    assert {one.badge: one.event_id for one in known.earned}["two"] == "m2"
    assert known.history
    assert [entry.event.id for entry in known.history.entries if entry.event] == ["m2", "m1"]

    await admin.undo("ada", "gift")
    await admin.reverse("ada", "m1", "a mistake", "a test")
    known = await laurels.profile("ada", as_of=at, known_at=clock.now)
    assert (known.points, [one.id for one in known.badges]) == (10, [])
    assert (await laurels.profile("ada", as_of=at)).points == 30


async def test_a_zone_that_became_known_later_counts_for_the_days_before(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    for day in range(3):
        await laurels.record(Event("ada", f"l{day}", "login"))  # 09:00 UTC
        clock.advance(days=1)
    at = clock.now
    clock.advance(hours=1)
    await laurels.update_user("ada", time_zone="Pacific/Kiritimati")

    then = await laurels.profile("ada", as_of=at, include=["streaks"])
    known = await laurels.profile("ada", as_of=at, known_at=clock.now, include=["streaks"])

    assert [then.streaks[0].last_day, known.streaks[0].last_day] == [
        (at - timedelta(days=1)).date(),
        (at - timedelta(hours=10)).date(),
    ]


async def test_an_amnesty_counts_from_when_it_was_made_and_for_its_days_if_known(
    opened: tuple[Laurels, TestClock],
) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "l1", "login"))
    clock.advance(days=2)
    await laurels.record(Event("ada", "l2", "login"))
    at, missed = clock.now, (clock.now - timedelta(days=1)).date()
    clock.advance(days=1)
    await Admin(laurels).add_amnesty(missed, missed, "an outage", "a test")

    assert (await laurels.profile("ada", as_of=at)).streak == 1
    assert (await laurels.profile("ada", as_of=at, known_at=clock.now)).streak == 2


async def test_a_read_of_the_past_is_under_the_rules_of_then(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.record_many([Event("ada", name, "message") for name in ("m1", "m2")])
    at = clock.now
    clock.advance(days=1)
    badges = [{**badge("pair", 70, metric="messages", at_least=1), "was": "two"}, *RULES["badges"][1:4]]
    titles = [{"title": "Zero", "points": 0}, {"title": "Many", "points": 50}]
    await Admin(laurels).apply_catalog(changed(badges=badges, levels=titles), "other rules", "a test")
    between = clock.now
    clock.advance(days=1)
    now = await laurels.profile("ada")

    then, unread = await laurels.profile("ada", as_of=at), await laurels.profile("ada", as_of=between)

    assert ([one.id for one in then.badges], then.title, then.level) == (["two"], "One", 1)
    assert ([one.id for one in now.badges], now.title, now.level) == (["pair"], "Many", 2)
    assert replace_board(unread) == replace_board(now)  # a read between would have brought the user under the new rules


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_known_now_is_what_a_user_without_late_events_had(seed: int) -> None:
    drawn = random.Random(seed)
    sent: list[tuple[timedelta, timedelta, Event]] = []
    for number in range(drawn.randint(3, 14)):
        occurred = timedelta(hours=drawn.randint(0, 200))
        event = Event("ada", f"e{number}", drawn.choice(["message", "login"]), None, drawn.randint(1, 2))
        sent.append((occurred, occurred + drawn.choice([timedelta(), timedelta(hours=drawn.randint(0, 90))]), event))
    reversed_ids = {event.id for _, _, event in drawn.sample(sent, len(sent) // 4)}
    at = timedelta(hours=drawn.randint(1, 220))
    async with sandbox(FIRST) as (late, clock), sandbox(FIRST) as (in_time, other):
        await late.update_user("ada")
        await in_time.update_user("ada")
        start = clock.now
        for occurred, arrives, event in sorted(sent, key=lambda one: one[1]):
            clock.now = start + arrives
            await late.record(replace(event, occurred_at=start + occurred))
            if event.id in reversed_ids and drawn.random() < 0.5:
                await Admin(late).reverse("ada", event.id, "a mistake", "a test")
                reversed_ids.discard(event.id)
                sent = [one for one in sent if one[2].id != event.id]
        clock.now = start + timedelta(days=20)
        for event_id in reversed_ids:
            await Admin(late).reverse("ada", event_id, "a mistake", "a test")
        for occurred, _, event in sorted(sent, key=lambda one: one[0]):
            if occurred <= at and event.id not in reversed_ids:
                other.now = start + occurred
                await in_time.record(replace(event, occurred_at=start + occurred))
        other.now = start + at

        include = ("balance", "next", "toward", "streaks", "earned")
        known = await late.profile("ada", as_of=start + at, known_at=clock.now, include=include)
        ideal = await in_time.profile("ada", include=include)

    assert without_times_of_awards(known) == without_times_of_awards(ideal)


def without_times_of_awards(profile: Any) -> dict[str, Any]:
    found = replace_board(profile)
    for award in found["earned"]:
        del award["awardedAt"]
    return found


async def test_a_read_of_the_past_writes_nothing(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "m1", "message"))
    clock.advance(days=1)
    await Admin(laurels).add_amnesty(date(2026, 1, 5), date(2026, 1, 6), "an outage", "a test")
    before = await laurels.core.user("ada")

    await laurels.profile("ada", as_of=clock.now, known_at=clock.now)

    assert await laurels.core.user("ada") == before


async def test_times_that_cannot_be_read_are_refused(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "m1", "message"))
    made, hour = clock.now, timedelta(hours=1)
    clock.advance(days=1)

    for field, fix, more in [
        ("asOf", "in the future", {"as_of": clock.now + hour}),
        ("knownAt", "before 'asOf'", {"as_of": clock.now, "known_at": clock.now - hour}),
        ("knownAt", "in the future", {"as_of": clock.now, "known_at": clock.now + hour}),
        ("knownAt", "needs 'asOf'", {"known_at": clock.now}),
        ("asOf", "no login", {"as_of": clock.now, "login": True}),
        ("include", "other users", {"as_of": clock.now, "include": ["rank"]}),
        ("include", "unknown", {"as_of": clock.now, "include": ["ranks"]}),
    ]:
        with pytest.raises(InvalidInput, match=fix) as refused:
            await laurels.profile("ada", **more)  # pyright: ignore[reportArgumentType]
        assert refused.value.field == field
    with pytest.raises(UserNotFound, match="before"):
        await laurels.profile("ada", as_of=made - hour)
    with pytest.raises(UserNotFound):
        await laurels.profile("nobody", as_of=made)


async def test_a_user_whose_erasure_is_pending_is_not_read(database: str) -> None:
    async with Laurels.open(database, FIRST, erase_after=timedelta(days=3), clock=TestClock(AT)) as laurels:
        await laurels.record(Event("ada", "m1", "message"))
        await laurels.erase_user("ada")
        with pytest.raises(ErasurePending):
            await laurels.profile("ada", as_of=AT)


AT = datetime.fromisoformat("2026-03-02T09:00:00Z")


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_before_states_were_stored_nothing_is_read(database: str) -> None:
    clock = TestClock(AT)
    async with Laurels.open(database, FIRST, clock=clock) as laurels:
        await laurels.record(Event("ada", "m1", "message"))
        await laurels.store.save_maintenance_run(MaintenanceRun(FIRST_FORMER_STATE, NOT_STARTED, {}))
        with pytest.raises(PastNotStored):
            await laurels.profile("ada", as_of=AT)
    clock.advance(days=1)
    for _ in range(2):  # only the first start counts
        async with Laurels.open(database, FIRST, clock=clock) as laurels:
            await laurels.record(Event("bob", "m1", "message"))
            with pytest.raises(PastNotStored, match="2026-03-03T09:00:00") as refused:
                await laurels.profile("ada", as_of=AT)
            assert refused.value.earliest == AT + timedelta(days=1)
            assert (await laurels.profile("ada", as_of=AT + timedelta(days=1))).points == 10
            assert (await laurels.profile("bob", as_of=AT + timedelta(days=1))).points == 10
        clock.advance(days=1)


async def test_an_event_that_is_reversed_again_keeps_its_earlier_reversal(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    admin, points = Admin(laurels), dict[datetime, int]()
    await laurels.record(Event("ada", "m1", "message"))
    for step in range(4):
        clock.advance(hours=1)
        if step % 2:
            await admin.undo("ada", "reversal:m1")
        else:
            await admin.reverse("ada", "m1", f"mistake {step}", f"actor {step}")
        points[clock.now] = (await laurels.profile("ada")).points
    clock.advance(hours=1)

    assert [(await laurels.profile("ada", as_of=at)).points for at in points] == [0, 10, 0, 10]
    history = await laurels.history("ada")
    kept = [entry.adjustment for entry in history.entries if entry.adjustment]
    assert [(one.id, one.reason, one.actor, one.undone) for one in kept] == [
        ("reversal:m1", "mistake 2", "actor 2", True),
        ("laurels:undone:2:m1", "mistake 0", "actor 0", True),
    ]


async def test_a_read_of_the_past_computes_each_former_state_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streaks that were retired one after the other: the days of each are those of an earlier revision."""
    computed, names = list[int](), [f"s{number}" for number in range(8)]
    monkeypatch.setattr(past, "recomputed", lambda *given: (computed.append(1), recomputed(*given))[1])

    def retired(count: int) -> Catalog:
        return catalog(streaks={name: {"events": ["a"], "retired": names.index(name) < count} for name in names})

    async with sandbox(retired(0)) as (laurels, clock):
        await laurels.record(Event("ada", "e0", "a"))
        for number in range(1, len(names) + 1):
            clock.advance(days=1)
            await Admin(laurels).apply_catalog(retired(number), "retired", "a test")
            await laurels.record(Event("ada", f"e{number}", "a"))
        now = await laurels.profile("ada", include=["streaks"])

        then = await laurels.profile("ada", include=["streaks"], as_of=clock.now)

        assert len(computed) <= 1 + len(names)
        assert then.streaks == now.streaks
        assert then.streaks is not None
        assert [one.total_days for one in then.streaks] == [0, *range(1, len(names) + 1)]  # the first is that of logins


async def test_a_read_of_the_past_loads_the_revisions_of_the_catalog_once(
    opened: tuple[Laurels, TestClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "m1", "message"))
    loaded, load = list[int](), type(laurels.store).catalog_revisions

    async def counted(store: Any) -> Any:
        loaded.append(1)
        return await load(store)

    monkeypatch.setattr(type(laurels.store), "catalog_revisions", counted)

    assert (await laurels.profile("ada", as_of=clock.now)).points == 10
    assert len(loaded) == 1  # they hold the whole text of each catalog
