"""References: what is stored instead of the ids of other users that events name, so that erasing a user leaves none behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.metrics import OWN_REFERENCE, is_reference, text_of
from laurels.storage.contract import EventRow
from laurels.storage.secrets import Keyring

T = TypeVar("T")


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


def without_users(value: T, references: Mapping[str, str]) -> T:
    """An event's data in which each text that is a user's id is replaced by the reference to that user, at any depth.

    `references` has the references by id. Keys stay, and so does text around an id.
    """
    if isinstance(value, str):
        return cast(T, references.get(value, value))
    if isinstance(value, Mapping):
        return cast(T, {key: without_users(one, references) for key, one in cast(Mapping[str, Any], value).items()})
    if isinstance(value, list):
        return cast(T, [without_users(one, references) for one in cast(list[Any], value)])
    return value


def with_stored_references(data: Mapping[str, Any], stored: Mapping[str, Any], keyring: Keyring) -> Mapping[str, Any]:
    """Sent data in which a user's id is replaced where the stored data has the reference to that user.

    An event that names a user who was erased since is the same event when it is sent again.
    """
    return {key: _as_stored(value, stored.get(key), keyring) for key, value in data.items()}


def _as_stored(value: Any, stored: Any, keyring: Keyring) -> Any:
    if isinstance(value, str) and isinstance(stored, str):
        return stored if is_reference(stored) and stored == keyring.reference(value) else value
    if isinstance(value, Mapping) and isinstance(stored, Mapping):
        return with_stored_references(cast(Mapping[str, Any], value), cast(Mapping[str, Any], stored), keyring)
    if isinstance(value, list) and isinstance(stored, list):
        ours, theirs = cast(list[Any], value), cast(list[Any], stored)
        pairs = zip(ours, theirs, strict=True) if len(ours) == len(theirs) else ()
        return [_as_stored(*pair, keyring) for pair in pairs] or ours
    return cast(Any, value)
