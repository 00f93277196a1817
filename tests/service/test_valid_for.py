"""A badge that is valid for some days after it was earned, or after the newest event that renews it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError
from tests.support import at, badge, catalog
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

START = at("2026-03-01T12:00")
METRICS = {
    "courses": {"kind": "count", "events": ["course"]},
    "newest": {"kind": "last", "events": ["course"], "one": "course"},
}


def aiders(valid_for: str | None = "30 days", renewed_by: str | None = "newest", **keys: Any) -> Catalog:
    """A badge of 50 points for a course, valid for some days after the newest one."""
    named = {"valid_for": valid_for, "renewed_by": renewed_by}
    validity = {key: value for key, value in named.items() if value is not None}
    return catalog(metrics=METRICS, badges=[{**badge("aider", 50, metric="courses", at_least=1), **validity, **keys}])


async def passed(one: Arena, name: str, ago: int = 0) -> None:
    await one.laurels.record(Event("ada", name, "course", one.clock() - timedelta(days=ago)))


async def shown(one: Arena) -> tuple[bool, bool, date | None]:
    """Whether the badge is among those of the user, whether it is available, and until when it is valid."""
    profile = await one.laurels.profile("ada", include=["earned"])
    (earned,) = profile.earned
    held, available = ([info.id for info in some] for some in (profile.badges, profile.available_badges))
    return "aider" in held, "aider" in available, earned.valid_until


async def sentence(one: Arena) -> str:
    return (await one.laurels.explain("ada", "aider")).sentence.partition(". ")[2]


async def test_a_first_aider_stays_one_by_passing_a_course_again(database: str) -> None:
    async with arena(database, aiders(), START) as one:
        await passed(one, "first")
        assert await shown(one) == (True, False, date(2026, 3, 31))
        assert await sentence(one) == "It is valid until 2026-03-31."
        one.clock.advance(days=30)
        assert (await shown(one))[:2] == (True, False)

        one.clock.advance(days=1)  # and nothing is recorded: it ends by itself
        assert await shown(one) == (False, True, date(2026, 3, 31))
        assert await sentence(one) == "It was valid until 2026-03-31; 1 more course renews it."
        assert (await one.laurels.profile("ada")).points == 50
        assert (await one.laurels.overview("ada")).profile.badges == []

        await passed(one, "second")
        assert await shown(one) == (True, False, date(2026, 5, 1))
        assert (await one.laurels.profile("ada")).points == 50


async def test_a_late_course_and_a_reversal_move_the_end_exactly(database: str) -> None:
    async with arena(database, aiders(), START) as one:
        await passed(one, "first")
        one.clock.advance(days=40)
        await passed(one, "late", ago=20)
        assert await shown(one) == (True, False, date(2026, 4, 20))
        await passed(one, "later still", ago=25)
        assert await shown(one) == (True, False, date(2026, 4, 20))
        await one.admin.reverse("ada", "late", "not passed", "a test")
        assert await shown(one) == (True, False, date(2026, 4, 15))
        await one.admin.reverse("ada", "later still", "not passed", "a test")
        assert await shown(one) == (False, True, date(2026, 3, 31))
        await one.admin.undo("ada", "reversal:late")
        assert await shown(one) == (True, False, date(2026, 4, 20))


async def test_its_last_day_is_that_of_the_users_calendar(database: str) -> None:
    async with arena(database, aiders("1 day"), START) as one:
        await passed(one, "first")
        await one.laurels.update_user("ada", time_zone="Pacific/Auckland")  # there it is 2 March already
        assert await shown(one) == (True, False, date(2026, 3, 3))
        one.clock.advance(hours=46)  # 23:00 on 3 March
        assert (await shown(one))[0]
        one.clock.advance(hours=1)
        assert not (await shown(one))[0]


async def test_without_a_renewal_it_ends_once_and_a_granted_one_counts_from_its_grant(database: str) -> None:
    async with arena(database, aiders("30 days", None), START) as one:
        await one.laurels.update_user("ada")
        await one.adjust("ada", "grant", badge="aider")
        assert await shown(one) == (True, False, date(2026, 3, 31))
        one.clock.advance(days=31)
        await passed(one, "first")
        assert (await shown(one))[0] is False
        assert await sentence(one) == "It was valid until 2026-03-31."


async def test_a_catalog_can_begin_and_stop_to_limit_a_badge_that_users_have(database: str) -> None:
    async with arena(database, aiders(None, None), START) as one:
        await passed(one, "first")
        one.clock.advance(days=31)
        assert await shown(one) == (True, False, None)
        plan = await one.admin.plan_catalog(aiders())
        assert (plan.basis, plan.differences) == (
            "nothing",
            ["badges 'aider'.valid_for: from none to 30 days", "badges 'aider'.renewed_by: from nothing to 'newest'"],
        )
        await one.apply(aiders())
        assert await shown(one) == (False, True, date(2026, 3, 31))
        await one.apply(aiders("60 days"))
        assert (await shown(one))[0]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (
            {"valid_for": "3 months"},
            "valid_for: must be a number of days, not '3 months'; write valid_for = \"90 days\"",
        ),
        ({"valid_for": "0 days"}, "valid_for: must be a number of days"),
        ({"valid_for": "99999 days"}, "valid_for: must be a number of days"),
        ({"valid_for": 90}, "valid_for: must be a text"),
        ({"valid_for": None, "renewed_by": "newest"}, "renewed_by: renews a badge that stays valid; add valid_for"),
        ({"renewed_by": "newst"}, "unknown metric 'newst'; did you mean 'newest'?"),
        ({"renewed_by": "courses"}, "has the kind 'count', which does not know when its newest event occurred"),
    ],
)
async def test_what_cannot_end_or_renew_is_refused_with_the_reason(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(CatalogError) as error:
        aiders(**keys)
    assert why in str(error.value)
