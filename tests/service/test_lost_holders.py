"""`holders = "lose"`: users lose a badge, with its points, when its condition does not hold any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError
from laurels.service import group_commit
from tests.support import at, badge, catalog
from tests.support.arena import START, WEEK, Arena, arena

pytestmark = pytest.mark.anyio

METRICS = {"m": {"kind": "count", "events": ["m"]}}
WEEKLY = [{"id": "weekly", "period": "week"}]


def asking(at_least: int, *more: dict[str, Any], **keys: Any) -> Catalog:
    """A badge of 50 points for a number of events."""
    badges = [{**badge("many", 50, metric="m", at_least=at_least), **keys}, *more]
    return catalog(metrics=METRICS, badges=badges, leaderboards=WEEKLY)


async def held(one: Arena, name: str = "ada") -> tuple[list[str], int]:
    """The badges that a user has, and the points."""
    profile = await one.laurels.profile(name)
    return sorted(row.badge for row in await one.laurels.store.awards(name)), profile.points


async def record(one: Arena, events: int, name: str = "ada", first: int = 0) -> None:
    for which in range(first, first + events):
        await one.laurels.record(Event(name, f"m-{which}", "m"))


async def test_holders_keep_a_badge_unless_the_catalog_says_that_they_lose_it(database: str) -> None:
    async with arena(database, asking(2)) as one:
        await record(one, 3)
        await one.apply(asking(5))
        assert await held(one) == (["many"], 50)
        await one.apply(asking(5, holders="lose"))
        assert await held(one) == ([], 0)
        assert await one.lines() == []
        assert [kind for _, kind in await one.notifications("badge.revoked")] == ['{"badge":"many"}']


async def test_who_loses_a_badge_can_earn_it_again_and_who_qualifies_keeps_it(database: str) -> None:
    async with arena(database, asking(2)) as one:
        await record(one, 3)
        await record(one, 5, "bob")
        await one.apply(asking(5, holders="lose"))
        assert [await held(one, name) for name in ("ada", "bob")] == [([], 0), (["many"], 50)]
        one.clock.advance(hours=1)
        await record(one, 2, first=3)
        assert await held(one) == (["many"], 50)
        assert await one.lines() == [(1, "bob", 50), (2, "ada", 50)]


async def test_a_granted_badge_stays_and_a_badge_of_a_lost_one_goes_with_it(database: str) -> None:
    after = badge("after", 7, has_badge="many")
    async with arena(database, asking(2, after)) as one:
        await record(one, 2)
        await record(one, 1, "bob")
        await one.adjust("bob", "grant", badge="many")
        await one.apply(asking(5, {**after, "holders": "lose"}, holders="lose"))
        assert [await held(one, name) for name in ("ada", "bob")] == [([], 0), (["after", "many"], 57)]


async def test_badges_do_not_justify_each_other_by_their_points(database: str) -> None:
    rich = badge("rich", 30, points_of=50)
    async with arena(database, asking(2, rich)) as one:
        await record(one, 2)
        assert await held(one) == (["many", "rich"], 80)
        await one.apply(asking(5, {**rich, "holders": "lose"}, holders="lose"))
        assert await held(one) == ([], 0)


async def test_a_badge_whose_condition_a_new_one_lets_hold_again_is_not_lost(database: str) -> None:
    rich = {**badge("rich", 30, points_of=50), "holders": "lose"}
    async with arena(database, asking(2, rich)) as one:
        await record(one, 2)
        await one.apply(asking(5, rich, badge("new", 60, metric="m", at_least=1), holders="lose"))
        assert await held(one) == (["new", "rich"], 90)


async def test_a_plan_says_who_loses_a_badge_and_what_that_takes(database: str) -> None:
    async with arena(database, asking(2)) as one:
        await record(one, 3)
        await record(one, 5, "bob")
        lose, keep = await one.admin.plan_catalog(asking(5, holders="lose")), await one.admin.plan_catalog(asking(5))

    assert [(one.badge, one.lost, one.unqualified) for one in lose.badges] == [("many", 1, 0)]
    assert (lose.basis, lose.points.taken, lose.points.after) == ("progress", 50, 50)
    assert "badges 'many'.holders: from 'keep' to 'lose'" in lose.differences
    assert lose.warnings == ["badges 'many': 1 user loses it, with its points"]
    assert [(one.badge, one.lost, one.unqualified) for one in keep.badges] == [("many", 0, 1)]


async def test_a_reversal_and_its_undo_do_what_they_do_to_any_badge(database: str) -> None:
    async with arena(database, asking(2, holders="lose")) as one:
        await record(one, 2)
        await one.admin.reverse("ada", "m-1", "because", "a test")
        assert await held(one) == ([], 0)
        await one.admin.undo("ada", "reversal:m-1")
        assert await held(one) == (["many"], 50)


def test_another_policy_is_refused_and_catalogs_without_one_keep_their_fingerprint() -> None:
    with pytest.raises(CatalogError, match=r"holders.*'looses'"):
        asking(2, holders="looses")
    assert asking(2).rules == asking(2, holders="keep").rules != asking(2, holders="lose").rules


# ---- in the periods of leaderboards -----------------------------------------------------------

BOTH_LENGTHS = pytest.mark.parametrize("long", [False, True])


def losing(condition: dict[str, Any]) -> Catalog:
    """A badge of 50 points that is lost with its condition, and a point for each event."""
    return catalog(
        metrics=METRICS,
        points=[{"id": "each", "events": ["m"], "amount": 1}],
        streaks={"days": {"events": ["m"]}},
        badges=[{**badge("frail", 50, **condition), "holders": "lose"}],
        leaderboards=WEEKLY,
    )


async def join_later(one: Arena) -> None:
    await one.laurels.update_user("ada", joined_at=START)


async def leave_the_group(one: Arena) -> None:
    await one.laurels.update_user("ada", groups=[])


async def lift(one: Arena) -> None:
    await one.admin.lift_amnesty("holiday")
    await one.laurels.profile("ada")


EARLY = {"joined_before": at("2026-01-02")}
RUN = {"streak": "days", "streak_of": 2}


@BOTH_LENGTHS
@pytest.mark.parametrize(
    ("condition", "lose"),
    [(EARLY, join_later), (RUN, leave_the_group), (RUN, lift)],
    ids=["joined", "groups", "lifted"],
)
async def test_a_lost_badge_takes_its_points_from_the_week_in_which_it_was_paid(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    long: bool,
    condition: dict[str, Any],
    lose: Callable[[Arena], Awaitable[None]],
) -> None:
    if long:
        monkeypatch.setattr(group_commit, "LONG", 2)
    async with arena(database, losing(condition)) as one:
        await one.laurels.update_user("ada", joined_at=at("2026-01-01"), groups=["team"])
        await one.admin.add_amnesty(date(2026, 1, 8), date(2026, 1, 8), "because", "a test", "team", "holiday")
        await record(one, 1)
        one.clock.set(at("2026-01-09T12:00"))
        await record(one, 1, first=1)
        assert await one.lines() == [(1, "ada", 52)]
        one.clock.set(at("2026-01-12T12:00"))
        await lose(one)
        assert await held(one) == ([], 2)
        assert await one.lines(period=WEEK) == [(1, "ada", 2)]
        assert await one.lines() == []
