"""Laurels' own sessions: the app's back end asks for one, the browser carries it as a cookie.

A token is 'laurels_session_' + the user id in base64url + '.' + 32 random bytes in base64url. The look-up starts with the user
id, so that a sharded database asks one shard. Only a SHA-256 of the whole token is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeGuard

from laurels.auth.chain import Caller, Credentials
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import InvalidInput, Unauthorized
from laurels.service.laurels import Laurels

COOKIE = "laurels-session"
PREFIX = "laurels_session_"
MAX_TOKEN = 2000
MAX_TOKENS = 200
"""How many different tokens of one request are looked up, in one statement: more cookies than a browser keeps of one domain."""

TOKEN = re.compile(PREFIX + r"[\w-]+\.[\w-]{43}", re.ASCII)

TOO_MANY = f"More than {MAX_TOKENS} sessions were sent: delete the cookies '{COOKIE}' of this site, and sign in again."
DIFFERENT_USERS = (
    "Sessions of different users were sent. Another page of the domain may have set a cookie "
    f"'{COOKIE}': delete it, or send one session."
)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session. The token is shown once; only its user stores it."""

    token: str
    expires_at: datetime


class Sessions:
    """Creates, verifies and ends Laurels' own sessions."""

    def __init__(self, laurels: Laurels) -> None:
        self._laurels = laurels

    async def create(self, user_id: str, lifetime: timedelta) -> NewSession:
        """Create a session for an existing user. Raises UserNotFound."""
        now = await self._laurels.now()
        token = PREFIX + _encode(user_id) + "." + secrets.token_urlsafe(32)
        await self._laurels.store.add_session(user_id, hash_of_token(token), now, now + lifetime)
        return NewSession(token, now + lifetime)

    async def verify(self, credentials: Credentials) -> Caller | None:
        """The user of the session in a cookie or the bearer token. Ended and forged ones do not count next to a valid one.

        Raises Unauthorized if none is valid, or if they are of different users.
        """
        tokens = _tokens(credentials)
        if not tokens:
            return None
        if len(tokens) > MAX_TOKENS:
            raise Unauthorized(TOO_MANY)
        callers = await self._callers(tokens)
        if not callers:
            raise Unauthorized
        if any(caller.user_id != callers[0].user_id for caller in callers):
            raise Unauthorized(DIFFERENT_USERS)
        return callers[0]

    async def _callers(self, tokens: Sequence[str]) -> Sequence[Caller]:
        """The users of those tokens whose sessions are valid."""
        store, now = self._laurels.store, await self._laurels.now()
        keys = [(user_id, hash_of_token(token)) for token in tokens if (user_id := _user_id(token)) is not None]
        if len(keys) == 1:
            return [Caller(*keys[0])] if await store.has_session(*keys[0], now) else []
        return [Caller(*key) for key in await store.valid_sessions(keys, now)] if keys else []

    async def end(self, credentials: Credentials) -> None:
        """End the session, at once. Does nothing without one."""
        for caller in await self._callers(_tokens(credentials)[:MAX_TOKENS]):
            if caller.session:
                await self._laurels.store.end_session(caller.user_id, caller.session)


def _tokens(credentials: Credentials) -> list[str]:
    """All cookies of our name, and the bearer token, that have our format; what others store under our name hides nothing."""
    sent = (*credentials.cookies.get(COOKIE, ()), credentials.bearer)
    return list(dict.fromkeys(token for token in sent if _is_ours(token)))


def _is_ours(token: str | None) -> TypeGuard[str]:
    return token is not None and len(token) <= MAX_TOKEN and TOKEN.fullmatch(token) is not None


def _user_id(token: str) -> str | None:
    """The user id that a token names; None for a token that is not one of ours."""
    try:
        name = token.removeprefix(PREFIX).partition(".")[0].encode("ascii")
        user_id = urlsafe_b64decode(name + b"=" * (-len(name) % 4)).decode()
        check_text("userId", user_id, MAX_USER_ID)  # do not ask the database for an id that no user can have
    except (ValueError, InvalidInput):
        return None
    return user_id


def _encode(user_id: str) -> str:
    return urlsafe_b64encode(user_id.encode()).decode().rstrip("=")


def hash_of_token(token: str) -> bytes:
    """The hash under which a session is stored."""
    return hashlib.sha256(token.encode()).digest()
