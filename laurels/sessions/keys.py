"""API keys: how the app's own back end says who it is.

A key is 'laurels_key_' + 40 random letters and digits + 6 that check them, so that a scanner can tell a leaked key from
any other text without asking. What is stored is a SHA-256; the key itself is shown once.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from datetime import datetime

from laurels.engine.events import check_text
from laurels.errors import Unauthorized
from laurels.storage.base import KeyRow, Store

PREFIX = "laurels_key_"
LETTERS = string.ascii_letters + string.digits
RANDOM_LETTERS = 40
CHECK_LETTERS = 6
HINT_LETTERS = 4
MAX_NAME = 100


async def create_key(store: Store, name: str, now: datetime) -> str:
    """Make and store a key, and return it; nobody can read it again. Raises InvalidInput for a name that is taken."""
    check_text("name", name, MAX_NAME)
    secret = "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LETTERS))
    key = PREFIX + secret + _check_letters(secret)
    await store.add_key(KeyRow(_hash(key), name, key[: len(PREFIX) + HINT_LETTERS], now, None))
    return key


async def name_of_key(store: Store, key: str | None) -> str:
    """The name of a living key. Raises Unauthorized for anything else."""
    if key is None or not is_well_formed(key):
        raise Unauthorized
    name = await store.key_name(_hash(key))
    if name is None:
        raise Unauthorized
    return name


def is_well_formed(key: str) -> bool:
    """Whether a text has the form of a key, check letters included: what a scanner asks."""
    secret = key.removeprefix(PREFIX)[:RANDOM_LETTERS]
    return key == PREFIX + secret + _check_letters(secret) and len(secret) == RANDOM_LETTERS


def _check_letters(secret: str) -> str:
    number, letters = zlib.crc32(secret.encode()), ""
    for _ in range(CHECK_LETTERS):
        number, digit = divmod(number, len(LETTERS))
        letters += LETTERS[digit]
    return letters


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
