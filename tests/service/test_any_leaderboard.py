"""Any scores on any leaderboard: page, own rank, lines around, cursor and tallies agree, with a naive count, at every step.

The naive count knows the events that stand, the ledger and the acts, as plain lists. It keeps no sums: for each board and
period it adds up everything anew, sorts, and ranks by the tie rule.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.ranking import value_partition
from laurels.errors import LaurelsError
from laurels.present.leaderboards import LeaderboardPage
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.codec import from_micros
from laurels.testing import TestClock, sandbox
from tests.service.test_history import check_stored
from tests.support import at, badge, catalog, check_tallies, count, new_database, sql

pytestmark = pytest.mark.anyio

START = at("2026-03-27T12:00")  # two days before the clocks of Europe go forward, five before a month ends
USERS = ("ada", "bob", "Bob", "cyd", "ä", "🙂")
ZONE = "Europe/Berlin"
SEASONS = [
    {"name": "winter", "first": date(2025, 12, 1), "last": date(2026, 3, 27)},
    {"name": "spring", "first": date(2026, 3, 30), "last": date(2026, 5, 31)},
]


VALUES = ("red", "hidden", "a/hidden", "50%2F")
"""Values of an attribute, some of which could be confused with the names of partitions."""


def board(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, **more}


BOARDS = [
    board("year", period="year", ties="dense"),
    board("month", period="month", ties="shared", zone=ZONE),
    board("week", period="week", week_starts="sun", ties="dense", late_hours=48),
    board("day", period="day", zone=ZONE, late_hours=6),
    board("season", period="season", seasons=SEASONS),
    board("red", groups=["red", "blue"], ties="shared"),
    board("counted", by="metric", of="counted", period="week"),
    board("summed", by="metric", of="summed", period="day", ties="shared"),
    board("largest", by="metric", of="largest", period="month", ties="dense", order="lowest"),
    board("ever", by="metric", of="summed", ties="dense"),
    board("errors", by="metric", of="errors", order="lowest", period="week"),
    board("worst", by="metric", of="worst", ties="shared"),
    board("smallest", by="metric", of="smallest", period="month", order="lowest"),
    board("latest", by="metric", of="latest", period="day", ties="dense", order="lowest"),
    board("different", by="metric", of="different", period="week"),
    board("differently", by="metric", of="different", ties="shared"),
    board("days", by="metric", of="days", period="month", ties="shared"),
    board("run", by="streak", of="daily", period="month", ties="dense"),
    board("runs", by="streak", of="daily"),
    board("weighted", by="metric", weights={"counted": 3, "summed": 2}, period="week", ties="dense"),
    board("together", by="metric", weights={"counted": 1, "errors": 10}, order="lowest"),
    board("apart", within="team", period="week", ties="dense"),
    board("others", except_groups=["red", "green"], period="month"),
]


def rules(boards: Sequence[dict[str, Any]], pays: int = 10) -> Catalog:
    return catalog(
        metrics={
            "counted": count("a", where={"x": 1}),
            "summed": {"kind": "sum", "events": ["a", "b"]},
            "largest": {"kind": "max", "events": ["b"]},
            "days": {"kind": "distinct_days", "events": ["a"]},
            "errors": {"kind": "sum", "events": ["a"], "of": "n"},
            "worst": {"kind": "max", "events": ["a"], "of": "n"},
            "smallest": {"kind": "min", "events": ["a", "b"], "of": "n"},
            "latest": {"kind": "last", "events": ["b"], "of": "n"},
            "different": {"kind": "distinct", "events": ["a", "b"], "of": "n", "missing": "quantity"},
        },
        streaks={"daily": {"events": ["a", "b"]}},
        points=[
            {"id": "a", "events": ["a"], "amount": pays},
            {"id": "b", "events": ["b"], "amount": 5, "per": "quantity"},
        ],
        badges=[badge("many", 30, metric="summed", at_least=8)],
        leaderboards=boards,
    )


FIRST = rules(BOARDS)
SECOND = rules([*BOARDS[2:], board("other", by="metric", of="counted", period="year")], pays=7)


# ---- the naive count --------------------------------------------------------------------------


def key_of(kind: str, one: Any, moment: datetime) -> str | None:
    """The key of the period of an instant, from its date in the leaderboard's zone alone."""
    zone = one.periods.zone
    return key_of_day(kind, one, moment.astimezone(ZoneInfo(zone)).date().toordinal())


def key_of_day(kind: str, one: Any, ordinal: int) -> str | None:
    on = datetime.fromordinal(ordinal).date()
    if kind == "all":
        return "all"
    if kind == "year":
        return on.strftime("%Y")
    if kind == "month":
        return on.strftime("%Y-%m")
    if kind == "day":
        return on.isoformat()
    if kind == "season":
        return next((one["name"] for one in SEASONS if one["first"] <= on <= one["last"]), None)
    shifted = on - timedelta(days=one.periods.week_start)  # as if its week began on Monday
    first = shifted - timedelta(days=shifted.weekday()) + timedelta(days=one.periods.week_start)
    middle = first + timedelta(days=3)
    week = (middle - middle.replace(month=1, day=1)).days // 7 + 1
    return f"{middle.year}-W{week:02}"


@lru_cache(maxsize=1000)
def last_day(kind: str, one: Any, key: str) -> int:
    """The last day of a period, by walking."""
    day = next(day for day in range(739_000, 742_000) if key_of_day(kind, one, day) == key)
    while key_of_day(kind, one, day + 1) == key:
        day += 1
    return day


def is_over(one: Any, key: str, now: datetime) -> bool:
    """Whether a period has closed."""
    kind = one.periods.kind
    if kind == "all":
        return False
    after = datetime.fromordinal(last_day(kind, one, key) + 1).replace(tzinfo=ZoneInfo(one.periods.zone))
    return now >= after.astimezone(UTC) + one.late


FED = {
    "counted": ["a"],
    "summed": ["a", "b"],
    "largest": ["b"],
    "days": ["a"],
    "daily": ["a", "b"],
    "errors": ["a"],
    "worst": ["a"],
    "smallest": ["a", "b"],
    "latest": ["b"],
    "different": ["a", "b"],
}
OF_DATA = ("errors", "worst", "smallest", "latest")


def has_n(event: Event) -> bool:
    return "n" in (event.data or {}) and (event.data or {})["n"] >= 0


def different(within: Iterable[Event]) -> tuple[int, datetime] | None:
    """How many different numbers, and how many more without one, and since when."""
    first: dict[int, datetime] = {}
    unnamed = [event for event in within if "n" not in (event.data or {})]
    for event in within:
        if event.data and "n" in event.data:
            first[event.data["n"]] = min(notification_of(event), first.get(event.data["n"], notification_of(event)))
    number = len(first) + sum(event.quantity for event in unnamed)
    return (number, max([*first.values(), *map(notification_of, unnamed)])) if number else None


def score_of_data(of: str, found: list[tuple[int, datetime]]) -> tuple[int, datetime] | None:
    """The score of these numbers with their instants, and the instant at which it was reached."""
    if not found:
        return None
    if of == "latest":
        newest = max(moment for _, moment in found)
        return max(number for number, moment in found if moment == newest), newest
    if of == "errors":
        positive = [moment for number, moment in found if number]
        reached = max(positive) if positive else min(moment for _, moment in found)
        return sum(number for number, _ in found), reached
    best = (min if of == "smallest" else max)(number for number, _ in found)
    return best, min(moment for number, moment in found if number == best)


@dataclass
class Naive:
    """Everything that happened, as lists."""

    events: dict[str, list[Event]] = field(default_factory=dict[str, list[Event]])
    ledger: dict[str, list[tuple[int, datetime | None, datetime]]] = field(default_factory=dict[str, Any])
    groups: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    reached: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def scores(self, of: Catalog, one: Any, key: str, value: str | None) -> dict[str, tuple[int, datetime]]:
        """Each user's score on a board within a period, and when it was reached; of users with this value."""
        found: dict[str, tuple[int, datetime]] = {}
        for user, events in self.events.items():
            if one.groups and not self.groups.get(user, set()) & set(one.groups):
                continue
            if self.groups.get(user, set()) & set(one.except_groups):
                continue
            if value is not None and f"{one.within}:{value}" not in self.groups.get(user, set()):
                continue
            score = self._score(of, one, key, user, events)
            if score and (score[0] > 0 or (score[0] == 0 and one.by == "metric" and not one.highest)):
                found[user] = score
        return found

    def _score(
        self, of: Catalog, one: Any, key: str, user: str, events: Iterable[Event]
    ) -> tuple[int, datetime] | None:
        kind = one.periods.kind
        if one.by == "points" and kind == "all":
            return sum(amount for amount, _, _ in self.ledger[user]), self.reached.get(user, START)
        if one.by == "points":
            return self._points(one, key, user)
        if one.weights:
            within = [event for event in events if key_of(kind, one, notification_of(event)) == key]
            return added([(score_of_events(of, fed_to(of, within)), weight) for of, weight in one.weights])
        names = FED[one.of]
        fed = [event for event in events if event.type in names]
        if one.of in ("days", "daily"):
            days = sorted({event.day for event in fed if key_of(kind, one, notification_of(event)) == key})
            return longest(days) if one.of == "daily" else (len(days), midnight(days[-1])) if days else None
        within = [event for event in fed if key_of(kind, one, notification_of(event)) == key]
        return score_of_events(one.of, within)

    def _points(self, one: Any, key: str, user: str) -> tuple[int, datetime] | None:
        by_instant: dict[datetime, int] = defaultdict(int)
        for amount, counts_at, _ in self.ledger[user]:
            if counts_at and key_of(one.periods.kind, one, counts_at) == key:
                by_instant[counts_at] += amount
        left = {moment: amount for moment, amount in by_instant.items() if amount}
        return (sum(left.values()), max(left)) if left else None


def fed_to(of: str, events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.type in FED[of]]


def added(scores: Iterable[tuple[tuple[int, datetime] | None, int]]) -> tuple[int, datetime] | None:
    """The sum of weighted scores. Where it is not 0, only those that are not 0 say when it was reached."""
    found = [(score[0] * weight, score[1]) for score, weight in scores if score]
    total = sum(score for score, _ in found)
    if total:
        return total, max(reached for score, reached in found if score)
    return (0, min(reached for _, reached in found)) if found else None


def score_of_events(of: str, within: list[Event]) -> tuple[int, datetime] | None:
    """The score of these events by a metric, and the instant at which it was reached."""
    if of == "different":
        return different(within)
    if of in OF_DATA:
        return score_of_data(
            of, [((event.data or {})["n"], notification_of(event)) for event in within if has_n(event)]
        )
    if of == "counted":
        within = [event for event in within if repr((event.data or {}).get("x")) == "1"]  # true is not 1
        return (len(within), max(map(notification_of, within))) if within else None
    if of == "summed":
        return (sum(event.quantity for event in within), max(map(notification_of, within))) if within else None
    best = max((event.quantity for event in within), default=0)
    return (best, min(notification_of(event) for event in within if event.quantity == best)) if within else None


def notification_of(event: Event) -> datetime:
    assert event.occurred_at
    return event.occurred_at


def midnight(day: int) -> datetime:
    return datetime.fromordinal(day).replace(tzinfo=UTC)


def longest(days: Sequence[int]) -> tuple[int, datetime] | None:
    """The longest run of days, the first where several are as long, and its last day."""
    best: tuple[int, int] | None = None
    for _, run in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0]):
        in_run = [day for _, day in run]
        if best is None or len(in_run) > best[0]:
            best = (len(in_run), in_run[-1])
    return (best[0], midnight(best[1])) if best else None


Line = tuple[int, str, int, datetime]
"""Rank, user, score, when it was reached."""


def lines_of(scores: dict[str, tuple[int, datetime]], *, highest: bool, ties: str) -> list[Line]:
    """A board, sorted and ranked."""
    in_order = sorted(scores.items(), key=lambda one: (-one[1][0] if highest else one[1][0], one[1][1], one[0]))
    lines: list[Line] = []
    for index, (user, (score, reached)) in enumerate(in_order):
        same = bool(lines) and lines[-1][2] == score
        if ties == "first" or not lines:
            rank = index + 1
        elif ties == "shared":
            rank = lines[-1][0] if same else index + 1
        else:
            rank = lines[-1][0] + (0 if same else 1)
        lines.append((rank, user, score, reached))
    return lines


# ---- a server where anything happens -----------------------------------------------------------


Name = tuple[str, str, str | None]
"""A board, the key of a period, and the value of an attribute, if the board ranks users apart."""


class World:
    """A Laurels, what is known of it in lists, and the pages of every open board as read last."""

    def __init__(self, laurels: Laurels, clock: TestClock, chance: random.Random) -> None:
        self.laurels, self.clock, self.chance = laurels, clock, chance
        self.events: dict[str, dict[str, Event]] = {user: {} for user in USERS}
        self.reversed: set[tuple[str, str]] = set()
        self.groups: dict[str, set[str]] = {user: set() for user in USERS}
        self.pages: dict[Name, list[Line]] = {}
        self.closed: dict[Name, list[Line]] = {}

    @property
    def admin(self) -> Admin:
        return Admin(self.laurels)

    async def step(self) -> None:
        """Do one thing, or nothing where it is refused."""
        steps = [self.record, self.record, self.record, self.reverse, self.undo, self.regroup, self.adjust, self.wait]
        step = self.chance.choice([*steps, self.change_rules] if self.chance.random() < 0.3 else steps)
        try:
            await step()
        except LaurelsError as error:
            assert str(error)  # noqa: PT017  # such as an adjustment below zero

    async def record(self) -> None:
        batch = [self.an_event() for _ in range(self.chance.randint(1, 6))]
        for answer in await self.laurels.record_many(batch):
            if not isinstance(answer, LaurelsError):
                assert answer.user_id
                assert answer.id
                stored = await self.laurels.store.event(answer.user_id, answer.id)
                assert stored
                self.events[answer.user_id][answer.id] = stored.event

    def an_event(self) -> Event:
        chance = self.chance
        ago = chance.choice([0, 0, 1, 1, 5, 20, 24, 24 * 3, 24 * 8, 24 * 26])
        moment = (self.clock.now - timedelta(hours=ago)).replace(microsecond=0, second=chance.choice([0, 0, 7]))
        kind, data = chance.choice("aab"), chance.choice([{}, {"x": 1}, {"x": 1}, {"x": True}])
        if chance.random() < 0.7:
            data = {**data, "n": chance.choice([-1, 0, 0, 1, 4])}
        return Event(chance.choice(USERS), f"e{chance.randint(0, 60)}", kind, moment, chance.randint(1, 3), data)

    def some_event(self, *, reversed_: bool) -> tuple[str, str]:
        known = [(user, name) for user, events in self.events.items() for name in events]
        some = [one for one in known if (one in self.reversed) == reversed_]
        return self.chance.choice(some) if some else ("ada", "never-sent")

    async def reverse(self) -> None:
        user, name = self.some_event(reversed_=False)
        if name in self.events[user]:
            await self.admin.reverse(user, name, "because", "a test")
            self.reversed.add((user, name))

    async def undo(self) -> None:
        user, name = self.some_event(reversed_=True)
        if (user, name) in self.reversed:
            await self.admin.undo(user, f"reversal:{name}")
            self.reversed.remove((user, name))

    async def regroup(self) -> None:
        user, groups = self.chance.choice(USERS), self.chance.choice([[], ["red"], ["blue", "green"], ["green"]])
        groups += [f"team:{value}" for value in VALUES if self.chance.random() < 1 / 2]
        await self.laurels.update_user(user, groups=groups)
        self.groups[user] = {*groups}

    async def adjust(self) -> None:
        user, amount = self.chance.choice(USERS), self.chance.choice([-15, -5, 5, 10])
        act = f"a{self.chance.randint(0, 10**9)}"
        await self.admin.adjust(user, act, "points", {"amount": amount}, "because", "a test")

    async def wait(self) -> None:
        self.clock.advance(hours=self.chance.choice([1, 6, 13, 24, 50, 100]))

    async def change_rules(self) -> None:
        other = SECOND if self.laurels.catalog is FIRST else FIRST
        self.laurels = Laurels(self.laurels.store, other, clock=self.clock)
        for name in [name for name in self.pages if name[0] not in other.boards]:
            del self.pages[name]  # a leaderboard that the catalog has no more is nobody's promise
        self.closed = {name: page for name, page in self.closed.items() if name[0] in other.boards}
        for user in USERS:
            await self.admin.rebuild(user)

    async def naive(self) -> Naive:
        stands = {
            user: [event for name, event in events.items() if (user, name) not in self.reversed]
            for user, events in self.events.items()
        }
        ledger: dict[str, Any] = {user: [] for user in USERS}
        for user, amount, counts_at, recorded in await sql(
            self.laurels.store, "SELECT user_id, amount, counts_at, at FROM ledger"
        ):
            ledger[user].append((amount, None if counts_at is None else from_micros(counts_at), recorded))
        reached = dict(await sql(self.laurels.store, "SELECT user_id, reached_at FROM users WHERE reached_at > 0"))
        return Naive(stands, ledger, self.groups, {user: from_micros(moment) for user, moment in reached.items()})

    async def check(self) -> None:
        """Every open board is what the naive count says; every closed one is as it was."""
        naive, now = await self.naive(), self.clock.now
        await check_tallies(self.laurels.store)
        for name in [*self.pages]:
            if is_over(self.laurels.catalog.boards[name[0]], name[1], now):
                self.closed[name] = self.pages.pop(name)
        for one in self.laurels.catalog.boards.values():
            for key in self.keys(one, naive):
                if not is_over(one, key, now):
                    for value in VALUES if one.within else (None,):
                        scores = naive.scores(self.laurels.catalog, one, key, value)
                        page = lines_of(scores, highest=one.highest, ties=one.ties)
                        self.pages[one.id, key, value] = page
                        await self.compare((one.id, key, value), page)
        for name, page in self.closed.items():
            await self.compare(name, page)

    def keys(self, one: Any, naive: Naive) -> set[str]:
        """Every period that anything may have counted in."""
        kind = one.periods.kind
        notifications = [notification_of(event) for events in naive.events.values() for event in events]
        notifications += [counts_at for entries in naive.ledger.values() for _, counts_at, _ in entries if counts_at]
        days = [event.day for events in naive.events.values() for event in events if event.day]
        keys = {key_of(kind, one, moment) for moment in notifications} | {key_of_day(kind, one, day) for day in days}
        return {key for key in keys if key}

    async def compare(self, name: Name, page: list[Line]) -> None:
        """Read a board in every way: each must show the lines of the naive page, with their ranks on the whole board."""
        (board_id, key, value), chance = name, self.chance
        read = partial(self.laurels.leaderboard, within=value)
        whole = await read(board_id, key, limit=100)
        assert shown(whole) == page, name
        assert (whole.within == value and (value in whole.values) == bool(page)) if value else not whole.values
        assert whole.ranked_users == len(page)
        walked: list[Line] = []
        after, size = None, chance.randint(1, 4)
        while True:
            part = await read(board_id, key, limit=size, after=after)
            walked += shown(part)
            after = part.next
            if after is None:
                break
        assert walked == page, (board_id, key, size)
        user = chance.choice(USERS)
        ties = self.laurels.catalog.boards[board_id].ties
        position = next((index for index, line in enumerate(page) if line[1] == user), None)
        rank = None if position is None else page[position][0]
        partition = value_partition(board_id, value) if value else board_id
        assert await self.laurels.store.rank(partition, key, user, ties) == (rank, len(page))
        friends = chance.sample(USERS, 3)
        among = await read(board_id, key, friends=friends, me=user)
        assert shown(among) == [line for line in page if line[1] in friends]
        assert (among.me.rank if among.me else None) == rank
        near = shown(await read(board_id, key, around=user, limit=size))
        if position is None:
            assert near == []
        else:
            first = max(0, min(position - (size - 1) // 2, len(page) - size))
            assert near == page[first : first + size]


def shown(page: LeaderboardPage) -> list[Line]:
    return [(line.rank, line.user_id, line.score, line.reached_at) for line in page.standings]


@asynccontextmanager
async def world(kind: str, seed: int) -> AsyncIterator[World]:
    with new_database(kind) as database:
        async with sandbox(FIRST, start=START, database=database) as (laurels, clock):
            for user, zone in zip(USERS, ("UTC", "Asia/Tokyo", "America/Los_Angeles"), strict=False):
                await laurels.update_user(user, time_zone=zone)
            for user in USERS[3:]:
                await laurels.update_user(user, name=user.upper())
            yield World(laurels, clock, random.Random(seed))


HISTORIES = [("sqlite-memory", seed) for seed in range(14)] + [("postgresql", seed) for seed in range(100, 103)]
"""Fewer on PostgreSQL, for each step costs some twenty times as much."""


@pytest.mark.parametrize(("kind", "seed"), HISTORIES)
async def test_every_read_of_every_leaderboard_equals_a_naive_count(kind: str, seed: int) -> None:
    async with world(kind, seed) as one:
        for _ in range(25):
            await one.step()
            await one.check()
            one.clock.advance(seconds=1)
        await check_stored(one.laurels)
        one.clock.advance(days=70)  # every period but the year closes, and what was seen last stays
        await one.check()
        assert {name for name, _, _ in one.closed} >= {"week", "day", "season"} & {*one.laurels.catalog.boards}
