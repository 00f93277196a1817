"""Fills a database with the sample community through the library, with a clock that moves through the months."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import cast

from laurels.demo.sample import Community, Member
from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import AtLeast
from laurels.engine.events import Event
from laurels.errors import LaurelsError
from laurels.service.laurels import Laurels
from laurels.service.opening import database_of_file, made_to_fill
from laurels.storage.contract import UserRow

STEP = timedelta(hours=6)
"""How far the clock moves between two batches: events that arrived in these hours are recorded together."""

POINT_RULES = """
# ---- points that events pay directly: over months they spread a community over all levels ---------
[[points]]
id = "login"
events = ["login"]
amount = 5
cap_per_day = 5

[[points]]
id = "message"
events = ["message.sent"]
amount = 2
per = "quantity"
cap_per_day = 120

[[points]]
id = "agent"
events = ["agent.created"]
amount = 20

[[points]]
id = "referral"
events = ["referral.completed"]
amount = 50
"""

MESSAGES = "messages"
CANDIDATES = 1000
"""How many of the top users by points are searched for the member that a visitor signs in as."""


def demo_catalog() -> str:
    """The contract's catalog and POINT_RULES, as one file. Badges alone would end at the level Expert."""
    text = resources.files("laurels.engine").joinpath("default.toml").read_text("utf-8")
    return text.replace('name = "default"', 'name = "demo"', 1) + POINT_RULES


class MovingClock:
    """A clock that is moved through the months of the sample."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The current time."""
        return self.now


async def fill(file: Path, catalog: Catalog, people: Community, now: datetime, advance: Callable[[], None]) -> None:
    """Record all events of the community in the order of arrival, up to `now`. `advance` is called after each step.

    The database becomes a sandbox, so that the demo's clock can be moved. It is filled in memory and then written in one step: on
    a slow disk, hundreds of commits would take ten times as long.
    """
    clock = MovingClock(now)
    part = file.with_name(file.name + ".filling")
    for left_over in (part, *(part.with_name(part.name + ending) for ending in ("-wal", "-shm"))):
        left_over.unlink(missing_ok=True)
    async with Laurels.open("sqlite://", catalog, late_window=None, clock=clock) as laurels:
        for end, step in steps(people, now):
            await _take(laurels, clock, step, end)
            advance()
        await laurels.set_clock_offset(timedelta())
        async with made_to_fill(database_of_file(part)) as store, laurels.store.rows() as rows:
            await store.fill(rows.batches())
    part.replace(file)  # a closed database is one file; `file` exists only when it is complete


@dataclass(slots=True)
class Step:
    """What arrived in the same few hours: new members, changes of time zone, and events."""

    joins: list[Member] = field(default_factory=list[Member])
    moves: list[tuple[str, datetime, str]] = field(default_factory=list[tuple[str, datetime, str]])
    events: list[Event] = field(default_factory=list[Event])


def steps(people: Community, now: datetime) -> list[tuple[datetime, Step]]:
    """The steps in order, each with the time at which it is recorded."""
    start = min(member.joined_at for member in people.members)
    made: dict[int, Step] = {}

    def step_at(time: datetime) -> Step:
        return made.setdefault((time - start) // STEP, Step())

    for member in people.members:
        step_at(member.joined_at).joins.append(member)
        if member.moves:
            step_at(member.moves[0]).moves.append((member.user_id, *member.moves))
    for sent in people.sent:
        step_at(sent.at).events.append(sent.event)
    return [(min(start + (number + 1) * STEP, now), made[number]) for number in sorted(made)]


async def _take(laurels: Laurels, clock: MovingClock, step: Step, end: datetime) -> None:
    for user_id, moved_at, time_zone in step.moves:
        clock.now = moved_at
        await laurels.update_user(user_id, time_zone=time_zone)
    clock.now = end
    for join in step.joins:
        await laurels.update_user(join.user_id, name=join.name, time_zone=join.time_zone, joined_at=join.joined_at)
    for answer in await laurels.record_many(step.events, ranks=False):
        if isinstance(answer, LaurelsError):
            raise answer


async def is_filled(laurels: Laurels) -> bool:
    """Whether this database holds a demo: its first user on points was computed with the demo's rules."""
    top = (await laurels.store.profile_view("", 1)).top
    user = await laurels.store.user(top[0].place.user_id) if top else None
    return user is not None and user.rules == laurels.catalog.rules


async def one_message_short(laurels: Laurels, preferred: str) -> tuple[UserRow, Badge]:
    """A member whose next message earns this badge. If there is none, the closest member gets the missing messages.

    `preferred` is taken as long as there is such a badge to earn.
    """
    standings = (await laurels.store.profile_view("", CANDIDATES)).top
    ids = sorted((standing.place.user_id for standing in standings), key=lambda user_id: user_id != preferred)
    rows = [row for user_id in ids if (row := await laurels.store.user(user_id))]
    for badge in laurels.catalog.badges:
        condition = badge.condition
        if isinstance(condition, AtLeast) and condition.metric == MESSAGES:
            before = [row for row in rows if row.progress.totals.get(MESSAGES, 0) < condition.target]
            if before:
                row = max(before, key=lambda row: row.progress.totals.get(MESSAGES, 0))
                return await _brought_to(laurels, row, condition.target - 1), badge
    raise LookupError("every member of this demo has sent thousands of messages; make a new one")


async def _brought_to(laurels: Laurels, row: UserRow, total: int) -> UserRow:
    """The member, after as many messages as are missing to `total`."""
    missing = total - row.progress.totals.get(MESSAGES, 0)
    if missing:
        await laurels.record(Event(row.user_id, f"toward-{total}", "message.sent", quantity=missing))
    return cast(UserRow, await laurels.store.user(row.user_id))
