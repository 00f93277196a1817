"""Fixtures for the tests of whatever is served: an application in this process, and an operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.app import App, open_app
from tests.support.operator import Operator, operator_over


@pytest.fixture
async def home() -> AsyncIterator[App]:
    """A Laurels in memory, at noon of 5 January 2026."""
    async with open_app() as one:
        yield one


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[App]:
    """A Laurels on a file of its own."""
    async with open_app(database=f"sqlite:///{tmp_path / 'laurels.db'}") as one:
        yield one


@pytest.fixture
async def work(home: App) -> AsyncIterator[Operator]:
    """An operator who is signed in as 'anna'."""
    async with operator_over(home) as one:
        yield one
