from __future__ import annotations

from datetime import timedelta

import pytest

from laurels import Event, Laurels
from laurels.storage.contract import Store
from tests.support import MONDAY

pytestmark = pytest.mark.anyio

FIRST = MONDAY.toordinal()


async def test_days_on_which_no_user_has_an_event_are_listed(store: Store) -> None:
    laurels = Laurels(store, clock=lambda: MONDAY + timedelta(days=9))
    events = [("ada", 0), ("ada", 1), ("bob", 1), ("bob", 4), ("eve", 9)]
    await laurels.record_many(
        [Event(user, f"e-{day}", "login", MONDAY + timedelta(days=day)) for user, day in events], ranks=False
    )

    assert list(await store.days_without_events(FIRST, FIRST + 9)) == [FIRST + day for day in (2, 3, 5, 6, 7, 8)]
    assert list(await store.days_without_events(FIRST, FIRST + 1)) == []
    assert list(await store.days_without_events(FIRST + 9, FIRST + 11)) == [FIRST + 10, FIRST + 11]


async def test_without_any_event_every_day_is_listed(store: Store) -> None:
    assert list(await store.days_without_events(FIRST, FIRST + 2)) == [FIRST, FIRST + 1, FIRST + 2]
