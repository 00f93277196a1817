"""Scenarios as they are run: read, checked, and with the time of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from laurels.engine.catalog import Catalog
from laurels.engine.values import plain
from laurels.simulate.format import FinallyExpected, StepTable, UserFacts


@plain
class Facts:
    """Facts of a user, with the time of joining in UTC."""

    given: UserFacts
    joined: datetime | None


@plain
class Step:
    """One step. `times` are when its action is done; its data is as the product takes it."""

    number: int
    table: StepTable
    times: Sequence[datetime]
    occurred_at: datetime | None = None
    adjustment: tuple[str, str, Mapping[str, Any]] | None = None
    """(kind, reason, data) of an adjustment."""
    update: Facts | None = None
    amnesty: tuple[date, date] | None = None
    catalog: Catalog | None = None

    @property
    def action(self) -> str:
        """What it does, in words; '' if it only looks."""
        table, of_user = self.table, f" of {self.table.user}" if self.table.user else ""
        if table.event is not None:
            return f"event {table.event}{of_user}"
        if self.adjustment:
            return f"{self.adjustment[0]}{of_user}"
        for name, given in ACTIONS.items():
            if getattr(table, name) is not None:
                return f"{given}{of_user}"
        return ""


ACTIONS = {
    "event": "event",
    "login": "login",
    "adjust": "adjustment",
    "reverse": "reversal",
    "undo": "undo",
    "update": "update",
    "amnesty": "amnesty",
    "catalog": "catalog put in force",
}
"""The keys of which a step may have one, and what each is called."""


@plain
class Scenario:
    """One scenario, ready to be run."""

    file: str
    name: str
    catalog: Catalog
    start: datetime
    zone: ZoneInfo
    late_days: int
    users: Mapping[str, Facts]
    steps: Sequence[Step]
    expect: FinallyExpected | None

    @property
    def catalogs(self) -> Sequence[Catalog]:
        """All catalogs that come into force in it, the first one first."""
        return (self.catalog, *(step.catalog for step in self.steps if step.catalog))
