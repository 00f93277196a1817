"""Redaction: erased users' ids leave the data of other users' events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from laurels.commands.references import without_users
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.commands.users import RebuildUser
from laurels.engine.catalog import Catalog
from laurels.storage.contract import EventRow


@dataclass(frozen=True, slots=True)
class RedactEvents:
    """Replace the ids of erased users in the data of a user's events by references. Answers the number of changed events.

    `references` has the references by id. Where a rule of the catalog reads what was replaced, the user is rebuilt, so that the
    number of different values stays the same. Raises UserErased.
    """

    user_id: str
    references: Mapping[str, str]
    at: datetime
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> int:
        if not work.is_known(self.user_id):
            return 0
        keys, changed = set[str](), 0
        for row in work.history(self.user_id):
            data = without_users(row.event.data or {}, self.references)
            if different := {key for key, value in data.items() if value != (row.event.data or {})[key]}:
                work.mark_event(_with_data(row, data), row.reversed_by)
                keys |= different
                changed += 1
        if keys & _read_by_rules(work.context.catalog):
            RebuildUser(self.user_id, self.at).apply(work)
        return changed


def _with_data(row: EventRow, data: Mapping[str, object]) -> EventRow:
    return replace(row, event=replace(row.event, data=data))


def _read_by_rules(catalog: Catalog) -> set[str]:
    """The keys of data whose texts decide something."""
    rules = (*catalog.metrics.values(), *catalog.streaks.values(), *catalog.point_rules)
    values = {metric.of for metric in catalog.metrics.values() if metric.kind == "distinct"}
    return values | {key for rule in rules for key in rule.where}
