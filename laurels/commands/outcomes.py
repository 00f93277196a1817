"""What is stored of an outcome with its event, so that a duplicate gets the original answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import msgspec

from laurels.engine.events import Event
from laurels.engine.numbers import same_numbers
from laurels.engine.progress import Outcome
from laurels.engine.values import plain
from laurels.errors import EventConflict
from laurels.storage.codec import pack_data
from laurels.storage.contract import EventRow


@plain
class StoredOutcome:
    """What is stored of an outcome: pairs are (before, after), awards are (badge, points)."""

    awards: tuple[tuple[str, int], ...] = ()
    points: tuple[int, int] | None = None
    level: tuple[int, int] | None = None
    streaks: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    revoked: tuple[str, ...] = ()
    reversed: bool = False


NOTHING = StoredOutcome()
REVERSED = StoredOutcome(reversed=True)

_decode = msgspec.json.Decoder(StoredOutcome).decode
_encode = msgspec.json.Encoder().encode


def stored_outcome(outcome: Outcome) -> StoredOutcome:
    """What is stored of this outcome; NOTHING if it changed nothing."""
    if not outcome.awards and not outcome.streaks and not outcome.revoked and outcome.points is None:
        return NOTHING
    return StoredOutcome(
        awards=tuple((award.badge, award.points) for award in outcome.awards),
        points=(outcome.points.before, outcome.points.after) if outcome.points else None,
        level=(outcome.level.before, outcome.level.after) if outcome.level else None,
        streaks={name: (change.before, change.after) for name, change in outcome.streaks.items()},
        revoked=outcome.revoked,
    )


def pack(outcome: StoredOutcome) -> bytes | None:
    """The outcome as it is stored; None for NOTHING."""
    return None if outcome is NOTHING else _encode(outcome)


def unpack(row: EventRow) -> StoredOutcome:
    """What the event changed when it was recorded."""
    return _decode(row.outcome) if row.outcome else NOTHING


def outcome_again(stored: EventRow, event: Event) -> StoredOutcome:
    """The original outcome of an event that was sent again. Raises EventConflict if its content differs.

    The time is part of the content: it is left out both times or neither time. How its JSON was written is not: 1.0 is 1, and
    empty data is none.
    """
    same = (
        stored.event.type == event.type
        and stored.event.quantity == event.quantity
        and stored.sent_at == event.occurred_at
        and _content(stored.event) == _content(event)
    )
    if not same:
        raise EventConflict
    return unpack(stored)


def _content(event: Event) -> str | None:
    """The event's data as text that is equal for equal data."""
    return pack_data(same_numbers(event.data)) if event.data else None
