from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from laurels.storage import open_store
from laurels.storage.base import Store
from tests.support import ENGINES

settings.register_profile(
    "laurels",
    derandomize=True,  # the same examples on every run: a red test is a finding, never luck
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("laurels")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one test for each engine."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """An empty store with its schema, one test for each engine."""
    store = open_store(database)
    await store.migrate()
    yield store
    await store.close()
