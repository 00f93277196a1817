"""A point rule: what an event pays, with an optional cap per day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.parsing import Table
from laurels.engine.policies import KEEP, PAST
from laurels.engine.where import Where, read_where


@dataclass(frozen=True, slots=True)
class PointRule:
    """Pays `amount` points per event, or per unit of its quantity; at most `cap_per_day` on one day (None: no cap).

    past          what a change of the rule means for events that occurred before it was applied
    since, until  the instants between which this version of the rule counts; None: no limit. Only in a database, where a
                  rule may have changed
    counter       under which name the sums of its days are stored: versions with the same cap share them
    """

    id: str
    events: tuple[str, ...]
    where: Where
    amount: int
    per: str
    cap_per_day: int | None
    past: str = KEEP
    since: datetime | None = None
    until: datetime | None = None
    counter: str = ""

    @property
    def is_dated(self) -> bool:
        """Whether this version counts for some instants only."""
        return self.since is not None or self.until is not None

    def is_in_force(self, event: Event) -> bool:
        """Whether this version of the rule is the one that counts when the event occurred."""
        at, since, until = event.occurred_at, self.since, self.until
        assert at is not None
        return (since is None or at >= since) and (until is None or at < until)

    def worth(self, event: Event) -> int:
        """What this event pays before the cap."""
        return min(self.amount * event.quantity if self.per == "quantity" else self.amount, MAX_NUMBER)


def read_point_rule(table: Table) -> PointRule:
    """A [[points]] table."""
    name = table.text("id")
    rule = PointRule(
        id=name,
        events=table.texts("events"),
        where=read_where(table),
        amount=table.integer("amount", least=1),
        per=table.choice("per", ("event", "quantity"), "unit", "event"),
        cap_per_day=table.integer("cap_per_day", least=1) if table.has("cap_per_day") else None,
        past=table.choice("past", PAST, "policy", KEEP) or KEEP,
        counter=name,
    )
    table.done()
    return rule
