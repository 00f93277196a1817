"""A `kill -9` at every step of applying a planned catalog, and at many random instants, while another process records events.

Its name keeps it out of `make test`, which runs tests/cli/test_apply_killed.py: it takes many minutes. `make torture` runs it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import LASTING_ENGINES
from tests.support.applies import Applies, random_times

MOST_STEPS = 400
INSTANTS = 100
SEED = 20261130

pytestmark = pytest.mark.parametrize("engine", LASTING_ENGINES)


def test_an_apply_that_is_killed_at_any_step_is_completed(database: str, tmp_path: Path) -> None:
    with Applies.over(database, tmp_path) as one:
        steps = 0
        for step in range(1, MOST_STEPS):
            if not one.apply(step=step, by_server=step % 3 == 0):
                break
            steps = step
        assert 20 <= steps < MOST_STEPS - 1
        assert one.stored >= 10


def test_an_apply_that_is_killed_at_any_time_is_completed(database: str, tmp_path: Path) -> None:
    with Applies.over(database, tmp_path) as one:
        for number, after in enumerate(random_times(SEED, INSTANTS, 1.5)):
            one.apply(after=after, by_server=number % 2 == 1)
        assert one.stored >= 5
