"""Events: how one is sent, and what recording it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, UnsetType

from laurels.commands.events import Recorded
from laurels.commands.outcomes import NOTHING
from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_DATA_BYTES, MAX_DATA_LEVELS, MAX_EVENT_ID, MAX_NUMBER, MAX_TYPE, Event
from laurels.engine.instants import read_instant
from laurels.engine.metrics import Metric
from laurels.present.base import SAFE, Answer, Body, SparseAnswer, TimeText, UserId, as_whole, whole_number
from laurels.present.changes import Award, LevelChange, NumberChange, RankChange, changes
from laurels.present.problems import Problem


class EventIn(Body, frozen=True):
    """One thing that a user did. Sent twice with the same id, it counts once."""

    user_id: UserId
    id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_EVENT_ID,
            description="Unique for this user; choose it once and retry with it. It must not begin with 'laurels:'",
            extra_json_schema={"pattern": SAFE},
        ),
    ]
    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TYPE,
            description="What happened, such as 'message.sent'",
            extra_json_schema={"pattern": SAFE},
        ),
    ]
    occurred_at: Annotated[TimeText, Meta(description="RFC 3339, with an offset; default: now")] | None = None
    quantity: Annotated[int | float, whole_number(MAX_NUMBER, "How many of it")] = 1
    data: (
        Annotated[
            dict[str, Any],
            Meta(
                description=f"Free JSON that metrics may read: at most {MAX_DATA_LEVELS} levels deep and "
                f"{MAX_DATA_BYTES} bytes, whole numbers of at most 64 bits"
            ),
        ]
        | None
    ) = None

    def event(self) -> Event:
        """The event for the facade, which refuses a quantity such as 2.5. Raises InvalidInput for a wrong `occurredAt`."""
        quantity = cast(int, as_whole(self.quantity))
        occurred_at = None if self.occurred_at is None else read_instant("occurredAt", self.occurred_at)
        return Event(self.user_id, self.id, self.type, occurred_at, quantity, self.data)


class IgnoredValue(Answer, frozen=True):
    """A value of an event that a metric should count and cannot read. `pointer` is its place within the event."""

    metric: str
    pointer: str
    why: str


class EventResult(SparseAnswer, frozen=True):
    """What recording one event changed. A duplicate repeats the original answer.

    Fields from `awards` to `rank` are left out when they did not change. `id` and `userId` are null when they could not be
    read. `reversed`: the event was reversed before it arrived, so it is stored and counts for nothing. `ignored` has values
    that no metric can read; the event is recorded all the same. `counted` is false if no rule of the catalog names the event's
    type. Status `rejected` and its `problem` occur over HTTP; in Python, an event that is refused is an exception instead.
    """

    id: str | None
    user_id: str | None
    status: Literal["recorded", "duplicate", "rejected"]
    awards: Sequence[Award] = ()
    revoked: Sequence[str] = ()
    points: NumberChange | None = None
    level: LevelChange | None = None
    streaks: Mapping[str, NumberChange] = {}
    rank: RankChange | None = None
    reversed: bool = False
    ignored: Sequence[IgnoredValue] = ()
    counted: bool = True
    problem: Problem | UnsetType = UNSET

    @property
    def duplicate(self) -> bool:
        """Whether the event was recorded before."""
        return self.status == "duplicate"


class EventResults(Answer, frozen=True):
    """What recording each event changed, in the order sent."""

    recorded: int
    duplicates: int
    rejected: int
    results: list[EventResult]


def event_result(catalog: Catalog, recorded: Recorded) -> EventResult:
    """The answer for an event that was recorded, now or earlier."""
    event, outcome = recorded.event, recorded.outcome
    status = "duplicate" if recorded.duplicate else "recorded"
    rules = catalog.rule_indexes.get(event.type)
    ignored = _ignored(rules.reading, event) if rules and rules.reading else ()
    if outcome == NOTHING:  # as most events
        counted = rules is not None and rules.counts(event)
        return EventResult(id=event.id, user_id=event.user_id, status=status, ignored=ignored, counted=counted)
    changed = changes(catalog, outcome)
    if outcome.points:
        changed["rank"] = RankChange(before=recorded.rank_before, after=recorded.rank_after)
    return EventResult(
        id=event.id, user_id=event.user_id, status=status, reversed=outcome.reversed, ignored=ignored, **changed
    )


def _ignored(metrics: Sequence[Metric], event: Event) -> Sequence[IgnoredValue]:
    """The values of an event that these metrics cannot read."""
    return tuple(
        IgnoredValue(metric=metric.name, pointer=f"/data/{_escaped(key)}", why=why)
        for metric in metrics
        for key, why in metric.unread(event)
    )


def _escaped(key: str) -> str:
    """A key as a step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
