"""A `kill -9` while a planned catalog is applied: the same command, or a server that starts, completes it. See tests/torture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import LASTING_ENGINES
from tests.support.applies import Applies, random_times

STEPS = (1, 3, 7, 14, 25, 42, 68, 107, 160)
"""At some of the first steps of a command, and ever fewer of the later ones."""


@pytest.mark.parametrize("engine", LASTING_ENGINES)
def test_an_apply_that_is_killed_is_completed_by_the_same_command_or_a_server(database: str, tmp_path: Path) -> None:
    with Applies.over(database, tmp_path) as one:
        for number, step in enumerate(STEPS):
            if not one.apply(step=step, by_server=number % 2 == 1):
                break
        for after in random_times(1, 2, 1.0):
            one.apply(after=after)
        assert one.stored >= 2
        assert one.moved()
