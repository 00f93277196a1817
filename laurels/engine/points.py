"""A point rule: what an event pays, with optional caps per day and week, and boosts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from laurels.engine.boosts import Boost, boosted, check_roundings, read_boost
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
    kind          the kind of points that it pays ('': the points of the contract)
    cap_per_week  the most points in one week of the user's dates, from Monday; days keep their own caps
    since, until  the instants between which this version of the rule counts; None: no limit. Only in a database, where a
                  rule may have changed
    counter       under which name the sums of its days are stored: versions with the same cap share them
    boosts        what multiplies it for a time, by their ids in order
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
    boosts: tuple[Boost, ...] = ()
    kind: str = ""

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
        """What this event pays before the cap, with the boosts that count for it."""
        amount = value_on(self.amounts, _day(event), 0) if self.amounts else self.amount
        worth = amount * event.quantity if self.per == "quantity" else amount
        if self.boosts:
            worth = boosted(worth, self._counting(event))
        return min(worth, MAX_NUMBER)

    def _counting(self, event: Event) -> list[Boost]:
        """The boosts that count for an event."""
        return [boost for boost in self.boosts if boost.counts_for(event)]

    def shares(self, event: Event, paid: int) -> Iterator[tuple[str, int]]:
        """How much of what it paid for an event is due to itself (''), and to each boost, by its id.

        A cap leaves out the shares of the last ones. A boost's share is what it adds to those before it.
        """
        plain, counting, before = replace(self, boosts=()).worth(event), self._counting(event), 0
        for number, name in enumerate(["", *(boost.id for boost in counting)]):
            worth = min(boosted(plain, counting[:number]), paid)
            if worth > before:
                yield name, worth - before
            before = worth

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
        return self.is_capped or bool(self.amounts) or any(boost.follows_days for boost in self.boosts)


def _day(event: Event) -> int:
    assert event.day is not None
    return event.day


def read_point_rules(table: Table, kinds: Collection[str]) -> tuple[tuple[PointRule, ...], tuple[Boost, ...]]:
    """The [[points]] and [[boosts]] tables of a catalog, the rules with their boosts."""
    rules = tuple(read_point_rule(entry, kinds) for entry in table.list_of_tables("points", []))
    ids, before = [rule.id for rule in rules], len(table.faults)
    boosts = tuple(read_boost(entry, ids) for entry in table.list_of_tables("boosts", []))
    if len(table.faults) == before:
        check_roundings(table, boosts, ids)
    return tuple(with_boosts(rule, boosts) for rule in rules) if boosts else rules, boosts


def with_boosts(rule: PointRule, boosts: Sequence[Boost]) -> PointRule:
    """The rule with those of these boosts that are for it."""
    own = [boost for boost in boosts if not boost.rules or rule.id in boost.rules]
    return replace(rule, boosts=tuple(sorted(own, key=lambda boost: boost.id)))


def read_point_rule(table: Table, kinds: Collection[str] | None = None) -> PointRule:
    """A [[points]] table. `kinds` are the kinds of points in the file; None: an earlier version, whose kind may be gone."""
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
        kind=_read_kind(table, kinds),
    )
    table.done()
    return rule


def _read_kind(table: Table, kinds: Collection[str] | None) -> str:
    if not table.has("kind"):
        return ""
    return table.text("kind") if kinds is None else table.choice("kind", kinds, "kind of points")
