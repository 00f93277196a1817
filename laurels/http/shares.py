"""How many requests are answered at the same time: of one caller, or of one address without any credential.

So slow requests of one leave places for all others.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from laurels.auth.chain import Caller
from laurels.auth.networks import network_of
from laurels.errors import Overloaded
from laurels.http.context import Key
from laurels.http.problems import TooManyRequests
from laurels.settings import LimitSettings

RESERVE = 8
"""One of this number of places, and of bytes for bodies, is left free by any single key and by the operators."""

RETRY_AFTER = 1
"""After how many seconds to try again: a place becomes free as soon as one request is answered."""

OPERATORS = ("operators",)
"""The callers at the console."""


ALL_TAKEN = "as many requests without a session or key as possible are being answered"
SHARE_TAKEN = "this address has as many requests without a session or key as one address may have"


class Unknown(NamedTuple):
    """The callers without a session or key at one address."""

    network: str


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
        self._unknown = 0

    def enter_unknown(self, address: str | None) -> Hashable:
        """Take a place for a caller without a session or key; returns what gives it back. Raises Overloaded.

        One address may hold as many of these places as are left free: a single one gets half of them, further ones less and
        less, so that some places stay free for others while up to five addresses take all they can.
        """
        holder = Unknown(network_of(address))
        held, free = self._held.get(holder, 0), self._public - self._unknown
        if held >= free:
            raise Overloaded(ALL_TAKEN if free <= 0 else SHARE_TAKEN, RETRY_AFTER)
        self._held[holder] = held + 1
        self._unknown += 1
        return holder

    def enter(self, caller: object) -> Hashable:
        """Take a place for a caller who is known; returns what gives it back. Raises TooManyRequests, Overloaded."""
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
        if isinstance(holder, Unknown):
            self._unknown -= 1

    def _share_of(self, caller: object) -> tuple[Hashable, int]:
        """Whose places these are, and how many there are."""
        if isinstance(caller, Caller):
            return caller.session or caller.user_id, self._session
        if isinstance(caller, Key):
            return ("key", caller.name), self._other
        return OPERATORS, self._other

    def _refusal(self, holder: Hashable, most: int) -> Exception:
        if isinstance(holder, tuple):
            return Overloaded("this caller's requests take all places that one caller may take", RETRY_AFTER)
        return TooManyRequests(
            f"this session has {most} requests that are not answered yet; wait for one of them",
            [(b"retry-after", b"%d" % RETRY_AFTER)],
        )
