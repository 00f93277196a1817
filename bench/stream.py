"""A realistic stream of events for a community, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bench.community import NOON, SEED
from laurels.engine.events import Event
from laurels.storage.sqlite import driver

TYPES = ("message.sent", "agent.created", "referral.completed", "login", "page.viewed")
WEIGHTS = (80, 6, 2, 7, 5)
"""Mostly messages. The catalog does not know the last type: such events are stored and earn nothing."""


def user_ids(database: Path) -> list[str]:
    """All user ids of a community."""
    with closing(driver.connect(database)) as connection:
        return [user_id for (user_id,) in connection.execute("SELECT user_id FROM users ORDER BY user_id")]


def stream(users: list[str], amount: int, seed: str = str(SEED)) -> Iterator[Event]:
    """Events of random users, each with a unique id; another seed gives other events."""
    rng = random.Random(seed)
    for _ in range(amount):
        kind = rng.choices(TYPES, WEIGHTS)[0]
        at = NOON - timedelta(seconds=rng.randint(0, 3600))
        data = {"agent": f"agent-{rng.randint(1, 20)}"} if kind == "message.sent" else None
        yield Event(rng.choice(users), f"evt-{rng.getrandbits(64):016x}", kind, at, rng.choice((1, 1, 1, 2, 5)), data)


def as_json(event: Event) -> dict[str, Any]:
    """The event as a client sends it."""
    sent: dict[str, Any] = {
        "userId": event.user_id,
        "id": event.id,
        "type": event.type,
        "occurredAt": event.occurred_at,
    }
    if event.quantity != 1:
        sent["quantity"] = event.quantity
    if event.data:
        sent["data"] = event.data
    return sent


def as_bodies(events: Iterable[Event], size: int) -> Iterator[bytes]:
    """Request bodies: single events, or arrays of `size`."""
    stream = iter(events)
    while some := [as_json(event) for event in islice(stream, size)]:
        yield msgspec.json.encode(some[0] if size == 1 else some)


def write_bodies(path: Path, events: Iterable[Event], size: int) -> None:
    """The same in a file, one per line."""
    with path.open("wb") as file:
        for body in as_bodies(events, size):
            file.write(body + b"\n")
