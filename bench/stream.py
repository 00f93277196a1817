"""A believable stream of events for a community, the same in every run."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.community import NOON, SEED
from laurels.engine.events import Event

TYPES = ("message.sent", "agent.created", "referral.completed", "login", "page.viewed")
WEIGHTS = (80, 6, 2, 7, 5)
"""Mostly messages; the last type is one that the catalog does not know: stored, and worth nothing."""


def user_ids(database: Path) -> list[str]:
    """Everybody in the community."""
    connection = sqlite3.connect(database)
    try:
        return [user_id for (user_id,) in connection.execute("SELECT user_id FROM users ORDER BY user_id")]
    finally:
        connection.close()


def stream(users: list[str], amount: int) -> Iterator[Event]:
    """Events of users drawn at random, each with an id of its own."""
    rng = random.Random(SEED)
    for _ in range(amount):
        kind = rng.choices(TYPES, WEIGHTS)[0]
        moment = NOON - timedelta(seconds=rng.randint(0, 3600))
        data = {"agent": f"agent-{rng.randint(1, 20)}"} if kind == "message.sent" else None
        yield Event(
            rng.choice(users), f"evt-{rng.getrandbits(64):016x}", kind, moment, rng.choice((1, 1, 1, 2, 5)), data
        )


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


def write_bodies(path: Path, events: list[Event], size: int) -> None:
    """Request bodies, one on each line: single events, or arrays of `size`."""
    with path.open("wb") as file:
        for start in range(0, len(events), size):
            items = [as_json(event) for event in events[start : start + size]]
            file.write(msgspec.json.encode(items[0] if size == 1 else items) + b"\n")
