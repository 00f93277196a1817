"""How many requests of one caller are answered at the same time, so that slow requests of one leave places for all others."""

from __future__ import annotations

from collections.abc import Hashable

from laurels.auth.chain import Caller
from laurels.errors import Overloaded
from laurels.http.context import Key
from laurels.http.problems import TooManyRequests
from laurels.settings import LimitSettings

RESERVE = 8
"""One of this number of places, and of bytes for bodies, is left free by any single key and by the operators."""

RETRY_AFTER = 1
"""After how many seconds to try again: a place becomes free as soon as one request is answered."""

PUBLIC = ("public",)
OPERATORS = ("operators",)
"""The callers without a session or key, and those at the console."""


def all_but_reserve(amount: int) -> int:
    """What one caller may take of an amount."""
    return amount - amount // RESERVE


class Shares:
    """The places that each caller holds."""

    def __init__(self, limits: LimitSettings) -> None:
        self._public = limits.public_requests
        self._session = limits.session_requests
        self._other = all_but_reserve(limits.requests)
        self._held: dict[Hashable, int] = {}

    def enter(self, caller: object) -> Hashable:
        """Take a place; returns what gives it back. Raises TooManyRequests, Overloaded."""
        holder, most = self._share_of(caller)
        held = self._held.get(holder, 0)
        if held >= most:
            raise self._refusal(holder, most)
        self._held[holder] = held + 1
        return holder

    def leave(self, holder: Hashable) -> None:
        """Give a place back."""
        held = self._held[holder] - 1
        if held:
            self._held[holder] = held
        else:
            del self._held[holder]

    def _share_of(self, caller: object) -> tuple[Hashable, int]:
        """Whose places these are, and how many there are."""
        if isinstance(caller, Caller):
            return caller.session or caller.user_id, self._session
        if isinstance(caller, Key):
            return ("key", caller.name), self._other
        return (PUBLIC, self._public) if caller is None else (OPERATORS, self._other)

    def _refusal(self, holder: Hashable, most: int) -> Exception:
        if holder == PUBLIC:
            return Overloaded("as many requests without a session or key as possible are being answered", RETRY_AFTER)
        if isinstance(holder, tuple):
            return Overloaded("this caller's requests take all places that one caller may take", RETRY_AFTER)
        return TooManyRequests(
            f"this session has {most} requests that are not answered yet; wait for one of them",
            [(b"retry-after", b"%d" % RETRY_AFTER)],
        )
