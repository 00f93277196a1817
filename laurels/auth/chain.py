"""The chain of verifiers. A new kind of session is one file with one Verifier, and one line in `server/app.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from laurels.engine.values import plain
from laurels.errors import Unauthorized
from laurels.storage.contract import Principal


@plain
class Credentials:
    """The credentials of a request. Header names are in lower case.

    `cookies` has all values of each name: a browser sends several if other paths or hosts of the domain set the same name.
    """

    cookies: Mapping[str, Sequence[str]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer TOKEN`."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token else None


@plain
class Caller:
    """The user who is calling, as a verifier identified them."""

    user_id: str
    session: bytes | None = None
    """What identifies this session; None if this kind of session has no id."""

    @property
    def principal(self) -> Principal:
        """The user, as stored with what they change."""
        return Principal("session", self.user_id)


class Verifier(Protocol):
    """One kind of session."""

    async def verify(self, credentials: Credentials) -> Caller | None:
        """Who is calling; None if there is no session of this kind. Raises Unauthorized for an invalid one."""
        ...


class Chain:
    """Verifiers in order; the first that recognizes its kind of session decides."""

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        self._verifiers = verifiers

    async def caller(self, credentials: Credentials) -> Caller:
        """Who is calling. Raises Unauthorized if no verifier recognizes the session."""
        for verifier in self._verifiers:
            caller = await verifier.verify(credentials)
            if caller is not None:
                return caller
        raise Unauthorized
