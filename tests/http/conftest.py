from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http.desk import Desk, desk_over
from tests.http.house import House, house


@pytest.fixture
async def home() -> AsyncIterator[House]:
    """A house in memory, at noon of 5 January 2026."""
    async with house() as one:
        yield one


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[House]:
    """A house on a file of its own."""
    async with house(database=f"sqlite:///{tmp_path / 'laurels.db'}") as one:
        yield one


@pytest.fixture
async def desk(home: House) -> AsyncIterator[Desk]:
    """An operator who is signed in as 'anna'."""
    async with desk_over(home) as one:
        yield one
