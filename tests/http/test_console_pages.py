"""What an operator looks at beyond one user: the overview with its charts, the audit, the catalog, health."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from laurels import Event
from laurels.console.audit import ACTS_PAGE
from laurels.console.catalog import rest_of
from laurels.console.overview import sources
from laurels.present.reports import CommunityReport, DailyPoints
from laurels.service.admin import Admin
from laurels.settings import RuleSettings, ServerSettings, Settings
from laurels.storage.contract import MaintenanceRun
from tests.http.app import App, event, open_app
from tests.http.operator import Operator, operator_over
from tests.support import catalog

pytestmark = pytest.mark.anyio

DAY = date(2026, 1, 5)


async def surveyed(home: App, work: Operator) -> str:
    """The overview once its charts are made."""
    for _ in range(100):
        page = await work.page("/console")
        if "being made" not in page.text:
            return page.text
        await asyncio.sleep(0.02)
    raise AssertionError("the charts never came")


async def test_the_overview_draws_what_happened_and_says_it_in_numbers(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"), event("bob", "agent.created"), event("cyd"))
    for user_id in ("ada", "bob"):
        await home.laurels.profile(user_id, login=True)

    text = await surveyed(home, work)

    assert "of all 3 users" in text
    assert "active on each day, as their own time zone has it" in text
    assert "Times are UTC, unless a zone stands beside them." in text
    assert "5 Jan: users 2" in text  # cyd sent a message, which is no activity of a day
    assert "5 Jan: awards 2" in text
    assert "5 Jan: badge: Agent Creator 100" in text
    assert "2 Beginner" in text
    assert re.search(r"Which badge comes first .* Agent Creator: 2", text)
    assert "5 Jan 2 100" in text  # the cohort of this week


async def test_an_empty_community_has_an_overview(home: App, work: Operator) -> None:
    assert "There is nobody yet" in await surveyed(home, work)


async def test_sources_that_pay_most_stand_alone_and_the_others_together() -> None:
    paid = [(f"rule-{number}", number) for number in range(1, 9)]
    rows = [DailyPoints(day=DAY, reason="rule", ref=ref, points=points) for ref, points in paid]
    rows += [DailyPoints(day=DAY, reason="reversal", ref="rule-8", points=-500)]
    rows += [DailyPoints(day=DAY - timedelta(days=1), reason="badge", ref="b", points=100)]

    series = sources(survey_of(rows), [DAY - timedelta(days=1), DAY], {"b": "Best"})

    assert [(one.name, list(one.values)) for one in series] == [
        ("badge: Best", [100, 0]),
        ("rule: rule-8", [0, 8]),
        ("rule: rule-7", [0, 7]),
        ("rule: rule-6", [0, 6]),
        ("rule: rule-5", [0, 5]),
        ("others", [0, 4 + 3 + 2 + 1]),
    ]


def survey_of(points: list[DailyPoints]) -> CommunityReport:
    made = datetime(2026, 1, 5, tzinfo=UTC)
    empty: dict[str, list[object]] = {
        name: [] for name in ("active", "awards", "levels", "streaks", "retention", "badges")
    }
    return CommunityReport(computed_at=made, users=1, sampled=1, points=points, **empty)  # type: ignore[arg-type]


# ---- the audit --------------------------------------------------------------------------------


async def test_the_audit_names_who_did_what_and_why_newest_first(home: App, work: Operator) -> None:
    await home.record(event("ada"), event("bob"))
    admin = Admin(home.laurels)
    await admin.adjust("ada", "a", "grant", {"badge": "early_adopter"}, "a prize", "bea")
    home.clock.advance(seconds=60)
    await admin.reverse("bob", "message.sent", "a bot", "cem")
    await admin.undo("ada", "a", "the wrong user", "dan")

    text = (await work.page("/console/audit")).text

    assert text.index("a bot") < text.index("a prize")
    for said in ("bea", "cem", "Undo 2026-01-05 12:01 : the wrong user dan", "badge early_adopter"):
        assert said in text


async def test_the_audit_and_the_story_say_how_many_also_of_one(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    admin = Admin(home.laurels)
    await admin.adjust("ada", "a", "points", {"amount": 1}, "a gift", "bea")
    await admin.adjust("ada", "b", "freezes", {"streak": "login", "count": 1}, "a gift", "bea")

    for path in ("/console/audit", "/console/users/ada"):
        text = (await work.page(path)).text
        assert "adjustment amount 1" in text
        assert "freezes count 1" in text


async def test_the_audit_is_read_page_by_page_without_a_gap(home: App, work: Operator) -> None:
    await home.laurels.record_many([Event(f"user {number}/", "e", "message.sent") for number in range(3)])
    admin = Admin(home.laurels)
    for number in range(2 * ACTS_PAGE + 3):  # all at one moment
        await admin.adjust(
            f"user {number % 3}/", f"act {number:03}&", "points", {"amount": 1}, f"r-{number:03}", "anna"
        )

    page, seen = await work.page("/console/audit"), list[str]()
    for _ in range(4):
        seen += re.findall(r"r-\d{3}", page.text)
        if "Older" not in page.links:
            break
        page = await work.page(page.links["Older"])

    assert sorted(seen) == [f"r-{number:03}" for number in range(2 * ACTS_PAGE + 3)]


@pytest.mark.parametrize(
    "query", ["at=x", "at=2026-01-05", "at=2026-01-05T00:00:00Z", "at=2026-01-05T00:00:00Z&user=%00&act=a"]
)
async def test_an_address_that_is_none_of_the_audit_is_refused(work: Operator, query: str) -> None:
    assert (await work.client.get(f"/console/audit?{query}")).status_code == 422


# ---- the catalog, and health ------------------------------------------------------------------


async def test_the_catalog_shows_everything_and_who_holds_it() -> None:
    async with open_app(settings=Settings(rules=RuleSettings(rarity_users=1))) as home, operator_over(home) as work:
        await home.record(event("ada", "agent.created"), event("bob"))

        page = await work.page("/console/catalog")

        for badge in home.laurels.catalog.badges:
            assert badge.name in page.text
        for level in home.laurels.catalog.levels.all:
            assert level.title in page.text
        assert "+50 · 1 holder, 50.0 %" in page.text
        assert page.links["All time"] == "/leaderboards/points"


async def test_rules_of_streaks_and_points_stand_in_the_catalog() -> None:
    rules = catalog(
        streaks={"gym": {"events": ["gym"], "amount": 3, "rest_days": ["sat", "sun"]}},
        points=[{"id": "sweat", "events": ["gym"], "amount": 4, "per": "quantity", "cap_per_day": 40}],
    )
    async with open_app(rules) as home, operator_over(home) as work:
        text = (await work.page("/console/catalog")).text

    assert "gym gym days of at least 3 Sat, Sun" in text
    assert "sweat gym 4 each 40" in text
    assert [rest_of(0), rest_of(0b1100000), rest_of(0b1)] == ["none", "Sat, Sun", "Mon"]


async def test_health_says_how_the_process_does_and_when_the_database_was_last_kept(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    text = (await work.page("/console/health")).text
    assert "Never noted. On the server: laurels backup" in text
    assert "The figures are those of the process that answered." in text
    assert "0 of 10,000" in text

    at = home.clock() - timedelta(days=3)
    await home.laurels.store.save_maintenance_run(
        MaintenanceRun("verify", at, {"ok": True, "users": 1234, "differences": 0})
    )

    text = (await work.page("/console/health")).text
    assert "2026-01-02 12:00 UTC, 3 days ago" in text
    assert "differences 0 ok yes users 1,234" in text


async def test_moving_a_sandboxs_clock_makes_no_backup_older(home: App, work: Operator) -> None:
    await home.laurels.store.save_maintenance_run(MaintenanceRun("backup", home.clock(), {"rows": 1}))
    await home.laurels.set_clock_offset(timedelta(days=30))

    assert "2026-01-05 12:00 UTC rows 1" in (await work.page("/console/health")).text


async def test_health_says_that_others_serve_too() -> None:
    async with open_app(settings=Settings(server=ServerSettings(workers=4))) as home, operator_over(home) as work:
        assert "4 processes serve here" in (await work.page("/console/health")).text
