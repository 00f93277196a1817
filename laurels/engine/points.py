"""A point rule: what an event pays, with an optional cap per day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from laurels.engine.dated_values import Step, read_dated, value_on
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.parsing import Table
from laurels.engine.policies import KEEP, PAST
from laurels.engine.where import Where, read_where


@dataclass(frozen=True, slots=True)
class PointRule:
    """Pays `amount` points per event, or per unit of its quantity; at most `cap_per_day` on one day (None: no cap).

    amount, cap_per_day  the newest ones, where `amounts` and `caps` have several
    amounts, caps        the same from certain days of the user on; before the first one, nothing is paid, and there is no cap
    past          what a change of the rule means for events that occurred before it was applied
    cap_per_week  the most points in one week of the user's dates, from Monday; days keep their own caps
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
    amounts: tuple[Step, ...] = ()
    caps: tuple[Step, ...] = ()
    past: str = KEEP
    since: datetime | None = None
    until: datetime | None = None
    counter: str = ""
    cap_per_week: int | None = None

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
        amount = value_on(self.amounts, _day(event), 0) if self.amounts else self.amount
        return min(amount * event.quantity if self.per == "quantity" else amount, MAX_NUMBER)

    def cap_on(self, day: int) -> int | None:
        """The cap of a day; None: no cap."""
        return value_on(self.caps, day, None) if self.caps else self.cap_per_day

    @property
    def is_capped(self) -> bool:
        """Whether there is a cap on some day."""
        return self.cap_per_day is not None or self.cap_per_week is not None

    @property
    def follows_days(self) -> bool:
        """Whether what an event pays depends on its day."""
        return self.is_capped or bool(self.amounts)


def _day(event: Event) -> int:
    assert event.day is not None
    return event.day


def read_point_rule(table: Table) -> PointRule:
    """A [[points]] table."""
    name = table.text("id")
    amount, amounts = read_dated(table, "amount")
    cap, caps = read_dated(table, "cap_per_day") if table.has("cap_per_day") else (None, ())
    rule = PointRule(
        id=name,
        events=table.texts("events"),
        where=read_where(table),
        amount=amount,
        per=table.choice("per", ("event", "quantity"), "unit", "event"),
        cap_per_day=cap,
        amounts=amounts,
        caps=caps,
        past=table.choice("past", PAST, "policy", KEEP) or KEEP,
        counter=name,
        cap_per_week=table.integer("cap_per_week", least=1) if table.has("cap_per_week") else None,
    )
    table.done()
    return rule
