"""What happens in the torture: an endless stream of actions, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from laurels.engine.events import Event
from tests.support import badge, catalog, count

CATALOG = catalog(
    metrics={"notes": count("note"), "words": {"kind": "sum", "events": ["note", "book"]}},
    points=[
        {"id": "note", "events": ["note"], "amount": 1},
        {"id": "book", "events": ["book"], "amount": 5, "per": "quantity", "cap_per_day": 40},
    ],
    badges=[
        *(badge(f"notes-{n}", n, metric="notes", at_least=n) for n in (1, 5, 20, 60, 200)),
        badge("writer", 9, all_of=[{"metric": "words", "at_least": 100}, {"has_badge": "notes-5"}]),
        badge("rich", 50, points_of=150),
        badge("special", 25, metric="notes", at_least=10**9),
        badge("regular", 10, streak="login", streak_of=2),
    ],
)
NOTES = {f"notes-{n}": n for n in (1, 5, 20, 60, 200)}

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
"""Where the clocks begin; each goes its own ways from there."""

MOST_OFF = timedelta(hours=8)

PLAIN = [f"plain-{number}" for number in range(8)]
"""Users who only ever have events."""

BUSY = [f"busy-{number}" for number in range(8)]
"""Users with every kind of action except erasure."""

GONE = [f"gone-{number}" for number in range(4)]
"""Users who are erased, sooner or later."""

USERS = [*PLAIN, *BUSY, *GONE, "hot", "hot"]


@dataclass(frozen=True)
class Step:
    """One request of the story: events, or an act of a kind on one user."""

    number: int
    kind: str
    user: str = ""
    name: str = ""
    events: tuple[Event, ...] = ()


def event_of(seed: int, index: int) -> Event:
    """The event of this number. Some say when they happened, in any order."""
    dice = random.Random(f"{seed} {index}")
    kind = dice.choice(("note", "note", "book", "login"))
    hours = dice.choice((None, None, dice.randint(9, 24), dice.randint(24, 500)))
    moment = None if hours is None else NOW - timedelta(hours=hours)
    return Event(dice.choice(USERS), f"e{index}", kind, moment, dice.randint(1, 3))


def steps_of(seed: int, worker: int, workers: int) -> Iterator[Step]:
    """What this worker does, for ever. Many events are several workers' own; each has them in an order of its own."""
    dice = random.Random(f"{seed} worker {worker}")
    number = 0
    waiting: list[Event] = []
    for index in range(10**9):
        owners = random.Random(f"{seed} owners {index}").sample(range(workers), k=owners_of(seed, index, workers))
        if worker in owners:
            waiting.insert(dice.randint(0, len(waiting)), event_of(seed, index))
        if len(waiting) < 40:
            continue
        size = dice.choice((1, 1, 2, 5, 20))
        batch, waiting = waiting[:size], waiting[size:]
        if dice.random() < 0.2:
            batch.append(batch[0])
        yield Step(number, "events", events=tuple(batch))
        number += 1
        if dice.random() < 0.25:
            yield _act(number, seed, index, dice)
            number += 1


def owners_of(seed: int, index: int, workers: int) -> int:
    """To how many workers this event belongs."""
    return min(workers, random.Random(f"{seed} many {index}").choice((1, 1, 1, 2, 3, workers)))


def _act(number: int, seed: int, index: int, dice: random.Random) -> Step:
    kind = dice.choice(
        ("reverse", "grant", "revocation", "points", "spend", "undo", "login", "login", "name", "session")
    )
    user = dice.choice(BUSY)
    if kind == "reverse":
        some = event_of(seed, dice.randint(max(0, index - 200), index + 20))
        return Step(number, kind, some.user_id, some.id) if some.user_id in BUSY else Step(number, "login", user)
    if kind == "session":
        return Step(number, kind, dice.choice((*BUSY, *GONE)), f"token-{number}")
    if dice.random() < 0.01:
        return Step(number, "erase", dice.choice(GONE))
    what = dice.choice(("points", "spend")) if kind == "undo" else kind
    return Step(number, kind, user, f"{what}-{dice.randint(0, 12)}")
