"""The file with the keys on several machines, and the rights that it has there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from laurels.errors import SettingsError, StoreUnavailable
from laurels.present.events import EventResult
from laurels.storage import keyrings
from laurels.storage.secret_file import Keys, StoredSecret, create_keys, read_keys, replace_keys
from tests.storage.test_secret_file import (
    ONE,
    TWO,
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


def give(file: Path, mode: int) -> None:  # noqa: F811
    file.chmod(mode)


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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o440])
def test_replacing_keeps_the_owner_the_group_and_the_mode(file: Path, mode: int) -> None:  # noqa: F811
    create_keys(str(file), Keys((ONE,)))
    groups = [group for group in (os.getegid(), *os.getgroups()) if group != os.getegid()]
    owner, group = (1234, 1235) if os.geteuid() == 0 else (os.geteuid(), (groups or [os.getegid()])[0])
    os.chown(file, owner, group)
    file.chmod(mode)

    replace_keys(str(file), Keys((TWO,)))

    found = file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (owner, group, mode)
    assert read_keys(str(file)) == Keys((TWO,))


def test_a_file_whose_owner_cannot_be_kept_is_not_replaced(
    file: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    create_keys(str(file), Keys((ONE,)))
    monkeypatch.setattr(Path, "chmod", refuse)

    with pytest.raises(SettingsError, match="run this as its owner, or as root"):
        replace_keys(str(file), Keys((TWO,)))

    assert read_keys(str(file)) == Keys((ONE,))
    assert [one.name for one in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_a_file_that_could_not_be_read_is_read_after_its_rights_were_repaired(
    lasting: str,  # noqa: F811
    file: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
) -> None:
    monkeypatch.setattr(keyrings, "LOOK_SECONDS", seconds)
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
        before = await laurels.store.keyring()
        async with changing(lasting, file) as secret:
            keys = await secret.rotate()
        give(file, 0o644)
        for _ in range(3):
            assert await laurels.store.keyring(at_once=True) == before
        assert caplog.text.count("read before are still in use") == 1

        give(file, 0o600)
        assert await laurels.store.keyring(at_once=True) == keys.keyring()


async def test_a_refused_new_user_does_not_hide_the_file_once_it_can_be_read(lasting: str, file: Path) -> None:  # noqa: F811
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
        async with changing(lasting, file) as secret:
            keys = await secret.rotate()
        give(file, 0o644)
        with pytest.raises(StoreUnavailable, match="chmod 600"):
            await laurels.record(login("new"))

        give(file, 0o600)
        assert await laurels.store.keyring(at_once=True) == keys.keyring()


async def test_of_two_machines_that_rotate_at_once_one_is_refused_and_keeps_its_file(lasting: str, file: Path) -> None:  # noqa: F811
    elsewhere = file.with_name("elsewhere.key")
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
    put(elsewhere, before := content(file))
    async with changing(lasting, file) as here, changing(lasting, elsewhere) as there:
        stored = await there.store.stored_secret()
        keys = await here.rotate()

        async def as_before() -> StoredSecret:
            found = await type(there.store).stored_secret(there.store)
            return found if asked.pop() else stored

        asked = [True, False]  # the second machine reads what the first one has not changed yet
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(there.store, "stored_secret", as_before)
            with pytest.raises(SettingsError, match="rotated on another machine"):
                await there.rotate()

    assert content(elsewhere) == before
    put(elsewhere, content(file))
    async with opened(lasting, elsewhere) as laurels:
        assert await laurels.store.keyring() == keys.keyring()
