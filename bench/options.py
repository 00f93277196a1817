"""How thoroughly to measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How many runs of how many seconds each, how often a process starts cold, and how many events to import."""

    runs: int
    seconds: float
    starts: int
    imported: int
