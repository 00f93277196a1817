"""Keys: how the app's own back end authenticates, and how an operator signs in to the console.

A key is 'laurels_key_' (the app's) or 'laurels_admin_' (an operator's) + 40 random letters and digits + 6 that check them, so
that a scanner recognizes a leaked key without asking. Only a SHA-256 of the whole key is stored, so a key of
one role is never valid for the other. The key itself is shown once.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from datetime import datetime
from typing import Literal

from laurels.engine.events import check_text
from laurels.engine.names import check_visible
from laurels.errors import Unauthorized
from laurels.service.audit import audit_row
from laurels.storage.contract import LIBRARY, KeyRow, Source, Store

Role = Literal["app", "admin"]

PREFIX = "laurels_key_"
ADMIN_PREFIX = "laurels_admin_"
PREFIXES: dict[Role, str] = {"app": PREFIX, "admin": ADMIN_PREFIX}
LETTERS = string.ascii_letters + string.digits
RANDOM_LETTERS = 40
CHECK_LETTERS = 6
HINT_LETTERS = 4
MAX_NAME = 100


async def create_key(store: Store, name: str, now: datetime, role: Role = "app", source: Source = LIBRARY) -> str:
    """Create and store a key, with a row of the audit, and return it; it cannot be read again.

    Raises InvalidInput for a name that is taken.
    """
    check_text("name", name, MAX_NAME)
    check_visible("name", name)
    prefix = PREFIXES[role]
    secret = "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LETTERS))
    key = prefix + secret + _check_letters(secret)
    hint = hint_of_key(key)
    note = audit_row(source, now, "key.created", ("key", name), role=role, hint=hint)
    await store.add_key(KeyRow(hash_of_key(key), name, hint, now, None), note)
    return key


async def revoke_key(store: Store, name: str, now: datetime, source: Source) -> bool:
    """Revoke the active key of this name, with a row of the audit. False if there is none."""
    return await store.revoke_key(name, now, audit_row(source, now, "key.revoked", ("key", name)))


async def name_of_key(store: Store, key: str | None, role: Role = "app") -> str:
    """The name of a valid key of this role. Raises Unauthorized for anything else, with a hint for a key of the other role."""
    found = role_of(key) if key else None
    if key is None or found is None:
        raise Unauthorized
    if found != role:
        raise Unauthorized(OTHER_ROLE[role])
    name = await store.key_name(hash_of_key(key))
    if name is None:
        raise Unauthorized
    return name


OTHER_ROLE: dict[Role, str] = {
    "app": "This is an admin key: it signs in to the console, at /console. "
    "Send an API key; 'laurels key create --name my-app' creates one.",
    "admin": "This is an API key, for the app's back end. The console takes an admin key; "
    "'laurels key create --admin --name NAME' creates one.",
}


def role_of(key: str) -> Role | None:
    """The role of a key, by its format alone; None for a text that is not in the format of a key."""
    return next((role for role, prefix in PREFIXES.items() if _has_form(key, prefix)), None)


def role_of_hint(hint: str) -> Role:
    """The role of a stored key."""
    return "admin" if hint.startswith(ADMIN_PREFIX) else "app"


def hint_of_key(key: str) -> str:
    """The beginning of a key, enough to recognise it."""
    prefix = PREFIXES[role_of(key) or "app"]
    return key[: len(prefix) + HINT_LETTERS]


def is_well_formed(key: str) -> bool:
    """Whether a text is in the format of a key, check letters included, as a scanner checks it."""
    return role_of(key) is not None


def hash_of_key(key: str) -> bytes:
    """The hash under which a key is stored."""
    return hashlib.sha256(key.encode()).digest()


def _has_form(key: str, prefix: str) -> bool:
    secret = key.removeprefix(prefix)[:RANDOM_LETTERS]
    return key == prefix + secret + _check_letters(secret) and len(secret) == RANDOM_LETTERS


def _check_letters(secret: str) -> str:
    number, letters = zlib.crc32(secret.encode()), ""
    for _ in range(CHECK_LETTERS):
        number, digit = divmod(number, len(LETTERS))
        letters += LETTERS[digit]
    return letters
