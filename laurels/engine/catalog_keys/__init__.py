"""The catalog's language: one declaration of each key, by table. It is data.

The schema for editors, the reference, and the fixes of misspelled keys are made from it. The readers of the tables
(`read_metric` and so on) decide what a catalog means and check more than a declaration can say;
tests/engine/test_catalog_keys.py compares both. A key that a reader asks for is declared here in the file of its table.
"""

from __future__ import annotations

from collections.abc import Mapping

from laurels.engine.catalog_keys.badges import AVAILABLE, BADGE, CATEGORY, LOCKED
from laurels.engine.catalog_keys.boosts import BOOST
from laurels.engine.catalog_keys.conditions import CONDITIONS
from laurels.engine.catalog_keys.file import CATALOG, OWN_HISTORY, PROFILE
from laurels.engine.catalog_keys.key_types import CONDITION, KeyTable
from laurels.engine.catalog_keys.leaderboards import LEADERBOARD, SEASON
from laurels.engine.catalog_keys.metrics import METRIC
from laurels.engine.catalog_keys.points import LEVEL, LEVEL_FORMULA, POINT_KIND, POINT_RULE
from laurels.engine.catalog_keys.shared import DATED_VALUE, WHERE_TEST
from laurels.engine.catalog_keys.streaks import FREEZES, STREAK

__all__ = ["CATALOG", "CONDITION", "CONDITIONS", "TABLES"]

TABLES: Mapping[str, KeyTable] = {
    table.name: table
    for table in (
        CATALOG,
        PROFILE,
        OWN_HISTORY,
        METRIC,
        STREAK,
        FREEZES,
        WHERE_TEST,
        POINT_KIND,
        POINT_RULE,
        BOOST,
        LEVEL,
        LEVEL_FORMULA,
        CATEGORY,
        BADGE,
        LOCKED,
        AVAILABLE,
        LEADERBOARD,
        SEASON,
        DATED_VALUE,
    )
}
"""The declaration of each table by its name, but for conditions. `CATALOG` is the file itself."""
