"""Processes are killed, connections cut, servers ended, disks filled and clocks put back: nothing acknowledged is lost.

The longer form is `make torture`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.scenarios import SCENARIOS

SECONDS = 3.0
"""How long things go wrong. How much happens meanwhile depends on the machine; what must be true afterwards does not."""

SEED = 20261124


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_acknowledged_is_lost_or_counted_twice(scenario: str, tmp_path: Path) -> None:
    SCENARIOS[scenario](tmp_path, SEED, SECONDS, lambda _: None)
