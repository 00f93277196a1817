"""Zone names come from settings, frameworks and templates, which have their own subclasses of str."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from laurels import Laurels
from laurels.settings import ZoneName

pytestmark = pytest.mark.anyio


async def test_a_zone_name_of_a_subclass_of_str_is_stored(database: str) -> None:
    async with Laurels.open(database, default_zone=ZoneName("Asia/Tokyo")) as laurels:
        await laurels.update_user("ada", joined_at=datetime(2026, 1, 5, tzinfo=UTC))
        await laurels.update_user("bob", time_zone=ZoneName("Europe/Berlin"))

        assert (await laurels.user("bob")).time_zone == "Europe/Berlin"
