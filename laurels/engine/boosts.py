"""Boosts: for a time, point rules pay a factor more. What an event pays still follows from the event alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import gcd
from typing import Any, NamedTuple

from laurels.engine.events import Event
from laurels.engine.names import title_of
from laurels.engine.parsing import Table, closest, shown
from laurels.engine.where import Where, read_where

DOWN, NEAREST, UP = "down", "nearest", "up"
ROUNDINGS = (DOWN, NEAREST, UP)

MOST = 100
"""The largest factor."""

_DECIMAL = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
_FRACTION = re.compile(r"(\d{1,4})/(\d{1,4})", re.ASCII)
_A_DAY = timedelta(days=1)
"""More than the offset of any zone."""


class Edge(NamedTuple):
    """The beginning or the end of a boost: a day of each user, or an instant."""

    day: int = 0
    at: datetime | None = None

    def is_reached(self, event: Event) -> bool:
        """Whether an event occurred on that day or later, or at that instant or later."""
        if self.at is not None:
            assert event.occurred_at is not None
            return event.occurred_at >= self.at
        assert event.day is not None
        return event.day >= self.day

    @property
    def _midnight(self) -> datetime:
        return datetime.combine(date.fromordinal(self.day), time(), UTC)

    @property
    def earliest(self) -> datetime:
        """An instant before which it is reached by no one."""
        return self.at or self._midnight - _A_DAY

    @property
    def latest(self) -> datetime:
        """An instant from which on it is reached by everyone."""
        return self.at or self._midnight + _A_DAY

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ}" if self.at else str(date.fromordinal(self.day))


@dataclass(frozen=True, slots=True)
class Boost:
    """Multiplies what point rules pay for events from `start` until before `end`.

    name    its name for people
    rules   the ids of the point rules; empty: all
    where   the events that it is for
    factor  by what it multiplies, as the catalog has it; `ratio` is the same as a fraction in lowest terms
    round   how a part of a point is rounded, once for each event
    """

    id: str
    name: str
    rules: tuple[str, ...]
    where: Where
    factor: str
    ratio: tuple[int, int]
    start: Edge
    end: Edge
    round: str = DOWN

    def counts_for(self, event: Event) -> bool:
        """Whether the event is in its time, and one that it is for."""
        if not self.start.is_reached(event) or self.end.is_reached(event):
            return False
        return not self.where or self.where.matches(event)

    @property
    def follows_days(self) -> bool:
        """Whether its time begins and ends with days of users."""
        return self.start.at is None

    @property
    def rounding(self) -> str:
        """How it rounds; '' if there is nothing to round."""
        return self.round if self.ratio[1] > 1 else ""

    @property
    def deciding(self) -> list[Any]:
        """What of it decides what events pay. It is part of fingerprints, so it never changes."""
        above, below = self.ratio
        return [f"{above}/{below}", str(self.start), str(self.end), dict(self.where), self.rounding]

    def may_meet(self, other: Boost) -> bool:
        """Whether some event may be in the time of both."""
        return self.start.earliest < other.end.latest and other.start.earliest < self.end.latest


def boosted(worth: int, boosts: Iterable[Boost]) -> int:
    """A number of points multiplied by all these boosts exactly, and rounded once."""
    above, below, rounding = worth, 1, ""
    for boost in boosts:
        above, below = above * boost.ratio[0], below * boost.ratio[1]
        rounding = rounding or boost.rounding
    if rounding == UP:
        return -(-above // below)
    return (2 * above + below) // (2 * below) if rounding == NEAREST else above // below


# ---- the catalog ------------------------------------------------------------------------------


def read_boost(table: Table, rules: Sequence[str] | None = None) -> Boost:
    """A [[boosts]] table. `rules` are the ids of the point rules of the catalog; None: `rules` is no key of it."""
    name = table.text("id")
    factor, ratio = _read_factor(table)
    start, end = _read_edge(table, "from"), _read_edge(table, "until")
    boost = Boost(
        id=name,
        name=table.text("name", title_of(name)),
        rules=() if rules is None else _read_rules(table, rules),
        where=read_where(table),
        factor=factor,
        ratio=ratio,
        start=start,
        end=end,
        round=table.choice("round", ROUNDINGS, "rounding", DOWN) or DOWN,
    )
    table.done()
    if start is not NO_EDGE and end is not NO_EDGE:
        _check_period(table, start, end)
    return boost


NO_EDGE = Edge(1)
"""What is read in place of an edge with a fault."""


def _read_edge(table: Table, key: str) -> Edge:
    before = len(table.faults)
    edge = Edge(at=table.instant(key)) if isinstance(table.raw.get(key), datetime) else Edge(table.day(key))
    return edge if len(table.faults) == before else NO_EDGE


def _check_period(table: Table, start: Edge, end: Edge) -> None:
    """Add a fault unless both edges are of one kind, and in order."""
    if (start.at is None) != (end.at is None):
        kinds = ("a date", "a time") if start.at is None else ("a time", "a date")
        table.fault("until", f"is {kinds[1]}, and 'from' is {kinds[0]}", f"write {kinds[0]} in both")
    elif end.earliest <= start.earliest:
        fix = "write the first day or time at which it does not count any more"
        table.fault("until", f"must be after 'from', which is {start}", fix)


def _read_rules(table: Table, known: Sequence[str]) -> tuple[str, ...]:
    if not table.has("rules"):
        if not known:
            table.fault("", "has no point rule whose pay it could multiply", "write one in [[points]]")
        return ()
    names = table.texts("rules")
    for name in names:
        if name not in known:
            table.fault("rules", f"unknown point rule '{name}'", closest(name, known))
    return names


def _read_factor(table: Table) -> tuple[str, tuple[int, int]]:
    """A number in quotes, so that it is exact: TOML's own 1.1 is a binary fraction."""
    value = table.raw.get("factor")
    if isinstance(value, int | float) and not isinstance(value, bool):
        table.asked.add("factor")
        fix = f'write factor = "{value}"'
        table.fault("factor", f"must be in quotes, so that it is exact, not {shown(value)}", fix)
        return "2", (2, 1)
    text = table.text("factor")
    above, below = ratio_of(text)
    if not text or below < above <= MOST * below:
        return text, (above, below)
    what = f"must be more than 1 and at most {MOST}, with at most 3 decimals or as a fraction, not {shown(text)}"
    table.fault("factor", what, 'write factor = "2", "1.5" or "4/3"')
    return "2", (2, 1)


def ratio_of(text: str) -> tuple[int, int]:
    """'1.5' or '3/2' as 3 and 2; (0, 1) for a text that is no factor."""
    if found := _FRACTION.fullmatch(text):
        above, below = int(found[1]), int(found[2])
    elif found := _DECIMAL.fullmatch(text):
        decimals = found[2] or ""
        above, below = int(found[1] + decimals), 10 ** len(decimals)
    else:
        return 0, 1
    common = gcd(above, below)
    return (above // common, below // common) if below else (0, 1)


def check_roundings(table: Table, boosts: Sequence[Boost], rules: Sequence[str]) -> None:
    """Add a fault for two boosts that may count for one event and round in other ways: what they pay together is rounded once."""
    for number, one in enumerate(boosts):
        for other in boosts[number + 1 :]:
            shared = {*(one.rules or rules)} & {*(other.rules or rules)}
            if shared and one.may_meet(other) and one.rounding and other.rounding not in ("", one.rounding):
                what = f"rounds '{other.round}', and '{one.id}', which may count for the same event, '{one.round}'"
                table.fault(f"boosts '{other.id}'.round", what, "write the same 'round' in both")
