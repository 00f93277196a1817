from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.conditions import nearness
from laurels.engine.days import Fold
from laurels.engine.progress import Progress
from tests.support import at, badge, catalog, count

METRICS = {
    "messages": count("message.sent", one="message", many="messages"),
    "agents": count("agent.created", one="agent", many="agents"),
}


def steps(when: dict[str, Any], progress: Progress, **streaks: int) -> list[tuple[int, int, str]]:
    """What is still to do for a badge with this condition."""
    made = catalog(metrics=METRICS, badges=[badge("veteran", metric="agents", at_least=9), badge("b", **when)])
    condition = made.badges[1].condition
    return [(step.current, step.target, step.missing) for step in condition.steps(progress, streaks)]


MESSAGES = {"metric": "messages", "at_least": 100}
AGENTS = {"metric": "agents", "at_least": 2}
BEFORE_2026 = {"joined_before": at("2026-01-01")}


@pytest.mark.parametrize(
    ("when", "progress", "expected"),
    [
        (MESSAGES, Progress(totals={"messages": 73}), [(73, 100, "27 more messages")]),
        (MESSAGES, Progress(totals={"messages": 99}), [(99, 100, "1 more message")]),
        (MESSAGES, Progress(totals={"messages": 100}), []),
        ({"metric": "messages", "at_least": 20_000}, Progress(), [(0, 20_000, "20,000 more messages")]),
        (
            {"streak": "login", "streak_of": 7},
            Progress(folds={"login": Fold(longest=6)}),
            [(4, 7, "3 more days in a row")],
        ),
        (
            {"streak": "login", "streak_of": 5},
            Progress(folds={"login": Fold(longest=4)}),
            [(4, 5, "1 more day in a row")],
        ),
        ({"streak": "login", "streak_of": 5}, Progress(folds={"login": Fold(longest=5)}), []),
        ({"has_badge": "veteran"}, Progress(), [(0, 1, "the badge Veteran")]),
        ({"has_badge": "veteran"}, Progress(badges={"veteran": 10}), []),
        ({"points_of": 50}, Progress(points=20), [(20, 50, "30 more points")]),
        ({"points_of": 50}, Progress(points=50), []),
        (BEFORE_2026, Progress(), []),
        ({"all_of": [MESSAGES, AGENTS]}, Progress(totals={"messages": 100}), [(0, 2, "2 more agents")]),
        ({"all_of": [MESSAGES, BEFORE_2026]}, Progress(), []),  # nothing one could still do
        (
            {"any_of": [MESSAGES, AGENTS]},
            Progress(totals={"messages": 60, "agents": 1}),
            [(60, 100, "40 more messages")],
        ),
        ({"any_of": [MESSAGES, AGENTS]}, Progress(totals={"agents": 2}), []),
        ({"any_of": [BEFORE_2026, AGENTS]}, Progress(), [(0, 2, "2 more agents")]),
        ({"any_of": [BEFORE_2026]}, Progress(), []),
    ],
)
def test_the_steps_say_what_is_missing(
    when: dict[str, Any], progress: Progress, expected: list[tuple[int, int, str]]
) -> None:
    assert steps(when, progress, login=4) == expected


def test_every_missing_part_is_named() -> None:
    both = steps({"all_of": [MESSAGES, AGENTS]}, Progress(totals={"messages": 73}))
    assert [missing for _, _, missing in both] == ["27 more messages", "2 more agents"]


def test_nearness_is_the_mean_share() -> None:
    made = catalog(metrics=METRICS, badges=[badge("b", all_of=[MESSAGES, AGENTS])])
    assert nearness(made.badges[0].condition.steps(Progress(totals={"messages": 50, "agents": 1}), {})) == 0.5


def test_joined_before_needs_a_known_and_earlier_time() -> None:
    condition = catalog(badges=[badge("b", **BEFORE_2026)]).badges[0].condition
    assert not condition.met(Progress())
    assert condition.met(Progress(joined_at=at("2025-12-31T23:59:59")))
    assert not condition.met(Progress(joined_at=at("2026-01-01")))


def test_a_badge_lists_the_streaks_in_its_condition() -> None:
    deep = {"any_of": [AGENTS, {"all_of": [MESSAGES, {"streak": "login", "streak_of": 2}]}]}
    made = catalog(metrics=METRICS, badges=[badge("deep", **deep), badge("flat", **AGENTS)])
    assert [one.streaks for one in made.badges] == [{"login"}, set()]
