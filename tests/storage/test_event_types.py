from __future__ import annotations

import pytest

from laurels import Event, Laurels
from laurels.storage.contract import Store

pytestmark = pytest.mark.anyio


async def test_events_are_counted_by_type(store: Store) -> None:
    laurels = Laurels(store)
    assert dict(await store.event_types()) == {}

    events = [("login", "ada"), ("mesage.sent", "ada"), ("mesage.sent", "bob"), ("coffee", "eve")]
    await laurels.record_many([Event(user, f"e-{index}", kind) for index, (kind, user) in enumerate(events)])

    assert dict(await store.event_types()) == {"login": 1, "mesage.sent": 2, "coffee": 1}
