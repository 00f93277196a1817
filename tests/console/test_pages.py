"""Console pages about more than one user: the overview with its charts, the audit, the catalog, health."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from laurels import Event
from laurels.console.audit import PAGE_LENGTH
from laurels.console.catalog import rest_of
from laurels.console.overview import sources
from laurels.present.reports import CommunityReport, DailyPoints
from laurels.service.admin import Admin
from laurels.settings import RuleSettings, ServerSettings, Settings
from laurels.storage.contract import MaintenanceRun
from tests.support import catalog
from tests.support.app import App, event, open_app
from tests.support.operator import Operator, operator_over

pytestmark = pytest.mark.anyio

DAY = date(2026, 1, 5)


async def overview_of(home: App, work: Operator) -> str:
    """The overview once its charts are ready."""
    for _ in range(100):
        page = await work.page("/console")
        if "Preparing charts" not in page.text:
            return page.text
        await asyncio.sleep(0.02)
    raise AssertionError("the charts never became ready")


async def test_the_overview_shows_the_charts_and_their_numbers(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"), event("bob", "agent.created"), event("cyd"))
    for user_id in ("ada", "bob"):
        await home.laurels.profile(user_id, login=True)

    text = await overview_of(home, work)

    assert "from all 3 users" in text
    assert "Users active on each day, in their own time zone." in text
    assert "All times are in UTC unless noted." in text
    assert "5 Jan: users 2" in text  # cyd sent a message, which does not count as daily activity
    assert "5 Jan: awards 2" in text
    assert "5 Jan: badge: Agent Creator 100" in text
    assert "2 Beginner" in text
    assert re.search(r"First badge earned .* Agent Creator: 2", text)
    assert "5 Jan 2 100" in text  # the cohort of this week


async def test_an_empty_community_has_an_overview(home: App, work: Operator) -> None:
    assert "No users yet." in await overview_of(home, work)


async def test_the_largest_sources_have_their_own_series_and_the_others_share_one() -> None:
    paid = [(f"rule-{number}", number) for number in range(1, 9)]
    rows = [DailyPoints(day=DAY, reason="rule", ref=ref, points=points) for ref, points in paid]
    rows += [DailyPoints(day=DAY, reason="reversal", ref="rule-8", points=-500)]
    rows += [DailyPoints(day=DAY - timedelta(days=1), reason="badge", ref="b", points=100)]

    series = sources(report_of(rows), [DAY - timedelta(days=1), DAY], {"b": "Best"})

    assert [(one.name, list(one.values)) for one in series] == [
        ("badge: Best", [100, 0]),
        ("rule: rule-8", [0, 8]),
        ("rule: rule-7", [0, 7]),
        ("rule: rule-6", [0, 6]),
        ("rule: rule-5", [0, 5]),
        ("others", [0, 4 + 3 + 2 + 1]),
    ]


def report_of(points: list[DailyPoints]) -> CommunityReport:
    made = datetime(2026, 1, 5, tzinfo=UTC)
    empty: dict[str, list[object]] = {
        name: [] for name in ("active", "awards", "levels", "streaks", "retention", "badges")
    }
    return CommunityReport(computed_at=made, users=1, sampled=1, points=points, **empty)  # type: ignore[arg-type]


# ---- the audit --------------------------------------------------------------------------------


async def test_the_audit_shows_who_did_what_and_why_newest_first(home: App, work: Operator) -> None:
    await home.record(event("ada"), event("bob"))
    admin = Admin(home.laurels)
    await admin.adjust("ada", "a", "grant", {"badge": "early_adopter"}, "a prize", "bea")
    home.clock.advance(seconds=60)
    await admin.reverse("bob", "message.sent", "a bot", "cem")
    await admin.undo("ada", "a", "the wrong user", "dan")

    text = (await work.page("/console/audit")).text

    assert text.index("a bot") < text.index("a prize")
    assert text.index("the wrong user") < text.index("a prize")
    for shown in ("a program for bea", "a program for cem", "a program for dan", "undone badge early_adopter"):
        assert shown in text


async def test_the_audit_and_the_activity_show_amounts_of_one(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    admin = Admin(home.laurels)
    await admin.adjust("ada", "a", "points", {"amount": 1}, "a gift", "bea")
    await admin.adjust("ada", "b", "freezes", {"streak": "login", "count": 1}, "a gift", "bea")

    for path in ("/console/audit", "/console/users/ada"):
        text = (await work.page(path)).text
        assert "amount 1" in text
        assert "count 1" in text


async def test_pages_of_the_audit_follow_each_other_without_a_gap(home: App, work: Operator) -> None:
    await home.laurels.record_many([Event(f"user {number}/", "e", "message.sent") for number in range(3)])
    admin = Admin(home.laurels)
    for number in range(2 * PAGE_LENGTH + 3):  # all at the same instant
        await admin.adjust(
            f"user {number % 3}/", f"gift {number:03}&", "points", {"amount": 1}, f"r-{number:03}", "anna"
        )

    page, seen = await work.page("/console/audit"), list[str]()
    for _ in range(4):
        seen += re.findall(r"r-\d{3}", page.text)
        if "Older" not in page.links:
            break
        page = await work.page(page.links["Older"])

    assert sorted(seen) == [f"r-{number:03}" for number in range(2 * PAGE_LENGTH + 3)]


@pytest.mark.parametrize("query", ["before=x", "before=W10", "before=WzEsW11d"])
async def test_an_invalid_address_of_the_audit_is_refused(work: Operator, query: str) -> None:
    assert (await work.client.get(f"/console/audit?{query}")).status_code == 422


# ---- the catalog, and health ------------------------------------------------------------------


async def test_the_catalog_shows_everything_and_how_many_hold_it() -> None:
    async with open_app(settings=Settings(rules=RuleSettings(rarity_users=1))) as home, operator_over(home) as work:
        await home.record(event("ada", "agent.created"), event("bob"))

        page = await work.page("/console/catalog")

        for badge in home.laurels.catalog.badges:
            assert badge.name in page.text
        for level in home.laurels.catalog.levels.all:
            assert level.title in page.text
        assert "+50 · 1 holder, 50.0 %" in page.text
        assert page.links["All time"] == "/leaderboards/points"


async def test_the_catalog_shows_streaks_and_point_rules() -> None:
    rules = catalog(
        streaks={
            "gym": {"events": ["gym"], "amount": 3, "rest_days": ["sat", "sun"]},
            "books": {"title": "Reading", "events": ["b"], "cadence": "weekly", "days": 2, "week_starts": "sun"},
        },
        levels=[{"title": "One", "points": 0}, {"title": "Two", "points": 9, "unlocks": ["avatar"]}],
        points=[{"id": "sweat", "events": ["gym"], "amount": 4, "per": "quantity", "cap_per_day": 40}],
    )
    async with open_app(rules) as home, operator_over(home) as work:
        text = (await work.page("/console/catalog")).text

    assert "Gym gym gym days of at least 3 Sat, Sun" in text
    assert "Reading books b weeks from Sun of 2 different days none" in text
    assert "avatar level 2" in text
    assert "sweat gym 4 each 40" in text
    assert [rest_of(0), rest_of(0b1100000), rest_of(0b1)] == ["none", "Sat, Sun", "Mon"]


async def test_the_catalog_marks_what_is_retired() -> None:
    rules = catalog(
        streaks={"login": {"events": ["login"]}, "gym": {"events": ["gym"], "retired": True}},
        leaderboards=[{"id": "summer", "period": "month", "retired": True}],
    )
    async with open_app(rules) as home, operator_over(home) as work:
        text = (await work.page("/console/catalog")).text

    assert "gym (retired) gym days" in text
    assert "summer summer points, highest first month retired first" in text


async def test_health_shows_the_process_and_the_last_backup_and_verify(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    text = (await work.page("/console/health")).text
    assert "No backup recorded yet. Run laurels backup" in text
    assert "Live figures from this server process." in text
    assert "0 of 10,000" in text

    at = home.clock() - timedelta(days=3)
    await home.laurels.store.save_maintenance_run(
        MaintenanceRun("verify", at, {"ok": True, "users": 1234, "differences": 0})
    )

    text = (await work.page("/console/health")).text
    assert "2026-01-02 12:00 UTC, 3 days ago" in text
    assert "differences 0 ok yes users 1,234" in text


async def test_the_clock_of_a_sandbox_does_not_change_the_age_of_a_backup(home: App, work: Operator) -> None:
    await home.laurels.store.save_maintenance_run(MaintenanceRun("backup", home.clock(), {"rows": 1}))
    await home.laurels.set_clock_offset(timedelta(days=30))

    assert "2026-01-05 12:00 UTC rows 1" in (await work.page("/console/health")).text


async def test_health_shows_the_number_of_processes() -> None:
    async with open_app(settings=Settings(server=ServerSettings(workers=4))) as home, operator_over(home) as work:
        assert "Live figures from this server process, one of 4." in (await work.page("/console/health")).text
