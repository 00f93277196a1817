from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import LASTING_ENGINES, postgres
from tests.torture import totals


@pytest.mark.slow
@pytest.mark.parametrize("engine", LASTING_ENGINES)
@pytest.mark.parametrize("size", totals.SMALL)
def test_eight_processes_at_once_make_exact_totals_and_each_badge_once(
    engine: str, database: str, size: str, tmp_path: Path
) -> None:
    totals.check(database, *totals.SMALL[size])
    if engine == "postgresql":
        found = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert postgres.rows(database, found) == [(0,)]
