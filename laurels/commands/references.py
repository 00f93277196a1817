"""References: what is stored instead of the ids of other users that events name, so that erasing a user leaves none behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.metrics import OWN_REFERENCE, is_reference, text_of
from laurels.storage.contract import EventRow
from laurels.storage.secrets import user_reference


def with_references(catalog: Catalog, secret: bytes, event: Event) -> Event:
    """The event with references instead of the ids of users that metrics with `not_self` read. References stay as they are."""
    rules = catalog.rule_indexes.get(event.type)
    if rules is None or not rules.naming or not event.data:
        return event
    data: dict[str, Any] = {**event.data, **_references(rules.naming, event.data, event.user_id, secret)}
    return event if data == event.data else replace(event, data=data)


def rows_with_references(catalog: Catalog, secret: bytes, rows: Iterable[EventRow]) -> list[EventRow]:
    """The same for recorded events, some of which may be from before such a metric."""
    if not any(rules.naming for rules in catalog.rule_indexes.values()):
        return list(rows)
    return [_row_with_references(catalog, secret, row) for row in rows]


def _row_with_references(catalog: Catalog, secret: bytes, row: EventRow) -> EventRow:
    event = with_references(catalog, secret, row.event)
    return row if event is row.event else replace(row, event=event)


def _references(keys: Iterable[str], data: Mapping[str, Any], user_id: str, secret: bytes) -> dict[str, str]:
    named = {key: text_of(data.get(key)) for key in keys}
    return {
        key: OWN_REFERENCE if named_id == user_id else user_reference(secret, named_id)
        for key, named_id in named.items()
        if named_id is not None and not is_reference(named_id)
    }
