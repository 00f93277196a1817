"""A point rule: what an event pays, with an optional cap per day."""

from __future__ import annotations

from dataclasses import dataclass

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.parsing import Table
from laurels.engine.where import Where, read_where


@dataclass(frozen=True, slots=True)
class PointRule:
    """Pays `amount` points per event, or per unit of its quantity; at most `cap_per_day` on one day (None: no cap)."""

    id: str
    events: tuple[str, ...]
    where: Where
    amount: int
    per: str
    cap_per_day: int | None

    def worth(self, event: Event) -> int:
        """What this event pays before the cap."""
        return min(self.amount * event.quantity if self.per == "quantity" else self.amount, MAX_NUMBER)


def read_point_rule(table: Table) -> PointRule:
    """A [[points]] table."""
    rule = PointRule(
        id=table.text("id"),
        events=table.texts("events"),
        where=read_where(table),
        amount=table.integer("amount", least=1),
        per=table.choice("per", ("event", "quantity"), "unit", "event"),
        cap_per_day=table.integer("cap_per_day", least=1) if table.has("cap_per_day") else None,
    )
    table.done()
    return rule
