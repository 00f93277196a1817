"""Second factors: codes by the standard, accepted once in all processes, guessing made slow, nothing to read in the store."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b32encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pyotp.totp import TOTP

from laurels.auth.keys import create_key, hash_of_key
from laurels.auth.second_factors import SecondFactors, WrongCodeError, left_of, link, new_secret
from laurels.errors import InvalidInput
from laurels.storage.contract import LIBRARY, SecondFactorRow, Store
from laurels.testing import TestClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


class Device:
    """An operator's app, with a key that it is set up for."""

    def __init__(self, store: Store, key: str, clock: TestClock) -> None:
        self.store, self.key, self.clock = store, key, clock
        self.factors = SecondFactors(store, clock)
        self.secret = new_secret()
        self.recovery: Sequence[str] = ()

    def code(self, later: int = 0) -> str:
        """The code that it shows some seconds later."""
        return TOTP(self.secret).at(self.clock() + timedelta(seconds=later))

    async def try_(self, typed: str) -> str:
        """What is accepted, or '' for nothing."""
        try:
            return await self.factors.check(self.key, typed) or "not needed"
        except WrongCodeError:
            return ""

    async def row(self) -> SecondFactorRow:
        found = await self.store.second_factor(hash_of_key(self.key))
        assert found
        return found


@pytest.fixture
async def device(store: Store) -> Device:
    clock = TestClock(START)
    made = Device(store, await create_key(store, "anna", clock(), "admin"), clock)
    made.recovery = await made.factors.add(made.key, made.secret, made.code(), b"token", LIBRARY)
    clock.set(START + timedelta(seconds=60))
    return made


def test_codes_are_those_of_the_standard() -> None:
    secret = b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B, the last six of eight digits
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert TOTP(secret).at(seconds) == code


def test_the_link_names_the_operator_and_the_host() -> None:
    made = link("A" * 32, "anna & co", "laurels.example.com")
    assert made.startswith("otpauth://totp/Laurels%20laurels.example.com:anna%20%26%20co?secret=" + "A" * 32)
    assert link("A" * 32, "anna", "").startswith("otpauth://totp/Laurels:anna?")


async def test_a_code_is_accepted_once_and_none_that_is_older(device: Device) -> None:
    code, before = device.code(), device.code(-30)
    assert await device.try_(f" {code[:3]} {code[3:]} ") == "code"
    assert await device.try_(code) == ""
    assert await device.try_(before) == ""
    device.clock.advance(seconds=30)
    assert await device.try_(device.code()) == "code"


async def test_the_code_that_confirmed_the_device_is_used(store: Store) -> None:
    clock = TestClock(START)
    made = Device(store, await create_key(store, "anna", clock(), "admin"), clock)
    code = made.code()
    await made.factors.add(made.key, made.secret, code, b"token", LIBRARY)
    assert await made.try_(code) == ""


@pytest.mark.parametrize(("late", "accepted"), [(-60, ""), (-30, "code"), (0, "code"), (30, "code"), (60, "")])
async def test_the_clock_of_a_device_may_be_off_by_half_a_minute(device: Device, late: int, accepted: str) -> None:
    device.clock.advance(hours=1)
    assert await device.try_(device.code(late)) == accepted


async def test_of_two_processes_one_accepts_a_code(device: Device) -> None:
    others = [Device(device.store, device.key, device.clock) for _ in range(4)]
    code = device.code()
    found = await asyncio.gather(*(other.try_(code) for other in others))
    assert sorted(found) == ["", "", "", "code"]


async def test_a_recovery_code_is_accepted_once_however_it_is_typed(device: Device) -> None:
    assert len({*device.recovery}) == 10
    first, second = device.recovery[:2]
    assert await device.try_(first) == "recovery code"
    assert await device.try_(first) == ""
    assert await device.try_(second.upper().replace("-", " ")) == "recovery code"
    assert await device.try_(device.recovery[2][:-1]) == ""
    assert left_of(await device.row()) == 8
    found = await asyncio.gather(*(device.try_(device.recovery[3]) for _ in range(4)))
    assert sorted(found) == ["", "", "", "recovery code"]


@pytest.mark.parametrize("typed", ["000000", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "x" * 5000, "\x00", "-", "🙂"])
async def test_anything_else_is_refused(device: Device, typed: str) -> None:
    assert device.code() != "000000"
    assert await device.try_(typed) == ""
    assert (await device.row()).failed == 1


async def test_a_missing_code_is_no_failure(device: Device) -> None:
    with pytest.raises(WrongCodeError) as refused:
        await device.factors.check(device.key, "  ")
    assert not refused.value.counts
    assert (await device.row()).failed == 0


async def test_after_five_wrong_codes_each_further_one_waits_twice_as_long(device: Device) -> None:
    waited = list[float]()
    for number in range(14):
        if number >= 5:
            assert await device.try_(device.code()) == "", "even the right one is not looked at"
            with pytest.raises(WrongCodeError, match=r"again in \d+ s"):
                await device.factors.check(device.key, device.recovery[0])
            row, seconds = await device.row(), 0
            while (await device.row()).failed == row.failed:
                seconds += 30
                device.clock.advance(seconds=30)
                await device.try_("000000")
            waited.append(seconds)
        else:
            assert await device.try_("000000") == ""
    assert waited == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    device.clock.advance(hours=1)
    assert await device.try_(device.code()) == "code"
    assert ((await device.row()).failed, (await device.row()).failed_at) == (0, None)


async def test_a_key_without_a_second_factor_needs_no_code(store: Store) -> None:
    key = await create_key(store, "bob", START, "admin")
    assert await Device(store, key, TestClock(START)).try_("") == "not needed"


async def test_nothing_that_is_stored_makes_or_checks_a_code(device: Device) -> None:
    row = await device.row()
    stored = row.secret + row.recovery
    raw = TOTP(device.secret).byte_secret()
    assert raw not in stored
    assert device.secret.encode() not in stored
    for code in device.recovery:
        for text in (code, code.replace("-", "")):
            assert text.encode() not in stored
            assert hashlib.sha256(text.encode()).digest() not in stored


async def test_two_keys_with_the_same_secret_share_nothing_that_is_stored(store: Store) -> None:
    clock, rows = TestClock(START), list[SecondFactorRow]()
    secret = new_secret()
    for name in ("anna", "bob"):
        made = Device(store, await create_key(store, name, clock(), "admin"), clock)
        made.secret = secret
        await made.factors.add(made.key, secret, made.code(), b"token", LIBRARY)
        rows.append(await made.row())
    assert rows[0].secret != rows[1].secret


@pytest.mark.parametrize("secret", ["", "A" * 16, "A" * 40, "a" * 32, "1" * 32, "é"])
async def test_a_secret_that_was_not_made_here_is_refused(store: Store, secret: str) -> None:
    key = await create_key(store, "anna", START, "admin")
    with pytest.raises(InvalidInput) as refused:
        await SecondFactors(store, TestClock(START)).add(key, secret, "000000", b"token", LIBRARY)
    assert refused.value.field == "secret"


async def test_it_is_set_up_with_a_right_code_alone_and_not_twice(store: Store) -> None:
    clock = TestClock(START)
    made = Device(store, await create_key(store, "anna", clock(), "admin"), clock)
    with pytest.raises(InvalidInput):
        await made.factors.add(made.key, made.secret, made.code(600), b"token", LIBRARY)
    assert await store.second_factor(hash_of_key(made.key)) is None
    await made.factors.add(made.key, made.secret, made.code(), b"token", LIBRARY)
    with pytest.raises(InvalidInput, match="already"):
        await made.factors.add(made.key, made.secret, made.code(), b"token", LIBRARY)
