"""The file with the keys on several machines, and the rights that it has there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from laurels.errors import StoreUnavailable
from laurels.present.events import EventResult
from tests.storage.test_secret_file import (
    _looking_always,  # noqa: F401  # fixture
    changing,
    content,
    file,  # noqa: F401  # fixture
    lasting,  # noqa: F401  # fixture
    login,
    opened,
    put,
)

pytestmark = pytest.mark.anyio


async def test_a_new_user_on_a_machine_with_the_old_file_fails_no_known_one(lasting: str, file: Path) -> None:  # noqa: F811
    elsewhere = file.with_name("elsewhere.key")
    async with opened(lasting, file) as here:
        await here.record(login("ada"))
        put(elsewhere, content(file))
        async with opened(lasting, elsewhere) as there:
            async with changing(lasting, file) as secret:
                await secret.rotate()
            events = [login("ada", 2), login("new"), login("ada", 3)]
            answers = await asyncio.gather(*map(there.record, events), return_exceptions=True)

    assert [type(answer) for answer in answers[::2]] == [EventResult, EventResult], answers
    assert isinstance(answers[1], StoreUnavailable)
    assert "does not have the newest key" in str(answers[1])
