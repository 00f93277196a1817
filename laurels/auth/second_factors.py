"""The second factor of operators who sign in with a key: codes of an app (TOTP, RFC 6238), and recovery codes.

The database has what the codes are made from only in a form that the key itself reveals, which it does not have: who reads the
database can neither make a code nor try recovery codes. Each code is accepted once, in all processes together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b32decode, b32encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from pyotp import random_base32
from pyotp.totp import TOTP

from laurels.auth.keys import hash_of_key
from laurels.engine.values import plain
from laurels.errors import InvalidInput, Unauthorized
from laurels.service.audit import audit_row
from laurels.storage.contract import SecondFactorRow, Source, Store

ISSUER = "Laurels"
STEP_SECONDS = 30
EARLIER_OR_LATER = 1
"""How many time steps the clock of the app may be ahead or behind."""

SECRET_BYTES = 20
SALT_BYTES = 16
SECRET_LETTERS = 32

RECOVERY_CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others."""
RECOVERY_LETTERS = 16
GROUP = 4
HASH_BYTES = 32

FREE_FAILURES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
"""After five wrong codes, the next is looked at only after a wait, which doubles: guessing one of a million takes years."""

CONTENTIONS = 5
"""How often a change is tried again because another sign-in with the same key came first."""

Accepted = Literal["code", "recovery code"]

NEEDED = "This key needs a code too: type the one that your app shows now, or a recovery code."
WRONG = "This code is wrong or was used before. Wait for the next one, and check the clock of your device."
BUSY = "Another sign-in with this key is going on. Please try again."


class WrongCodeError(Unauthorized):
    """The code is missing, wrong, or was used before. `counts`: whether it is a failed sign-in."""

    def __init__(self, message: str = WRONG, *, counts: bool = True) -> None:
        super().__init__(message)
        self.counts = counts


@plain
class SecondFactors:
    """Sets up and verifies second factors. `clock` is the current time; the real one, also in a sandbox."""

    store: Store
    clock: Callable[[], datetime]

    async def check(self, key: str, typed: str) -> Accepted | None:
        """What was typed next to a valid key. None if the key has no second factor. Raises WrongCodeError."""
        for _ in range(CONTENTIONS):
            factor = await self.store.second_factor(hash_of_key(key))
            if factor is None:
                return None
            changed, accepted = judged(factor, key, typed, self.clock())
            if await self.store.change_second_factor(changed):
                if accepted:
                    return accepted
                raise WrongCodeError
        raise WrongCodeError(BUSY)

    async def add(self, key: str, secret: str, code: str, token_hash: bytes, source: Source) -> Sequence[str]:
        """Store the second factor of a key, once a code shows that the app has the secret. Returns the recovery codes.

        `token_hash` is that of the session that does this, and goes on. Raises InvalidInput.
        """
        at, raw = self.clock(), read_secret(secret)
        step = _step_of(secret, _digits(code), at)
        if step is None:
            raise InvalidInput("code", WRONG)
        codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
        recovery = b"".join(_recovery_hash(key, code) for code in codes)
        row = SecondFactorRow(hash_of_key(key), _hidden(key, raw), step, recovery, 0, None, at)
        note = audit_row(source, at, "key.second_factor_added", ("key", source.principal.name))
        if not await self.store.add_second_factor(row, token_hash, note):
            raise InvalidInput("code", "This key has a second factor already.")
        return codes


def judged(factor: SecondFactorRow, key: str, typed: str, now: datetime) -> tuple[SecondFactorRow, Accepted | None]:
    """The second factor after this attempt, and what was accepted. Raises WrongCodeError for one that is not looked at."""
    wait = _wait_until(factor)
    if wait is not None and now < wait:
        seconds = int((wait - now).total_seconds()) + 1
        raise WrongCodeError(f"Too many wrong codes for this key. Try again in {seconds} s.")
    if not typed.strip():
        raise WrongCodeError(NEEDED, counts=False)
    passed = replace(factor, failed=0, failed_at=None)
    step = _step_of(b32encode(_revealed(key, factor.secret)).decode(), _digits(typed), now)
    if step is not None and step > factor.last_step:
        return replace(passed, last_step=step), "code"
    left = _without(factor.recovery, _recovery_hash(key, typed))
    if left is not None:
        return replace(passed, recovery=left), "recovery code"
    return replace(factor, failed=factor.failed + 1, failed_at=now), None


def left_of(factor: SecondFactorRow) -> int:
    """How many recovery codes are left."""
    return len(factor.recovery) // HASH_BYTES


def new_secret() -> str:
    """A random secret for an app, in base32."""
    return random_base32(SECRET_LETTERS)


def read_secret(secret: str) -> bytes:
    """The bytes of a secret. Raises InvalidInput for one that was not made here."""
    try:
        raw = b32decode(secret)
    except ValueError:
        raw = b""
    if len(raw) != SECRET_BYTES:
        raise InvalidInput("secret", "The form is damaged: reload the page, and scan the new code.")
    return raw


def link(secret: str, name: str, host: str) -> str:
    """The address of a secret, which apps read from a QR code."""
    return TOTP(secret, name=name, issuer=f"{ISSUER} {host}".strip()).provisioning_uri()


def _wait_until(factor: SecondFactorRow) -> datetime | None:
    """Until when no code is looked at."""
    excess = factor.failed - FREE_FAILURES
    if excess < 0 or factor.failed_at is None:
        return None
    return factor.failed_at + min(FIRST_WAIT * 2 ** min(excess, 20), LONGEST_WAIT)


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step of a code; None if it is of none that may be now."""
    made, current = TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    for step in range(current - EARLIER_OR_LATER, current + EARLIER_OR_LATER + 1):
        if hmac.compare_digest(made.at(step * STEP_SECONDS).encode(), code.encode()):
            return step
    return None


def _digits(typed: str) -> str:
    return "".join(typed.split())


def _new_recovery_code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(RECOVERY_LETTERS))
    return "-".join(letters[start : start + GROUP] for start in range(0, RECOVERY_LETTERS, GROUP))


def _recovery_hash(key: str, code: str) -> bytes:
    letters = "".join(letter for letter in code.lower() if letter in LETTERS)
    return hmac.digest(key.encode(), b"recovery " + letters.encode(), hashlib.sha256)


def _without(recovery: bytes, hashed: bytes) -> bytes | None:
    """The hashes without this one; None if it is not among them."""
    hashes = [recovery[start : start + HASH_BYTES] for start in range(0, len(recovery), HASH_BYTES)]
    left = [one for one in hashes if not hmac.compare_digest(one, hashed)]
    return b"".join(left) if len(left) < len(hashes) else None


def _hidden(key: str, raw: bytes) -> bytes:
    """A secret as it is stored: the key, of 238 random bits, makes a stream that hides it."""
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + _with_stream(key, salt, raw)


def _revealed(key: str, hidden: bytes) -> bytes:
    return _with_stream(key, hidden[:SALT_BYTES], hidden[SALT_BYTES:])


def _with_stream(key: str, salt: bytes, data: bytes) -> bytes:
    stream = hmac.digest(key.encode(), b"second factor " + salt, hashlib.sha256)
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
