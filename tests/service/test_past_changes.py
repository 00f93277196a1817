"""What changed for a user between two times, and which change made something so: in 100 of 100 histories."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest

from laurels.commands import past
from laurels.engine.events import Event
from laurels.engine.judge import recomputed
from laurels.errors import InvalidInput, UserNotFound
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import TestClock, sandbox
from tests.service.test_past import FIRST, RULES, changed
from tests.support import badge, catalog

pytestmark = pytest.mark.anyio

KINDS = ["event", "adjustment", "undo", "reversal", "catalog", "amnesty", "revisions"]


async def noise(laurels: Laurels, clock: TestClock, drawn: random.Random, steps: int) -> None:
    """Changes that have nothing to do with the badge that is searched for."""
    admin = Admin(laurels)
    for _ in range(steps):
        clock.advance(hours=drawn.randint(1, 5))
        name = f"n{drawn.random()}"
        match drawn.randint(0, 4):
            case 0:
                await admin.adjust("ada", name, "points", {"amount": drawn.randint(1, 3)}, "a gift", "a test")
            case 1:
                await laurels.update_user("ada", joined_at=clock.now - timedelta(days=drawn.randint(1, 300)))
            case 2:
                await laurels.record(Event("ada", name, "note"))
                await admin.reverse("ada", name, "a mistake", "a test")
            case 3:
                await laurels.profile("ada")
            case _:
                await laurels.record(Event("ada", name, "note", clock.now - timedelta(hours=drawn.randint(0, 50))))


async def culprit(laurels: Laurels, clock: TestClock, kind: str) -> tuple[str, str, bool]:
    """Make the change that decides about the badge 'seven': its kind, its id, and whether the user has the badge since."""
    admin = Admin(laurels)
    match kind:
        case "event":
            await laurels.record(Event("ada", "decides", "message"))
            return "event", "decides", True
        case "adjustment":
            await admin.adjust("ada", "decides", "grant", {"badge": "seven"}, "a gift", "a test")
            return "adjustment", "decides", True
        case "undo":
            await admin.adjust("ada", "decides", "grant", {"badge": "seven"}, "a gift", "a test")
            clock.advance(hours=1)
            await admin.undo("ada", "decides")
            return "undo", "decides", False
        case "reversal":
            await laurels.record(Event("ada", "seventh", "message"))
            clock.advance(hours=1)
            await admin.reverse("ada", "seventh", "a mistake", "a test")
            return "adjustment", "reversal:seventh", False
        case "catalog" | "revisions":
            if kind == "revisions":
                for needed in (4, 8, 5, 9, 8, 7):  # a read would have found the badge, found none, and so on
                    await admin.apply_catalog(of_messages(needed), "another number", "a test")
                    clock.advance(hours=1)
            await admin.apply_catalog(with_seven(metric="messages", at_least=6), "easier", "a test")
            (*_, newest) = await laurels.store.catalog_revisions()
            return "catalog", str(newest.number), True
        case _:
            gap = date.fromordinal(clock.now.toordinal() - 1)
            found = await admin.add_amnesty(gap, gap, "an outage", "a test")
            return "amnesty", found.id, True


def with_seven(**when: Any) -> Any:
    return changed(badges=[badge("seven", 1, **when)])


def of_messages(needed: int) -> Any:
    """The badge for this many messages; holders who have fewer lose it."""
    return changed(badges=[badge("seven", 1, metric="messages", at_least=needed) | {"holders": "lose"}])


@pytest.mark.parametrize("seed", range(100))
async def test_the_change_that_decided_is_found(seed: int) -> None:
    drawn, kind = random.Random(seed), KINDS[seed % len(KINDS)]
    rules = with_seven(streak="login", streak_of=2) if kind == "amnesty" else with_seven(metric="messages", at_least=7)
    async with sandbox(rules) as (laurels, clock):
        for number in range(6):
            await laurels.record(Event("ada", f"m{number}", "message"))
        await noise(laurels, clock, drawn, drawn.randint(0, 8))
        if kind == "amnesty":
            await laurels.record(Event("ada", "l1", "login"))
            clock.advance(days=2)
            await laurels.record(Event("ada", "l2", "login"))
        clock.now += timedelta(minutes=drawn.randint(1, 50))
        expected, at = await culprit(laurels, clock, kind), clock.now
        await noise(laurels, clock, drawn, drawn.randint(0, 8))

        found = await Admin(laurels).find_cause("ada", badge="seven")

        assert found is not None
        assert (found.kind, found.id, found.holds, found.at) == (*expected, at)
        assert (found.gained, found.lost) == (["seven"], []) if found.holds else ([], ["seven"])
        assert "seven" in found.sentence


@pytest.mark.parametrize("is_active", [False, True])
async def test_of_several_revisions_that_turned_it_the_last_is_found(is_active: bool) -> None:
    """Nothing of the user was written between them, and the badge is had before and after."""
    async with sandbox(of_messages(1)) as (laurels, clock):
        admin = Admin(laurels)
        await laurels.record(Event("ada", "m1", "message"))
        for needed in (9, 1, 9, 1, 2, 1, 1):
            clock.advance(days=1)
            await admin.apply_catalog(of_messages(needed), "another number", "a test")
        clock.advance(hours=1)
        if is_active:
            await laurels.record(Event("ada", "m2", "message"))

        found = await admin.find_cause("ada", badge="seven")

        assert found is not None
        assert (found.kind, found.id, found.holds, found.gained) == ("catalog", "7", True, ["seven"])


async def test_the_cause_is_not_computed_for_revisions_between_which_the_user_was_active(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the rows tell is not computed: a user with a long history is computed a few times, not once for each revision."""
    computed = list[int]()
    monkeypatch.setattr(past, "recomputed", lambda *given: (computed.append(1), recomputed(*given))[1])
    async with sandbox(of_messages(1)) as (laurels, clock):
        await laurels.record(Event("ada", "m0", "message"))
        for number in range(20):
            clock.advance(days=1)
            await Admin(laurels).apply_catalog(of_messages(1 + number % 2), "another", "a test")
            clock.advance(hours=1)
            await laurels.record(Event("ada", f"m{number + 1}", "message"))

        found = await Admin(laurels).find_cause("ada", badge="seven")

        assert found is not None
        assert found.id == "m0"
        assert len(computed) < 10


async def test_a_badge_for_time_is_had_since_the_user_was_read() -> None:
    """A revision that changes nothing for the user is not the cause, although it came after the badge was due."""
    async with sandbox(changed(badges=[badge("seven", 1, member_for="7 days")])) as (laurels, clock):
        await laurels.update_user("ada", joined_at=clock.now)
        await laurels.record(Event("ada", "m1", "message"))
        clock.advance(days=8)
        due = clock.now
        renamed = changed(badges=[badge("seven", 1, member_for="7 days") | {"name": "Another name"}])
        await Admin(laurels).apply_catalog(renamed, "a name", "a test")
        clock.advance(days=1)
        nothing = await Admin(laurels).find_cause("ada", badge="seven")
        before = await laurels.profile("ada", as_of=due)
        assert [one.id for one in (await laurels.profile("ada")).badges] == ["seven"]

        found = await Admin(laurels).find_cause("ada", badge="seven")

        assert nothing is None
        assert [one.id for one in before.badges] == ["seven"]  # as a read answered then
        assert found is not None
        assert (found.kind, found.at, found.holds, found.gained) == ("user", clock.now, True, ["seven"])


async def test_the_change_that_reached_a_level_or_points_is_found() -> None:
    async with sandbox(FIRST) as (laurels, clock):
        admin = Admin(laurels)
        for number in range(12):
            clock.advance(days=1)
            await laurels.record(Event("ada", f"m{number}", "message"))
        await admin.adjust("ada", "back", "points", {"amount": -100}, "a mistake", "a test")
        clock.advance(days=1)
        await admin.adjust("ada", "again", "points", {"amount": 100}, "right after all", "a test")

        points, level = await admin.find_cause("ada", points=180), await admin.find_cause("ada", level=2)
        never = await admin.find_cause("ada", points=5000)
        low = await admin.find_cause("ada", points=30)

        assert points
        assert level
        assert low
        assert (points.id, points.holds) == ("again", True)
        assert (level.id, level.level.before, level.level.after) == ("m3", 1, 2)
        assert (low.kind, low.holds) == ("event", True)
        assert never is None


POINTS = (
    'Points: from 10 to 303 (+293): +200 adjustments by hand, +50 badge "two", +30 badge "rich", +10 rule "message", '
    '+3 rule "login".'
)


async def test_a_difference_says_where_points_come_from() -> None:
    async with sandbox(FIRST) as (laurels, clock):
        admin = Admin(laurels)
        await laurels.record(Event("ada", "m1", "message"))
        since = clock.now
        clock.advance(days=1)
        await laurels.record(Event("ada", "m2", "message"))
        await laurels.record(Event("ada", "l1", "login"))
        await admin.adjust("ada", "gift", "points", {"amount": 200}, "a gift", "a test")
        await admin.adjust("ada", "sticker", "points", {"amount": 20, "spend": True}, "a sticker", "a test")
        await admin.apply_catalog(changed(badges=RULES["badges"][:4]), "fewer", "a test")

        found = await admin.compare_user("ada", since, clock.now)

        assert found.sentences == [
            POINTS,
            "Level: from 1 to 2 (+1).",
            "Balance: from 10 to 283 (+273).",
            "Earned badges: rich, two.",
            "Streak login: from 0 to 1 (+1).",
            "Recorded events: 2.",
            "Made: the adjustment gift (points).",
            "Made: the adjustment sticker (points).",
            "Revision 2 of the catalog was put in force.",
        ]
        assert sum(part.amount for part in found.parts) == found.points.after - found.points.before
        nothing = await admin.compare_user("ada", since, since)
        assert nothing.sentences == ["Nothing changed."]


async def test_a_renamed_streak_goes_on_in_a_difference() -> None:
    before = catalog(streaks={"old": {"events": ["a"]}})
    after = catalog(streaks={"fresh": {"events": ["a"], "was": "old"}})
    async with sandbox(before) as (laurels, clock):
        for number in range(3):
            clock.advance(days=1)
            await laurels.record(Event("ada", f"e{number}", "a"))
        since = clock.now
        clock.advance(hours=1)
        await Admin(laurels).apply_catalog(after, "another name", "a test")
        clock.advance(hours=1)

        same = await Admin(laurels).compare_user("ada", since, clock.now)
        clock.advance(days=1)
        await laurels.record(Event("ada", "e3", "a"))
        longer = await Admin(laurels).compare_user("ada", since, clock.now)

        assert (same.streaks, same.sentences[-1]) == ({}, "Revision 2 of the catalog was put in force.")
        assert {name: (pair.before, pair.after) for name, pair in longer.streaks.items()} == {"fresh": (3, 4)}
        assert "Streak fresh: from 3 to 4 (+1)." in longer.sentences


async def test_what_cannot_be_compared_or_found_is_refused() -> None:
    async with sandbox(FIRST) as (laurels, clock):
        admin, start = Admin(laurels), clock.now
        clock.advance(days=1)
        await laurels.record(Event("ada", "m1", "message"))
        with pytest.raises(InvalidInput, match="after 'until'"):
            await admin.compare_user("ada", clock.now, start)
        with pytest.raises(UserNotFound, match="before"):
            await admin.compare_user("ada", start, clock.now)
        with pytest.raises(InvalidInput, match="either"):
            await admin.find_cause("ada")
        with pytest.raises(UserNotFound):
            await admin.find_cause("bob", points=1)
