from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.progress import NO_SCORES, Progress, Scores
from laurels.engine.ranking import Place
from laurels.engine.scoring import Earned, counted, is_closed, open_periods, places, recounted, still_open
from laurels.storage.codec import to_micros
from tests.support import at, catalog, count, dated, fold

NOW = at("2026-01-12T12:00")
SOURCES = {
    "points": {},
    "counted": {"by": "metric", "of": "counted"},
    "summed": {"by": "metric", "of": "summed"},
    "largest": {"by": "metric", "of": "largest"},
    "errors": {"by": "metric", "of": "errors", "order": "lowest"},
    "smallest": {"by": "metric", "of": "smallest", "order": "lowest"},
    "latest": {"by": "metric", "of": "latest"},
    "days": {"by": "metric", "of": "days"},
    "run": {"by": "streak", "of": "login"},
}
RULES = catalog(
    metrics={
        "counted": count("a", where={"plan": "pro"}),
        "summed": {"kind": "sum", "events": ["a", "b"]},
        "largest": {"kind": "max", "events": ["b"]},
        "days": {"kind": "distinct_days", "events": ["a"]},
        "errors": {"kind": "sum", "events": ["a"], "of": "n"},
        "smallest": {"kind": "min", "events": ["a", "b"], "of": "n"},
        "latest": {"kind": "last", "events": ["a", "b"], "of": "n"},
    },
    leaderboards=[
        {"id": f"{name}-{period}", "period": period, **source, "late_hours": 48}
        for name, source in SOURCES.items()
        for period in ("all", "year", "month", "week", "day")
    ],
)

MOMENTS = st.integers(0, 24 * 16).map(lambda hours: NOW - timedelta(hours=hours))
EVENTS = st.lists(
    st.builds(
        lambda kind, instant, many, plan, number, name: Event(
            "ada", name, kind, instant, many, {"plan": plan, "n": number}, instant.toordinal()
        ),
        st.sampled_from(["a", "b", "login"]),
        MOMENTS,
        st.integers(1, 3),
        st.sampled_from(["pro", "free"]),
        st.sampled_from([0, 0, 1, 3, -1, "0", 2.0]),
        st.uuids().map(str),
    ),
    max_size=12,
    unique_by=lambda event: event.id,
)
PAYMENTS = st.lists(st.builds(Earned, st.integers(1, 30), MOMENTS), max_size=8)


def grown(events: Iterable[Event], earned: Iterable[Earned]) -> Scores:
    scores = reduce(lambda so_far, event: counted(RULES, so_far, event, (), NOW), events, NO_SCORES)
    return reduce(lambda so_far, one: counted(RULES, so_far, None, [one], NOW), earned, scores)


@given(EVENTS, PAYMENTS, st.data())
def test_scores_do_not_depend_on_the_order_of_events(
    events: list[Event], earned: list[Earned], data: st.DataObject
) -> None:
    other = grown(data.draw(st.permutations(events)), data.draw(st.permutations(earned)))
    assert other == grown(events, earned) == recounted(RULES, events, earned, NOW)


@given(EVENTS, PAYMENTS, st.lists(st.integers(0, 7), max_size=4))
def test_a_payment_that_was_taken_back_leaves_no_trace(
    events: list[Event], earned: list[Earned], back: list[int]
) -> None:
    gone = [earned[index] for index in {*back} if index < len(earned)]
    kept = [one for index, one in enumerate(earned) if index not in back]
    taken = [Earned(-one.amount, one.at) for one in gone]
    assert recounted(RULES, events, [*earned, *taken], NOW) == recounted(RULES, events, kept, NOW)


@given(EVENTS, PAYMENTS)
def test_scores_are_stored_for_open_periods_only(events: list[Event], earned: list[Earned]) -> None:
    scores = grown(events, earned)
    assert still_open(RULES, scores, NOW) == scores
    assert not any(is_closed(RULES, name, key, NOW) for name, of_board in scores.items() for key in of_board)
    much_later = NOW + timedelta(days=3)
    left = still_open(RULES, scores, much_later)
    assert not any(name.endswith("-day") for name in left)
    assert {name for name in scores if name.endswith("-year")} <= left.keys()


def test_a_score_stops_at_the_largest_number() -> None:
    scores = grown([], [Earned(MAX_NUMBER, NOW), Earned(5, NOW - timedelta(hours=1))])
    assert scores["points-year"] == {"2026": (MAX_NUMBER, to_micros(NOW))}


def test_a_maximum_is_reached_by_the_first_event_with_it() -> None:
    events = [dated("b", on, quantity=many) for on, many in [(0, 2), (1, 5), (2, 5), (3, 1)]]
    scores = reduce(lambda so_far, event: counted(RULES, so_far, event, (), NOW), events[::-1], NO_SCORES)
    assert scores["largest-month"] == {"2026-01": (5, to_micros(at("2026-01-06T12:00")))}


def test_a_minimum_is_reached_by_the_first_event_with_it() -> None:
    events = [dated("b", on, data={"n": number}) for on, number in [(0, 2), (1, 0), (2, 0.0), (3, 1), (4, -7)]]
    scores = reduce(lambda so_far, event: counted(RULES, so_far, event, (), NOW), events[::-1], NO_SCORES)
    assert scores["smallest-month"] == {"2026-01": (0, to_micros(at("2026-01-06T12:00")))}


def test_the_last_number_is_that_of_the_latest_event_and_the_larger_of_two_at_one_instant() -> None:
    events = [
        dated("b", on, name=f"{n}", data={"n": number}) for n, (on, number) in enumerate([(0, 9), (2, 3), (2, 5)])
    ]
    for order in (events, events[::-1]):
        scores = reduce(lambda so_far, event: counted(RULES, so_far, event, (), NOW), order, NO_SCORES)
        assert scores["latest-month"] == {"2026-01": (5, to_micros(at("2026-01-07T12:00")))}
        assert fold(RULES, order).totals["latest"] == 5
    late = fold(RULES, [*events, dated("b", 1, data={"n": 100})])
    assert late.totals["latest"] == 5


def test_a_user_with_a_score_of_0_by_a_metric_is_ranked() -> None:
    events = [dated("a", on, data={"n": number}) for on, number in [(0, 0), (1, 0), (2, "x")]]
    found = places(RULES, "ada", counted_over(events), (), None, NOW)
    assert found["errors-all", "all"] == Place(0, to_micros(at("2026-01-05T12:00")), "ada")
    assert found["smallest-all", "all"].sort_key == 0
    assert not {board for board, _ in found} & {"largest-all", "latest-all"}  # where more is better, 0 is no score
    unread = places(RULES, "ada", counted_over(events[2:]), (), None, NOW)
    assert not {board for board, _ in unread} & {"errors-all", "smallest-all", "latest-all"}


def counted_over(events: Iterable[Event]) -> Progress:
    events = list(events)
    return replace(fold(RULES, events), scores=recounted(RULES, events, (), NOW))


def test_a_run_is_counted_within_its_month_and_over_all_time() -> None:
    events = [dated("login", on) for on in (-9, -8, -7, -6, -5, -4, 2, 3)]  # from 27 December to 1 January, and later
    progress = fold(RULES, events)
    found = places(RULES, "ada", progress, (), None, NOW)
    assert found["run-all", "all"] == Place(-6, to_micros(at("2026-01-01")), "ada")
    assert found["run-month", "2026-01"] == Place(-2, to_micros(at("2026-01-08")), "ada")
    assert found["run-year", "2026"] == Place(-2, to_micros(at("2026-01-08")), "ada")
    assert ("run-month", "2025-12") not in found  # it has closed


def test_distinct_days_are_those_of_the_users_calendar_within_a_period() -> None:
    progress = fold(RULES, [dated("a", on, name=f"{on}-{n}") for on in (-6, -5, 0, 0, 2, 7) for n in range(2)])
    found = places(RULES, "ada", progress, (), None, NOW)
    assert found["days-all", "all"].sort_key == -5
    assert found["days-month", "2026-01"].sort_key == -3
    assert found["days-week", "2026-W03"] == Place(-1, to_micros(at("2026-01-12")), "ada")
    assert found["days-week", "2026-W02"].sort_key == -2  # open for two days more


def test_points_of_0_or_less_are_not_ranked() -> None:
    empty = Progress()
    assert places(RULES, "ada", empty, (), None, NOW) == {}
    below = replace(empty, points=-5, reached_at=NOW, scores={"points-year": {"2026": (-5, 0)}})
    assert places(RULES, "ada", below, (), None, NOW) == {}


def test_open_periods_have_begun_somewhere_and_have_not_closed() -> None:
    board = RULES.boards["days-day"]
    late = [period.key for period in open_periods(board, at("2026-01-12T23:00"))]
    assert late == ["2026-01-14", "2026-01-13", "2026-01-12", "2026-01-11", "2026-01-10"]
    assert [period.key for period in open_periods(RULES.boards["run-all"], NOW)] == ["all"]


def test_a_leaderboard_that_is_not_in_the_catalog_is_not_closed() -> None:
    assert not is_closed(RULES, "unknown", "2020", NOW)
    assert not is_closed(RULES, "points-year", "no-key", NOW)
    assert is_closed(RULES, "points-year", "2020", NOW)
    assert still_open(RULES, {"unknown": {"2026": (1, 1)}}, NOW) == {}
