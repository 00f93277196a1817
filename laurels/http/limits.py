"""How often a caller may call: a bucket of tokens for each, in the memory of this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from time import monotonic

from laurels.http.problems import TooManyRequests

BURST_SECONDS = 5
"""The size of a bucket: a caller may send at once as many requests as in this many seconds."""

KEEP_FULL = 1024
"""With more buckets than this, full ones are searched and dropped."""

ROUNDING = 1e-6
"""Tolerance for the rounding errors of sums, in seconds."""


class Rate:
    """A number of requests a second for each caller; 0: any number.

    A bucket is one number, the time when it will be full again (the generic cell rate algorithm), and a full one can be
    dropped, so there are at most twice as many as callers of the last seconds. Each of several processes allows its share of
    the rate, because they do not share their buckets.
    """

    def __init__(self, name: str, rate: int, processes: int = 1, clock: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._rate = rate
        self._token = processes / rate if rate else 0.0
        self._burst = max(BURST_SECONDS, self._token)
        self._clock = clock
        self._full_at: dict[Hashable, float] = {}
        self._look_at = KEEP_FULL

    def __len__(self) -> int:
        """The number of buckets held."""
        return len(self._full_at)

    def take(self, caller: Hashable) -> None:
        """Count a request of this caller. Raises TooManyRequests, and then does not count it."""
        if not self._token:
            return
        now = self._clock()
        full_at = max(now, self._full_at.get(caller, now)) + self._token
        if full_at - now > self._burst + ROUNDING:
            raise self._refusal(full_at - now - self._burst)
        self._full_at[caller] = full_at
        if len(self._full_at) > self._look_at:
            self._forget_full(now)

    def charge(self, caller: Hashable, tokens: int) -> None:
        """Count more for an admitted request. If that exceeds the rate, the caller's next requests are refused for longer."""
        if self._token and tokens > 0:
            self._full_at[caller] = self._full_at.get(caller, self._clock()) + tokens * self._token

    def _refusal(self, seconds: float) -> TooManyRequests:
        most, wait = self._rate * BURST_SECONDS, max(1, math.ceil(seconds))
        return TooManyRequests(
            f"this {self._name} may make {self._rate} requests a second, and up to {most} at once; "
            f"send it again in {wait} s",
            [
                (b"retry-after", b"%d" % wait),
                (b"ratelimit-policy", f'"{self._name}";q={most};w={BURST_SECONDS}'.encode()),
                (b"ratelimit", f'"{self._name}";r=0;t={wait}'.encode()),
            ],
        )

    def _forget_full(self, now: float) -> None:
        self._full_at = {caller: full_at for caller, full_at in self._full_at.items() if full_at > now}
        self._look_at = max(KEEP_FULL, 2 * len(self._full_at))
