"""Sessions of operators: browsers that signed in to the console with an admin key, or through a proxy that knows the operator.

A token is 'laurels_operator_' + 32 random bytes in base64url; the browser keeps it in a cookie. Only a SHA-256 of it is stored,
so nothing in the database signs anyone in. A session ends when it is not used for a while, after a fixed time, when the
operator signs out, and with its key. One that began through the proxy counts only in requests in which the proxy names the same
operator, so neither its cookie nor the proxy's header is enough alone.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from laurels.auth.identities import Headers, TrustedProxy
from laurels.auth.roles import ListedRoles, Requirement, is_required
from laurels.auth.scopes import is_usable
from laurels.engine.values import plain
from laurels.storage.contract import OperatorSession, OperatorSessionRow, Principal, Store

PREFIX = "laurels_operator_"
TOKEN = re.compile(PREFIX + r"[\w-]{43}", re.ASCII)

MOST_TOKENS = 200
"""How many tokens of one request are looked up, in one statement: more cookies than a browser keeps of one domain."""

SEEN = timedelta(minutes=1)
"""How often, at most, it is stored that a session is used."""


@plain
class Operator:
    """An operator of the console.

    name          that of the admin key, or the one that the proxy gave
    role          what they may do; '' for nothing
    kind          how they signed in: `operator` (with a key) or `proxy`, as in a principal
    key_hash      the hash of the key; empty without one
    lacks_factor  whether the key must have a second factor, and has none
    """

    name: str
    role: str
    kind: Literal["operator", "proxy"] = "operator"
    key_hash: bytes = b""
    lacks_factor: bool = False

    @property
    def principal(self) -> Principal:
        """The operator, as stored with what they change."""
        return Principal(self.kind, self.name)


@plain
class ProxySignIn:
    """Operators whom a proxy signs in. `sign_out` is the proxy's address for signing out; '' if it has none."""

    proxy: TrustedProxy
    roles: ListedRoles
    sign_out: str = ""

    def operator(self, headers: Headers, peer: str | None) -> Operator | None:
        """Whom the proxy names in this request; None if it is not the proxy's. Raises IdentityError."""
        identity = self.proxy.identity(headers, peer)
        return Operator(identity.name, self.roles.role_of(identity) or "", "proxy") if identity else None


@plain
class OperatorSessions:
    """Starts, verifies and ends the sessions of the console.

    clock     the current time; the real one, also in a sandbox
    idle      how long a session may be unused
    lifetime  how long it may last in all
    by_key    whether admin keys sign in
    by_proxy  the proxy that signs operators in; None: none does
    require   from which role on a key must have a second factor
    """

    store: Store
    clock: Callable[[], datetime]
    idle: timedelta
    lifetime: timedelta
    by_key: bool = True
    by_proxy: ProxySignIn | None = None
    require: Requirement = "none"

    async def start(self, key_hash: bytes, *, second_factor: bool = False) -> str:
        """The token of a new session of the admin key with this hash. It cannot be read again."""
        token, now = PREFIX + secrets.token_urlsafe(32), self.clock()
        row = OperatorSessionRow(hash_of_token(token), key_hash, now, now, now + self.lifetime, second_factor)
        await self.store.add_operator_session(row)
        return token

    async def start_by_proxy(self, operator: Operator) -> str:
        """The token of a new session of an operator whom the proxy names."""
        return await self.start(_hash_of_name(operator.name))

    async def signed_in(
        self, tokens: Sequence[str], address: str | None, named: Operator | None
    ) -> tuple[str, Operator] | None:
        """The first of these tokens whose session is valid, and whose it is; None if there is none.

        `address` is the client's; `named` is the operator whom the proxy names in this request.
        """
        hashes = {hash_of_token(token): token for token in tokens if TOKEN.fullmatch(token)}
        if not hashes:
            return None
        sessions, now = await self.store.operator_sessions([*hashes][:MOST_TOKENS]), self.clock()
        found = {session.token_hash: session for session in sessions if self._lives(session, now)}
        for hashed, token in hashes.items():
            operator = self._operator(found[hashed], now, address, named) if hashed in found else None
            if operator:
                if now - found[hashed].last_seen_at >= min(SEEN, self.idle / 10):
                    await self.store.operator_seen(hashed, now)
                return token, operator
        return None

    def _operator(
        self, session: OperatorSession, now: datetime, address: str | None, named: Operator | None
    ) -> Operator | None:
        """Whose session this is, if it may be used in this request."""
        key = session.key
        if key:
            lacks = session.needs_factor and not session.second_factor
            if lacks or not self.by_key or not is_usable(key, now, address):
                return None
            must_add = not session.needs_factor and is_required(self.require, key.role)
            return Operator(key.name, key.role, "operator", key.key_hash, must_add)
        return named if named and session.key_hash == _hash_of_name(named.name) else None

    def _lives(self, session: OperatorSession, now: datetime) -> bool:
        """Whether the session is valid now. One from what is now the future is not: the clock has been moved back."""
        return session.created_at <= now < session.expires_at and now - session.last_seen_at < self.idle

    async def end(self, token: str) -> None:
        """End a session, at once for all processes. Harmless if it has ended."""
        await self.store.end_operator_session(hash_of_token(token))


def hash_of_token(token: str) -> bytes:
    """The hash under which a session is stored."""
    return hashlib.sha256(token.encode()).digest()


def _hash_of_name(name: str) -> bytes:
    """What stands for a name from the proxy where a session has the hash of its key. No key is this text."""
    return hashlib.sha256(f"a name from the proxy: {name}".encode()).digest()
