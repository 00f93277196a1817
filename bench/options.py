"""How thoroughly to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How many runs of how many seconds each, at which sizes of the community, and how many events to import."""

    runs: int
    seconds: float
    users: Sequence[int]
    imported: int
