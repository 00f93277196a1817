"""The differences of two catalogs name the keys of the file, with values as the file writes them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.catalog_keys import TABLES
from laurels.engine.differences import DATED, KEYS, UNSAID, differences
from laurels.engine.leaderboards import Board
from laurels.engine.metrics import Metric
from laurels.engine.points import PointRule
from laurels.engine.streaks import Streak
from tests.support import badge, catalog, count

NOUNS: dict[type, tuple[str, set[str]]] = {
    Metric: ("metric", {"name"}),  # the name is that of its table
    Streak: ("streak", {"name"}),
    PointRule: ("point_rule", set()),
    Badge: ("badge", set()),
    Board: (
        "leaderboard",
        {"periods", "scale"},
    ),  # the keys of periods are said for themselves; the metric has the scale
}


@pytest.mark.parametrize("noun", NOUNS)
def test_each_field_that_can_differ_is_said_by_its_key(noun: Any) -> None:
    table, others = NOUNS[noun]
    said = {one.name for one in fields(noun)} - UNSAID - {*DATED.values()} - others
    assert {KEYS.get(name, name) if noun not in (Metric, PointRule) else name for name in said} <= {
        key.name for key in TABLES[table].keys
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    def made(more: dict[str, Any]) -> Catalog:
        return catalog(
            metrics={"m": count("a") | more.get("metric", {})},
            streaks={"s": {"events": ["a"]} | more.get("streak", {})},
            points=[{"id": "p", "events": ["a"], "amount": 10} | more.get("rule", {})],
            badges=[badge("b", 10, metric="m", at_least=5) | more.get("badge", {})],
            leaderboards=[{"id": "l"} | more.get("board", {})],
        )

    return differences(made(before), made(after))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"metric": {"where": {"x": 1}}},
            {"metric": {"where": {"x": True}}},
            "metrics 'm'.where: from { x = 1 } to { x = true }",
        ),
        ({}, {"metric": {"within": "7 days"}}, "metrics 'm'.within: from none to 7 days"),
        ({}, {"streak": {"rest_days": ["sat", "sun"]}}, "streaks 's'.rest_days: from nothing to 'sat', 'sun'"),
        ({}, {"streak": {"day_starts": "04:00"}}, "streaks 's'.day_starts: from '00:00' to '04:00'"),
        (
            {},
            {"rule": {"amount": [{"is": 5}, {"from": date(2026, 6, 1), "is": 10}]}},
            "points 'p'.amount: from 10 to 5, 10 from 2026-06-01",
        ),
        ({}, {"badge": {"condition": "Five"}}, "badges 'b'.condition: from 'What b asks' to 'Five'"),
        ({}, {"badge": {"valid_for": "30 days"}}, "badges 'b'.valid_for: from none to 30 days"),
        ({}, {"board": {"within": "country"}}, "leaderboards 'l'.within: from nothing to 'country'"),
        ({}, {"board": {"period": "week"}}, "leaderboards 'l'.period: from 'all' to 'week'"),
        (
            {"board": {"period": "week"}},
            {"board": {"period": "week", "week_starts": "sun"}},
            "leaderboards 'l'.week_starts: from 'mon' to 'sun'",
        ),
        ({}, {"board": {"order": "lowest"}}, "leaderboards 'l'.order: from 'highest' to 'lowest'"),
        ({}, {"board": {"late_hours": 48}}, "leaderboards 'l'.late_hours: from 24 to 48"),
        ({}, {"board": {"tell_top": 3}}, "leaderboards 'l'.tell_top: from 0 to 3"),
    ],
)
def test_a_difference_is_written_as_the_file_writes_it(
    before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    assert changed(before, after) == [said]
