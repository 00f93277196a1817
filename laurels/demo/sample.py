"""A believable community made from one seed: its members, and what each did on which day. Pure.

A member's active days are drawn from the newest backwards, on a calendar of their own (all days, weekdays, weekends), and all
events of a day occur between 08:00 and 22:00 of the member's local time. So the same seed gives each member the same points, on
any date that the history ends, and it can always end yesterday.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice

from laurels.engine.events import Event
from laurels.engine.zones import zone

SEED = 7
FIRST_HOUR, LOGIN_HOUR, LAST_HOUR, MOVING_HOUR = 8, 10, 22, 4
WEEK = 7
SATURDAY = 5
DATES_A_WEEK = {"all": 7, "weekdays": 5, "weekends": 2}
TRAVELLERS = 0.15
"""Share of members who move to another time zone, among those whose zone is in MOVES."""
FOUNDERS = 0.8
"""Members whose first active day lies at least this share of the whole time back joined during the beta."""
OFFLINE_DAYS = 0.04
"""Probability that a day's events arrive one to three days late."""
RETRIES = 0.01
"""Probability that an event is sent twice."""

# fmt: off
ADJECTIVES = (
    "Amber", "Brave", "Bright", "Calm", "Clever", "Cosmic", "Crimson", "Curious", "Dapper", "Dusky", "Early",
    "Fuzzy", "Gentle", "Golden", "Happy", "Hidden", "Jolly", "Keen", "Lively", "Lucky", "Maple", "Mellow", "Merry",
    "Misty", "Mossy", "Nimble", "Noble", "Patient", "Plucky", "Quiet", "Rapid", "Rustic", "Silver", "Sleepy",
    "Solar", "Spry", "Sunny", "Swift", "Velvet", "Wandering", "Witty", "Zesty",
)
CREATURES = (
    "Badger", "Bat", "Beaver", "Bison", "Crane", "Deer", "Dove", "Falcon", "Ferret", "Finch", "Fox", "Gecko",
    "Hare", "Hawk", "Heron", "Ibex", "Ibis", "Jay", "Kestrel", "Koala", "Lark", "Lemur", "Lynx", "Marten", "Mole",
    "Moose", "Newt", "Otter", "Owl", "Panda", "Puffin", "Quail", "Raven", "Robin", "Seal", "Sparrow", "Stoat",
    "Swan", "Tapir", "Toucan", "Vole", "Wren", "Yak",
)
# fmt: on
ZONES = (
    ("Europe/Berlin", 5),
    ("America/New_York", 5),
    ("America/Los_Angeles", 4),
    ("Asia/Kolkata", 4),
    ("Europe/London", 3),
    ("Asia/Tokyo", 3),
    ("America/Sao_Paulo", 3),
    ("Australia/Sydney", 2),
    ("Africa/Lagos", 2),
    ("Asia/Kathmandu", 1),
    ("Pacific/Auckland", 1),
)
MOVES = {"Europe/Berlin": "Europe/Lisbon", "America/New_York": "America/Chicago", "Asia/Kolkata": "Asia/Dubai"}
"""The zones to which travellers move: close enough that no event falls on another day."""


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of member. Days are counted on the archetype's own calendar; all ranges include both ends.

    share     part of the community, relative to the other archetypes
    calendar  the dates on which such a member may be active
    span      how far back the first active day lies, as a share of the whole time
    away      number of days without events before the end
    unbroken  number of the newest days without a gap
    chance    probability that any other day is active
    messages  number of messages on an active day
    agents    probability of a new agent on an active day
    referrals probability of a referral on an active day
    """

    name: str
    share: int
    calendar: str = "all"
    span: tuple[float, float] = (0.3, 1.0)
    away: tuple[int, int] = (0, 0)
    unbroken: tuple[int, int] = (0, 0)
    chance: float = 0.5
    messages: tuple[int, int] = (1, 8)
    agents: float = 0.03
    referrals: float = 0.01


ARCHETYPES = (
    Archetype(
        "legend", 3, span=(0.95, 1.0), unbroken=(40, 75), chance=0.95, messages=(14, 56), agents=0.25, referrals=0.15
    ),
    Archetype(
        "enthusiast", 10, span=(0.5, 1.0), unbroken=(31, 44), chance=0.8, messages=(4, 18), agents=0.06, referrals=0.02
    ),
    Archetype("worker", 26, calendar="weekdays", chance=0.75, messages=(2, 14), agents=0.04),
    Archetype("weekender", 15, calendar="weekends", chance=0.8, messages=(3, 12), agents=0.05),
    Archetype("dabbler", 20, chance=0.22, messages=(1, 6), away=(0, 6)),
    Archetype("returner", 6, span=(0.7, 1.0), unbroken=(7, 12), chance=0.1, messages=(2, 9)),
    Archetype("leaver", 12, span=(0.6, 1.0), away=(30, 50), chance=0.6, messages=(1, 9)),
    Archetype("newcomer", 8, span=(0.01, 0.07), chance=0.7, messages=(1, 6), agents=0.25),
)
BRINK = Archetype("brink", 0, span=(0.28, 0.28), unbroken=(12, 12), chance=0.6, agents=0.0, referrals=0.0)
"""The member whose next message earns a badge: 99 messages so far."""

BRINK_NAME, BRINK_ID = "Maple Fox", "maple-fox"
BRINK_MESSAGES = 99


@dataclass(frozen=True, slots=True)
class Member:
    """A member, with a made-up name. `moves`: when they moved to another time zone, and which."""

    user_id: str
    name: str
    archetype: str
    time_zone: str
    joined_at: datetime
    moves: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An event, and when it arrives: late, if the member's phone was offline."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Community:
    """All members, and all events in the order of arrival."""

    members: tuple[Member, ...]
    sent: tuple[Sent, ...]


def community(seed: int, users: int, days: int, now: datetime) -> Community:
    """`users` members with `days` days each, up to yesterday in their own time zone at `now`."""
    pairs = [_member(seed, index, users, days, now) for index in range(users)]
    sent = [event for _, events in pairs for event in events]
    sent.sort(key=lambda item: (item.at, item.event.user_id, item.event.id))
    return Community(tuple(member for member, _ in pairs), tuple(sent))


def _member(seed: int, index: int, users: int, days: int, now: datetime) -> tuple[Member, list[Sent]]:
    dice = random.Random(f"{seed}:{index}")  # noqa: S311  # a sample, not a secret
    archetype = BRINK if index == 0 else _archetype(index, users)
    home = ZONES[0][0] if index == 0 else _pick_zone(dice)
    travels = index > 0 and home in MOVES and dice.random() < TRAVELLERS
    yesterday = now.astimezone(zone(MOVES[home] if travels else home)).date() - timedelta(days=1)
    ages, slots = _active_ages(dice, archetype, days)
    dates = list(islice(_calendar(archetype.calendar, yesterday), slots))
    active = [dates[age] for age in ages]
    diary = Diary(dice, _slug(index), home, active[len(active) // 2] if travels else None, yesterday)
    if archetype is BRINK:
        _live_one_message_short(diary, active)
    else:
        _live(diary, archetype, active, founder=ages[0] >= FOUNDERS * slots)
    moves = (diary.instant(diary.moves_on, MOVING_HOUR), MOVES[home]) if diary.moves_on else None
    joined_at = diary.instant(active[0], FIRST_HOUR) - timedelta(minutes=dice.randint(1, 50))
    return Member(_slug(index), _name(index), archetype.name, home, joined_at, moves), diary.sent


def _archetype(index: int, users: int) -> Archetype:
    """Archetypes are spread over the community in proportion to their shares, for any number of users."""
    total = sum(archetype.share for archetype in ARCHETYPES)
    mark = (index * 37 % users) * total // users
    for archetype in ARCHETYPES:
        mark -= archetype.share
        if mark < 0:
            return archetype
    return ARCHETYPES[-1]


def _pick_zone(dice: random.Random) -> str:
    return dice.choices([name for name, _ in ZONES], [weight for _, weight in ZONES])[0]


def _name(index: int) -> str:
    """A made-up name, different for each index; the first is always the same."""
    name = _combined(index)
    if index == 0:
        return BRINK_NAME
    return _combined(0) if name == BRINK_NAME else name


def _combined(index: int) -> str:
    """All pairs of words before one repeats: 5 has no factor in common with the number of creatures."""
    round_, first = divmod(index, len(ADJECTIVES))
    again, second = divmod(round_, len(CREATURES))
    name = f"{ADJECTIVES[first]} {CREATURES[(first + 5 * second) % len(CREATURES)]}"
    return f"{name} {again + 1}" if again else name


def _slug(index: int) -> str:
    return _name(index).lower().replace(" ", "-")


# ---- which days -------------------------------------------------------------------------------


def _calendar(kind: str, yesterday: date) -> Iterator[date]:
    """The dates of a calendar, from yesterday backwards."""
    for back in count():
        day = yesterday - timedelta(days=back)
        if kind == "all" or (day.weekday() >= SATURDAY) == (kind == "weekends"):
            yield day


def _active_ages(dice: random.Random, archetype: Archetype, days: int) -> tuple[list[int], int]:
    """The active days as ages on the archetype's calendar, oldest first, and how many dates that calendar has."""
    slots = max(1, days * DATES_A_WEEK[archetype.calendar] // WEEK)
    span = max(1, round(dice.uniform(*archetype.span) * slots))
    newest = min(dice.randint(*archetype.away), span - 1)
    gap = newest + min(dice.randint(*archetype.unbroken), span)
    ages = [age for age in range(newest, span) if age < gap or (age > gap and dice.random() < archetype.chance)]
    return sorted({*ages, span - 1}, reverse=True), slots


# ---- what happens on a day --------------------------------------------------------------------


class Diary:
    """Collects one member's events, and when each arrives."""

    def __init__(self, dice: random.Random, user_id: str, home: str, moves_on: date | None, last_day: date) -> None:
        self.dice = dice
        self.sent: list[Sent] = []
        self.moves_on = moves_on
        self._user_id = user_id
        self._home = home
        self._end = self.instant(last_day, LAST_HOUR)
        self._late: dict[date, datetime] = {}

    def instant(self, day: date, hour: float) -> datetime:
        """An hour of this day in the member's time zone, in UTC."""
        zone_name = MOVES[self._home] if self.moves_on and day >= self.moves_on else self._home
        minutes, seconds = divmod(int(hour * 3600), 60)
        local = datetime.combine(day, time(minutes // 60, minutes % 60, seconds), zone(zone_name))
        return local.astimezone(UTC)

    def offline(self, day: date) -> None:
        """Events of this day arrive one to three days later."""
        self._late[day] = min(self.instant(day + timedelta(days=self.dice.randint(1, 3)), FIRST_HOUR), self._end)

    def note(self, day: date, event_type: str, quantity: int = 1) -> None:
        """Add an event at a random time of this day. Sometimes it is sent twice, as by a sender that got no answer."""
        first, last = (FIRST_HOUR, LOGIN_HOUR) if event_type == "login" else (LOGIN_HOUR, LAST_HOUR)
        at = self.instant(day, self.dice.uniform(first, last))
        event_id = f"{event_type}-{day.isoformat()}-{len(self.sent)}"
        sent = Sent(max(at, self._late.get(day, at)), Event(self._user_id, event_id, event_type, at, quantity))
        self.sent += [sent, sent] if self.dice.random() < RETRIES else [sent]

    def chat(self, day: date, messages: int) -> None:
        """Add a number of messages, in up to three events."""
        for quantity in _parts(self.dice, messages, min(messages, self.dice.randint(1, 3))):
            self.note(day, "message.sent", quantity)


def _live(diary: Diary, archetype: Archetype, active: Sequence[date], *, founder: bool) -> None:
    dice = diary.dice
    onboarded, first_agent = dice.choice((0, 0, 0, 1, 1, 10_000)), dice.choice((0, 0, 1, 1, 2, 3, 10_000))
    for position, day in enumerate(active):
        if dice.random() < OFFLINE_DAYS:
            diary.offline(day)
        diary.note(day, "login")
        if founder and position == 0:
            diary.note(day, "beta.joined")
        if position == onboarded:
            diary.note(day, "onboarding.completed")
        if position == first_agent or (position > first_agent and dice.random() < archetype.agents):
            diary.note(day, "agent.created")
        if position and dice.random() < archetype.referrals:
            diary.note(day, "referral.completed")
        diary.chat(day, dice.randint(*archetype.messages))


def _live_one_message_short(diary: Diary, active: Sequence[date]) -> None:
    """The same in every demo: one message short of a badge, whose points reach the next level."""
    messages = _parts(diary.dice, BRINK_MESSAGES, len(active))
    for position, (day, number) in enumerate(zip(active, messages, strict=True)):
        diary.note(day, "login")
        if position == 0:
            diary.note(day, "onboarding.completed")
        if position in (1, len(active) // 2):
            diary.note(day, "agent.created")
        if position in (3, 10, 17):
            diary.note(day, "referral.completed")
        diary.chat(day, number)


def _parts(dice: random.Random, total: int, parts: int) -> list[int]:
    """A total split into a number of parts, each at least 1."""
    cuts = sorted(dice.sample(range(1, total), parts - 1))
    return [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]
