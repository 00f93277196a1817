"""What a plan warns of in a catalog, and the words in which it says how one differs from another."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.warnings import MOST_CHECKS, checks_per_event, warnings
from tests.support import at, badge, catalog, count

RULES: dict[str, Any] = {
    "metrics": {"m": count("m", one="message", many="messages")},
    "streaks": {"run": {"events": ["m"]}},
    "badges": [badge("three", 50, metric="m", at_least=3)],
}
BASE = catalog(**RULES)


def other(**tables: Any) -> Catalog:
    return catalog(**{**RULES, **tables})


def with_badge(name: str, **when: Any) -> Catalog:
    return other(badges=[*RULES["badges"], badge(name, 5, **when)])


def test_a_catalog_of_which_nothing_stands_out_has_no_warning() -> None:
    assert warnings(BASE, Catalog.default()) == []
    assert warnings(Catalog.default(), BASE) == []


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("rich", {"points_of": 56}),
        ("both", {"all_of": [{"metric": "m", "at_least": 1}, {"points_of": 1000}]}),
        ("neither", {"any_of": [{"points_of": 100}, {"points_of": 200}]}),
    ],
)
def test_a_badge_that_no_one_can_earn_is_warned_of_once(name: str, when: dict[str, Any]) -> None:
    following = with_badge(name, **when)

    assert warnings(BASE, following) == [
        f"badges '{name}': no one can earn it, because its condition cannot be met any more"
    ]
    assert warnings(following, following) == []


def test_badges_for_a_retired_streak_or_badge_can_be_earned_by_no_one() -> None:
    retired = other(
        streaks={"run": {"events": ["m"], "retired": True}},
        badges=[
            {**RULES["badges"][0], "retired": True},
            badge("week", streak="run", streak_of=7),
            badge("after", has_badge="three"),
        ],
    )

    assert [warning.partition(":")[0] for warning in warnings(BASE, retired)] == ["badges 'week'", "badges 'after'"]


@pytest.mark.parametrize("when", [{"points_of": 50}, {"any_of": [{"points_of": 999}, {"has_badge": "three"}]}])
def test_a_badge_within_reach_is_not_warned_of(when: dict[str, Any]) -> None:
    assert warnings(BASE, with_badge("near", **when)) == []


def test_a_new_rule_without_a_cap_is_warned_of_and_one_that_was_there_is_not() -> None:
    paying = other(points=[{"id": "pay", "events": ["m"], "amount": 1}])
    more = other(points=[{"id": "pay", "events": ["m"], "amount": 2}])
    capped = other(points=[{"id": "pay", "events": ["m"], "amount": 2, "cap_per_day": 10}])

    for before, after in ((BASE, paying), (paying, more), (capped, more)):
        (warning,) = warnings(before, after)
        assert warning.startswith("points 'pay': pays for every 'm' without an end")
    assert warnings(paying, paying) == []
    assert warnings(more, capped) == []


def test_an_event_that_several_rules_pay_is_warned_of() -> None:
    rules = [{"id": name, "events": ["m"], "amount": 1, "cap_per_day": 5} for name in ("one", "two")]

    assert warnings(BASE, other(points=rules)) == ["the event 'm' is paid by 2 rules at once: 'one', 'two'"]


@pytest.mark.parametrize(
    "text",
    [
        "Come back or lose your streak",
        "Don't break the chain",
        "Last chance!",
        "Verliere nichts und verpasst nichts",
        "Your points expire soon",
    ],
)
def test_words_of_loss_in_a_new_text_are_warned_of(text: str) -> None:
    following = other(badges=[{**RULES["badges"][0], "description": text}])

    (warning,) = warnings(BASE, following)
    assert warning.startswith("badges 'three'.description: '")
    assert warning.endswith("speaks of a loss; say what users gain instead")
    assert warnings(following, following) == []


@pytest.mark.parametrize("text", ["Close to the top", "Blossom", "A glossy finish", "Explore"])
def test_words_that_only_contain_one_are_not_warned_of(text: str) -> None:
    assert warnings(BASE, other(badges=[{**RULES["badges"][0], "description": text}])) == []


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [
        ({}, {"valid_for": "30 days"}, True),
        ({"valid_for": "60 days"}, {"valid_for": "30 days"}, True),
        ({"valid_for": "30 days"}, {"valid_for": "60 days"}, False),
        ({"valid_for": "30 days"}, {}, False),
    ],
)
def test_a_badge_that_ends_sooner_for_its_holders_is_warned_of(
    before: dict[str, Any], after: dict[str, Any], *, warned: bool
) -> None:
    made = [
        catalog(metrics={"m": count("a")}, badges=[badge("b", 1, metric="m", at_least=1) | more])
        for more in (before, after)
    ]
    found = [one for one in warnings(*made) if "in the last 30 days" in one]
    assert len(found) == warned


def test_an_event_that_looks_at_too_many_rules_is_warned_of() -> None:
    many = [badge(f"b{number}", 1, metric="m", at_least=number + 1) for number in range(MOST_CHECKS)]
    following = other(badges=[*RULES["badges"], *many])

    assert checks_per_event(BASE)["m"] == 3  # the metric, the streak and the badge
    assert checks_per_event(following)["m"] == MOST_CHECKS + 3
    (warning,) = warnings(BASE, following)
    assert warning.startswith("the event 'm' looks at 253 rules (before: 3), more than 250")
    assert warnings(following, following) == []


# ---- differences ------------------------------------------------------------------------------


def test_every_kind_of_difference_is_said_in_words() -> None:
    following = catalog(
        name="a club",
        metrics={
            "m": count("m", "n", one="message", many="messages"),
            "k": {"kind": "max", "events": ["m"], "of": "km"},
        },
        streaks={"practice": {"events": ["m"], "was": "run", "cadence": "weekly"}},
        points=[{"id": "pay", "events": ["m"], "amount": 1500, "per": "quantity"}],
        levels=[{"title": "Start", "points": 0}, {"title": "Two", "points": 200}, {"title": "Three", "points": 1000}],
        badges=[
            badge("third", 60, any_of=[{"metric": "m", "at_least": 1000}, {"streak": "practice", "streak_of": 2}])
            | {"was": "three"},
            badge("old", 5, joined_before=at("2026-01-01")),
        ],
        leaderboards=[{"id": "week", "period": "week"}],
    )

    assert differences(BASE, following) == [
        "catalog.name: from 'unnamed' to 'a club'",
        "metrics 'm'.events: from 'm' to 'm', 'n'",
        "metrics 'k' is new",
        "streaks 'run' is renamed to 'practice'",
        "streaks 'practice'.name: from 'run' to 'practice'",
        "streaks 'practice'.cadence: from 'daily' to 'weekly'",
        "streaks 'practice'.title: from 'Run' to 'Practice'",
        "points 'pay' is new: 1,500 points per quantity for 'm'",
        "levels '1'.title: from 'One' to 'Start'",
        "levels '2'.points: from 100 to 200",
        "levels '3' is new: from 1,000 points",
        "badges 'three' is renamed to 'third'",
        "badges 'third'.name: from 'Three' to 'Third'",
        "badges 'third'.description: from 'The badge three' to 'The badge third'",
        "badges 'third'.points: from 50 to 60",
        "badges 'third'.condition: from 'What three asks' to 'What third asks'",
        "badges 'third'.when: from '3 messages' to 'any of (1,000 messages, 2 weeks in a row)'",
        "badges 'old' is new: 5 points for joined before 2026-01-01 00:00 UTC",
        "leaderboards 'week' is new",
    ]


def test_what_is_gone_is_said_and_a_catalog_that_differs_in_comments_only_does_not_differ() -> None:
    assert differences(BASE, catalog()) == ["metrics 'm' is gone", "streaks 'run' is gone", "badges 'three' is gone"]
    assert differences(BASE, Catalog.parse(BASE.text + "\n# more\n")) == []


def test_two_metrics_with_the_same_words_are_two_conditions() -> None:
    metrics = {"m": count("m", many="things"), "n": count("n", many="things")}
    before, after = (other(metrics=metrics, badges=[badge("b", metric=name, at_least=2)]) for name in ("m", "n"))

    assert differences(before, after) == [
        "badges 'b'.when: from 'AtLeast(metric='m', target=2)' to 'AtLeast(metric='n', target=2)'"
    ]
