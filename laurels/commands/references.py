"""References: what is stored instead of the ids of other users that events name, so that erasing a user leaves none behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.metrics import OWN_REFERENCE, is_reference, text_of
from laurels.storage.contract import EventRow
from laurels.storage.secrets import Keyring


def with_references(catalog: Catalog, keyring: Keyring, event: Event) -> Event:
    """The event with references instead of the ids of users that metrics with `not_self` read. References stay as they are."""
    rules = catalog.rule_indexes.get(event.type)
    if rules is None or not rules.naming or not event.data:
        return event
    data: dict[str, Any] = {**event.data, **_references(rules.naming, event.data, event.user_id, keyring)}
    return event if data == event.data else replace(event, data=data)


def rows_with_references(catalog: Catalog, keyring: Keyring, rows: Iterable[EventRow]) -> list[EventRow]:
    """The same for recorded events, some of which may be from before such a metric."""
    if not any(rules.naming for rules in catalog.rule_indexes.values()):
        return list(rows)
    return [_row_with_references(catalog, keyring, row) for row in rows]


def _row_with_references(catalog: Catalog, keyring: Keyring, row: EventRow) -> EventRow:
    event = with_references(catalog, keyring, row.event)
    return row if event is row.event else replace(row, event=event)


def _references(names: Iterable[str], data: Mapping[str, Any], user_id: str, keyring: Keyring) -> dict[str, str]:
    named = {key: text_of(data.get(key)) for key in names}
    return {
        key: OWN_REFERENCE if named_id == user_id else keyring.reference(named_id)
        for key, named_id in named.items()
        if named_id is not None and not is_reference(named_id)
    }


LONG_NUMBER = 5
"""The fewest digits with which a number in an event's data is taken for the id of a user, whatever its key."""


@dataclass(frozen=True, slots=True)
class ErasedUsers:
    """Erased users whose ids are replaced.

    references  the reference to each, by id
    numbers     the keys of data whose numbers a rule of the catalog reads: what counts is no id
    groups      the names of groups that the catalog or an amnesty uses, and beginnings of such names: they stay
    """

    references: Mapping[str, str]
    numbers: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()

    def out_of_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """An event's data without them: texts that are such an id, at any depth, and numbers.

        A number of at least five digits is an id under any key, a shorter one under a key with 'user' in it, but none is where
        a rule reads the number. Keys stay, and so does text around an id.
        """
        return {key: self._out_of(value, key, with_numbers=key not in self.numbers) for key, value in data.items()}

    def _out_of(self, value: Any, key: str, *, with_numbers: bool) -> Any:
        if isinstance(value, str):
            return self.references.get(value, value)
        if isinstance(value, Mapping):
            inner = cast(Mapping[str, Any], value)
            return {name: self._out_of(one, name, with_numbers=with_numbers) for name, one in inner.items()}
        if isinstance(value, list):
            return [self._out_of(one, key, with_numbers=with_numbers) for one in cast(list[Any], value)]
        named = text_of(value) if with_numbers else None
        if named is None or (len(named) < LONG_NUMBER and "user" not in key.lower()):
            return value
        return self.references.get(named, value)

    def out_of_groups(self, groups: Sequence[str]) -> tuple[str, ...]:
        """Groups without them: an id that is a group, or a part between ':' or '/', is replaced."""
        return tuple(sorted({group if self._stays(group) else self._out_of_group(group) for group in groups}))

    def _stays(self, group: str) -> bool:
        return any(group == used or (used.endswith("*") and group.startswith(used[:-1])) for used in self.groups)

    def _out_of_group(self, group: str) -> str:
        return "".join(self.references.get(part, part) for part in re.split("([:/])", group))


def with_stored_references(data: Mapping[str, Any], stored: Mapping[str, Any], keyring: Keyring) -> Mapping[str, Any]:
    """Sent data in which a user's id is replaced where the stored data has the reference to that user.

    An event that names a user who was erased since is the same event when it is sent again.
    """
    return {key: _as_stored(value, stored.get(key), keyring) for key, value in data.items()}


def _as_stored(value: Any, stored: Any, keyring: Keyring) -> Any:
    if isinstance(stored, str) and is_reference(stored):
        named = text_of(value)
        return stored if named is not None and stored == keyring.reference(named) else value
    if isinstance(value, Mapping) and isinstance(stored, Mapping):
        return with_stored_references(cast(Mapping[str, Any], value), cast(Mapping[str, Any], stored), keyring)
    if isinstance(value, list) and isinstance(stored, list):
        ours, theirs = cast(list[Any], value), cast(list[Any], stored)
        pairs = zip(ours, theirs, strict=True) if len(ours) == len(theirs) else ()
        return [_as_stored(*pair, keyring) for pair in pairs] or ours
    return cast(Any, value)
