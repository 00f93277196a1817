"""API keys: how the app's own back end says who it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from laurels.auth.keys import PREFIX, create_key, is_well_formed
from laurels.errors import InvalidInput
from tests.support.app import USERS, App, bytes_in

pytestmark = pytest.mark.anyio


async def status_with(home: App, key: str) -> int:
    answer = await home.client.put(f"{USERS}/ada", json={}, headers={"authorization": f"Bearer {key}"})
    return answer.status_code


async def test_a_key_can_be_recognized_by_its_format(home: App) -> None:
    assert re.fullmatch(r"laurels_key_[A-Za-z0-9]{46}", home.key)
    assert is_well_formed(home.key)


async def test_the_check_letters_catch_every_single_slip(home: App) -> None:
    for place in range(len(PREFIX), len(home.key)):
        letter = "a" if home.key[place] != "a" else "b"
        slip = home.key[:place] + letter + home.key[place + 1 :]

        assert not is_well_formed(slip)
        assert await status_with(home, slip) == 401


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 12), slice(0, 0)])
async def test_a_part_of_a_key_is_not_a_key(home: App, cut: slice) -> None:
    assert not is_well_formed(home.key[cut])
    assert not is_well_formed(home.key + "a")


async def test_keys_differ(home: App) -> None:
    keys = {await create_key(home.laurels.store, f"key-{index}", home.clock()) for index in range(20)}

    assert len(keys) == 20


async def test_every_living_key_opens(home: App) -> None:
    other = await create_key(home.laurels.store, "other", home.clock())

    assert [await status_with(home, key) for key in (home.key, other)] == [200, 200]


async def test_a_revoked_key_is_refused_at_once(home: App) -> None:
    assert await status_with(home, home.key) == 200

    await home.laurels.store.revoke_key("tests", home.clock())

    assert await status_with(home, home.key) == 401


async def test_a_name_is_free_again_once_its_key_is_revoked(home: App) -> None:
    with pytest.raises(InvalidInput, match="tests"):
        await create_key(home.laurels.store, "tests", home.clock())
    await home.laurels.store.revoke_key("tests", home.clock())

    assert await status_with(home, await create_key(home.laurels.store, "tests", home.clock())) == 200


async def test_no_key_is_in_the_database(filed: App, tmp_path: Path) -> None:
    await status_with(filed, filed.key)
    await filed.laurels.close()

    kept = bytes_in(tmp_path)

    assert filed.key[: len(PREFIX) + 4].encode() in kept
    for secret in (filed.key, filed.key[len(PREFIX) + 4 :]):
        assert secret.encode() not in kept


@pytest.mark.parametrize("name", ["", " ", "\u2800", "\ufffc", "\U0001d159", "\ue000", "\u200b"], ids=ascii)
async def test_a_key_has_a_name_that_a_list_can_show(home: App, name: str) -> None:
    before = await home.laurels.store.keys()
    with pytest.raises(InvalidInput):
        await create_key(home.laurels.store, name, home.clock())
    assert await home.laurels.store.keys() == before
