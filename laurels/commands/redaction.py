"""Redaction: erased users' ids leave the data of other users' events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from laurels.commands.references import ErasedUsers
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.commands.users import RebuildUser, UpdateUser
from laurels.engine.catalog import Catalog
from laurels.engine.metrics import AMOUNTS
from laurels.storage.contract import AmnestyRow, EventRow


@dataclass(frozen=True, slots=True)
class RedactEvents:
    """Replace the ids of erased users in a user's groups and in the data of the user's events by references.

    Answers the number of changed events. Where a rule of the catalog reads what was replaced, the user is rebuilt, so that the
    number of different values stays the same. Raises UserErased.
    """

    user_id: str
    erased: ErasedUsers
    at: datetime
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> int:
        if not work.is_known(self.user_id):
            return 0
        user = work.any_user(self.user_id, self.at)
        if (groups := self.erased.out_of_groups(user.groups)) != user.groups:
            UpdateUser(self.user_id, self.at, groups=groups).apply_to(user, work)
        keys, changed = set[str](), 0
        for row in work.history(self.user_id):
            data = self.erased.out_of_data(row.event.data or {})
            if different := {key for key, value in data.items() if value != (row.event.data or {})[key]}:
                work.mark_event(_with_data(row, data), row.reversed_by)
                keys |= different
                changed += 1
        if keys & _read_by_rules(work.context.catalog):
            RebuildUser(self.user_id, self.at).apply(work)
        return changed


def erased_users(catalog: Catalog, references: Mapping[str, str], amnesties: Iterable[AmnestyRow]) -> ErasedUsers:
    """Erased users, given by their references, with what the catalog and amnesties use, so that it stays."""
    rules = (*catalog.metrics.values(), *catalog.streaks.values(), *catalog.versions)
    numbers = {metric.of for metric in catalog.metrics.values() if metric.kind in AMOUNTS}
    numbers |= {key for rule in rules for key in rule.where.numbers}
    boards = catalog.boards.values()
    groups = {group for board in boards for group in (*board.groups, *board.except_groups, *board.readers)}
    groups |= {f"{board.within}:*" for board in boards if board.within}
    groups |= {f"{board.teams}*" for board in boards if board.teams}
    groups |= {row.for_group for row in amnesties if row.for_group}
    return ErasedUsers(references, frozenset(numbers), tuple(sorted(groups)))


def _with_data(row: EventRow, data: Mapping[str, object]) -> EventRow:
    return replace(row, event=replace(row.event, data=data))


def _read_by_rules(catalog: Catalog) -> set[str]:
    """The keys of data whose texts decide something."""
    rules = (*catalog.metrics.values(), *catalog.streaks.values(), *catalog.versions)
    metrics = catalog.metrics.values()
    values = {metric.of for metric in metrics if metric.kind == "distinct"} | {
        key for one in metrics for key in one.per
    }
    return values | {key for rule in rules for key in rule.where}
