"""Fixtures for pytest: `pytest_plugins = ["laurels.testing.plugin"]` in the conftest.py at the root of your tests.

`blocking_laurels` and `async_laurels` give an empty Laurels in memory to each test; `laurels_clock` is the clock of both.
Define a fixture `laurels_catalog` of your own to test with your catalog.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from laurels.engine.catalog import Catalog
from laurels.service.blocking import BlockingLaurels
from laurels.service.laurels import Laurels
from laurels.testing import TestClock


@pytest.fixture
def laurels_clock() -> TestClock:
    """The clock that the other fixtures read; a test moves it."""
    return TestClock()


@pytest.fixture
def laurels_catalog() -> Catalog:
    """The catalog that the other fixtures use: the default, unless the app's tests define this fixture themselves."""
    return Catalog.default()


@pytest.fixture
def blocking_laurels(laurels_catalog: Catalog, laurels_clock: TestClock) -> Iterator[BlockingLaurels]:
    """An empty `BlockingLaurels` in memory."""
    with BlockingLaurels("sqlite://", laurels_catalog, clock=laurels_clock) as laurels:
        yield laurels


@pytest.fixture
async def async_laurels(laurels_catalog: Catalog, laurels_clock: TestClock) -> AsyncIterator[Laurels]:
    """An empty `Laurels` in memory, for asynchronous tests: with anyio's pytest plugin, or pytest-asyncio in its auto mode."""
    async with Laurels.open("sqlite://", laurels_catalog, clock=laurels_clock) as laurels:
        yield laurels
