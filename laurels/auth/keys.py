"""Keys: how the app's own back end authenticates, and how an operator signs in to the console.

A key is 'laurels_key_' (the app's) or 'laurels_admin_' (an operator's) + 40 random letters and digits + 6 that check them, so
that a scanner recognizes a leaked key without asking. Only a SHA-256 of the whole key is stored, so a key of
one kind is never valid for the other. The key itself is shown once. What a key may do is in scopes.py and roles.py.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from laurels.auth.roles import OWNER, Role
from laurels.auth.scopes import ALL, check_use
from laurels.engine.events import check_text
from laurels.engine.names import check_visible
from laurels.engine.values import plain
from laurels.errors import Unauthorized
from laurels.service.audit import audit_row
from laurels.storage.contract import LIBRARY, KeyRow, Source, Store

KeyKind = Literal["app", "admin"]

PREFIX = "laurels_key_"
ADMIN_PREFIX = "laurels_admin_"
PREFIXES: dict[KeyKind, str] = {"app": PREFIX, "admin": ADMIN_PREFIX}
LETTERS = string.ascii_letters + string.digits
RANDOM_LETTERS = 40
CHECK_LETTERS = 6
HINT_LETTERS = 4
MAX_NAME = 100


@plain
class Rights:
    """What a new key may do. An API key has scopes, an admin key has a role.

    expires_at  from when on it is refused; None: never
    addresses   the networks from which it may be used; none: from anywhere
    """

    scopes: frozenset[str] = ALL
    role: Role = OWNER
    expires_at: datetime | None = None
    addresses: tuple[str, ...] = ()


EVERYTHING = Rights()
"""Everything that there is, from anywhere, without an end. `laurels key create` gives less unless it is asked for."""


async def create_key(
    store: Store,
    name: str,
    now: datetime,
    kind: KeyKind = "app",
    source: Source = LIBRARY,
    rights: Rights = EVERYTHING,
) -> str:
    """Create and store a key, with a row of the audit, and return it; it cannot be read again.

    Raises InvalidInput for a name that is taken.
    """
    check_text("name", name, MAX_NAME)
    check_visible("name", name)
    secret = "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LETTERS))
    key = PREFIXES[kind] + secret + _check_letters(secret)
    row = KeyRow(
        key_hash=hash_of_key(key),
        name=name,
        hint=hint_of_key(key),
        created_at=now,
        revoked_at=None,
        scopes=rights.scopes if kind == "app" else frozenset(),
        role=rights.role if kind == "admin" else "",
        expires_at=rights.expires_at,
        addresses=rights.addresses,
    )
    may = {"scopes": " ".join(sorted(row.scopes))} if kind == "app" else {"role": row.role}
    note = audit_row(source, now, "key.created", ("key", name), hint=row.hint, **may)
    await store.add_key(row, note)
    return key


async def revoke_key(store: Store, name: str, now: datetime, source: Source) -> bool:
    """Revoke the active key of this name, with a row of the audit. False if there is none."""
    return await store.revoke_key(name, now, audit_row(source, now, "key.revoked", ("key", name)))


async def remove_second_factor(store: Store, key: KeyRow, now: datetime, source: Source) -> bool:
    """Remove the second factor of a key and end its sessions, with a row of the audit. False if it has none."""
    note = audit_row(source, now, "key.second_factor_removed", ("key", key.name))
    return await store.remove_second_factor(key.key_hash, note)


async def verify_key(
    store: Store, key: str | None, clock: Callable[[], datetime], address: str | None, kind: KeyKind = "app"
) -> KeyRow:
    """A valid key of this kind, used from this address.

    Raises Unauthorized for anything else, with a hint for an expired key and for one of the other kind, and WrongAddress.
    """
    found = kind_of(key) if key else None
    if key is None or found is None:
        raise Unauthorized
    if found != kind:
        raise Unauthorized(OTHER_KIND[kind])
    row = await store.active_key(hash_of_key(key))
    if row is None:
        raise Unauthorized
    if row.expires_at is not None or row.addresses:
        check_use(row, clock(), address)
    return row


OTHER_KIND: dict[KeyKind, str] = {
    "app": "This is an admin key: it signs in to the console, at /console. "
    "Send an API key; 'laurels key create --name my-app' creates one.",
    "admin": "This is an API key, for the app's back end. The console takes an admin key; "
    "'laurels key create --admin --name NAME' creates one.",
}


def kind_of(key: str) -> KeyKind | None:
    """The kind of a key, by its format alone; None for a text that is not in the format of a key."""
    return next((kind for kind, prefix in PREFIXES.items() if _has_form(key, prefix)), None)


def kind_of_hint(hint: str) -> KeyKind:
    """The kind of a stored key."""
    return "admin" if hint.startswith(ADMIN_PREFIX) else "app"


def hint_of_key(key: str) -> str:
    """The beginning of a key, enough to recognise it."""
    prefix = PREFIXES[kind_of(key) or "app"]
    return key[: len(prefix) + HINT_LETTERS]


def is_well_formed(key: str) -> bool:
    """Whether a text is in the format of a key, check letters included, as a scanner checks it."""
    return kind_of(key) is not None


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
