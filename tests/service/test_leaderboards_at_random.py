"""Any order of events, choices, exclusions, erasures and closings, against lists made in plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from tests.support import KINDS, new_database
from tests.support.arena import ROOT, START, Arena, arena, check_arena, rules

pytestmark = pytest.mark.anyio

DAILY = {
    ties: rules({"id": "daily", "period": "day", "late_hours": 6, "tell_top": 3, "ties": ties})
    for ties in ("first", "shared")
}
USERS = [f"u{index}" for index in range(9)]
ERASED_USER = "nobody"
Line = tuple[int, str, int]


@dataclass
class Person:
    """The events, choices and notifications of a user."""

    events: dict[str, tuple[datetime, int]] = field(default_factory=dict[str, tuple[datetime, int]])
    visibility: str | None = None
    exclusions: list[str] = field(default_factory=list[str])


@dataclass
class Oracle:
    """What users should see: all scores by day, computed for each question; closed days as they were at closing."""

    ties: str
    people: dict[str, Person] = field(default_factory=lambda: defaultdict(Person))
    closed: dict[str, list[tuple[int, str, int, bool]]] = field(
        default_factory=dict[str, list[tuple[int, str, int, bool]]]
    )

    def lines(self, day: str, *, hidden: bool = False) -> list[tuple[int, str, int, bool]]:
        """(rank, user, score, whether hidden when it closed) of all who stand there, in order; hidden ones take no rank."""
        if day in self.closed:
            return self.closed[day]
        scored: list[tuple[int, datetime, str]] = []
        for user_id, person in self.people.items():
            of_day = [(pages, at) for at, pages in person.events.values() if at.date().isoformat() == day]
            if of_day and not person.exclusions:
                scored.append((-sum(pages for pages, _ in of_day), max(at for _, at in of_day), user_id))
        scored.sort()
        shown = [one for one in scored if self.people[one[2]].visibility != "hidden"]
        parts = 1 if self.ties == "shared" else 3
        return [
            (1 + sum(other[:parts] < one[:parts] for other in shown), one[2], -one[0], one not in shown)
            for one in scored
        ]

    def page(self, day: str, reader: str) -> list[Line]:
        """What a reader sees, with 'alias' for invented names."""
        found: list[Line] = []
        for rank, user_id, score, was_hidden in self.lines(day):
            person = self.people.get(user_id, Person())
            if was_hidden or user_id == ERASED_USER:
                continue
            if user_id == reader:
                found.append((rank, user_id, score))
            elif not person.exclusions and person.visibility != "hidden":
                found.append((rank, "alias" if person.visibility == "pseudonym" else user_id, score))
        return found

    def own(self, day: str, reader: str) -> Line | None:
        return next((line[:3] for line in self.lines(day) if line[1] == reader), None)

    def close(self, now: datetime) -> None:
        """Freeze every day whose time has come."""
        day = START.date() - timedelta(days=3)
        while datetime(day.year, day.month, day.day, tzinfo=now.tzinfo) + timedelta(hours=30) <= now:
            self.closed.setdefault(day.isoformat(), self.lines(day.isoformat()))
            day += timedelta(days=1)

    def erase(self, user_id: str) -> None:
        self.people.pop(user_id, None)
        for day, lines in self.closed.items():
            self.closed[day] = [(rank, ERASED_USER if one == user_id else one, *rest) for rank, one, *rest in lines]  # type: ignore[misc]


@dataclass
class Story:
    """A run of Laurels next to the oracle."""

    one: Arena
    rng: random.Random
    oracle: Oracle
    erased: set[str] = field(default_factory=set[str])

    async def step(self) -> None:
        """Some time goes by, and one thing happens, to both."""
        self.one.clock.advance(seconds=self.rng.choice([1, 1, 60, 3600, 4 * 3600]))
        self.oracle.close(self.one.clock())
        happens = [self.event, self.reverse, self.choose, self.exclude, self.undo, self.rebuild, self.erase]
        (act,) = self.rng.choices(happens, [12, 2, 3, 2, 2, 1, 0.3])
        user_id = self.rng.choice(self.living)
        await act(user_id, self.oracle.people[user_id])
        if self.rng.random() < 0.1:
            await self.one.laurels.close_periods()

    @property
    def living(self) -> list[str]:
        return [name for name in USERS if name not in self.erased]

    async def event(self, user_id: str, person: Person) -> None:
        ago = timedelta(hours=self.rng.choice([0, 0, 3, 9, 20]))
        when, pages = max(self.one.clock() - ago, START - timedelta(days=2)), self.rng.choice([1, 1, 1, 2])
        when = when.replace(hour=when.hour // 8 * 8, minute=0, second=0)  # so that many are equal, and of one moment
        await self.one.read(user_id, pages, when)
        if when.date().isoformat() not in self.oracle.closed:
            person.events[f"e-{self.one.sent[0]}"] = (when, pages)

    async def reverse(self, user_id: str, person: Person) -> None:
        if person.events:
            name = self.rng.choice(list(person.events))
            await self.one.admin.reverse(user_id, name, "a script", ROOT)
            del person.events[name]

    async def choose(self, user_id: str, person: Person) -> None:
        person.visibility = self.rng.choice(["public", "pseudonym", "hidden", None])
        await self.one.laurels.update_user(user_id, visibility=person.visibility)  # type: ignore[arg-type]

    async def exclude(self, user_id: str, person: Person) -> None:
        await self.one.laurels.update_user(user_id, name=user_id)
        await self.one.adjust(user_id, "exclusion", f"out-{len(person.exclusions)}-{self.one.clock().isoformat()}")
        person.exclusions.append(f"out-{len(person.exclusions)}-{self.one.clock().isoformat()}")

    async def undo(self, user_id: str, person: Person) -> None:
        if person.exclusions:
            await self.one.admin.undo(user_id, person.exclusions.pop())

    async def rebuild(self, user_id: str, _: Person) -> None:
        if await self.one.laurels.store.user(user_id):
            assert not await self.one.admin.rebuild(user_id)

    async def erase(self, user_id: str, _: Person) -> None:
        if len(self.living) > 2:
            await self.one.laurels.erase_user(user_id)
            self.oracle.erase(user_id)
            self.erased.add(user_id)


async def compare(one: Arena, oracle: Oracle, day: str, reader: str) -> None:
    shown = await one.board("daily", day, limit=50, me=reader)
    lines = [
        (line.rank, "alias" if line.user_id.startswith("alias:") else line.user_id, line.score)
        for line in shown.standings
    ]
    assert lines == oracle.page(day, reader)
    assert (shown.me and (shown.me.rank, shown.me.user_id, shown.me.score)) == oracle.own(day, reader)
    assert shown.ranked_users == sum(not line[3] for line in oracle.lines(day))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ties", DAILY)
@pytest.mark.parametrize("seed", range(3))
async def test_every_user_sees_what_plain_lists_show(kind: str, seed: int, ties: str) -> None:
    rng = random.Random(seed)
    with new_database(kind) as address:
        async with arena(address, DAILY[ties]) as one:
            story = Story(one, rng, Oracle(ties))
            for number in range(150):
                await story.step()
                if number % 3 == 0:
                    day = (one.clock() - timedelta(days=rng.choice([0, 0, 1, 2]))).date().isoformat()
                    await compare(one, story.oracle, day, rng.choice(story.living))
                if number % 50 == 49:
                    await check_arena(one)
            days = [(one.clock() - timedelta(days=back)).date().isoformat() for back in range(8)]
            for _ in range(5):
                for day in days:
                    for reader in story.living:
                        await compare(one, story.oracle, day, reader)
                user_id = rng.choice(story.living)
                await story.erase(user_id, story.oracle.people[user_id])
            assert len(story.oracle.closed) > 5
