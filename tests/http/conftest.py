from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http.context import DecisionContext, context
from tests.http.work import UnitOfWork, work_over


@pytest.fixture
async def home() -> AsyncIterator[DecisionContext]:
    """A house in memory, at noon of 5 January 2026."""
    async with context() as one:
        yield one


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[DecisionContext]:
    """A house on a file of its own."""
    async with context(database=f"sqlite:///{tmp_path / 'laurels.db'}") as one:
        yield one


@pytest.fixture
async def work(home: DecisionContext) -> AsyncIterator[UnitOfWork]:
    """An operator who is signed in as 'anna'."""
    async with work_over(home) as one:
        yield one
