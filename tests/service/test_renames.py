"""Badges, streaks and leaderboards that the catalog renames or retires, and undoing what it no longer names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentRefused, BadgeNotFound, CatalogError
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from tests.service.test_history import Place, place
from tests.support import badge, catalog, check_tallies, sql

pytestmark = pytest.mark.anyio


def rules(*badges: Any, **more: Any) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}},
        points=[{"id": "m", "events": ["m"], "amount": 1}],
        badges=list(badges),
        **more,
    )


def century(name: str, **more: Any) -> Any:
    """The badge for 100, under this id."""
    return {**badge(name, 100, metric="m", at_least=100), **more}


OLD = rules(century("message_100"))
RENAMED = rules(century("century", was="message_100"))
OTHER = rules(century("century"))
GONE = rules()
RETIRED = rules(century("message_100", retired=True))


async def under(home: Place, of: Catalog) -> Place:
    """The same place under another catalog."""
    await home.admin.apply_catalog(of, "because", "a test")
    return home


async def left(home: Place, of: Catalog) -> Place:
    """The same place under a catalog that takes names away, as an earlier version of Laurels allowed."""
    revision = "UPDATE catalog_revisions SET text = ?, digest = ?, rules = ? RETURNING 1"
    await sql(home.laurels.store, revision, of.text, of.digest, of.rules)
    await home.laurels.rules.follow()
    return home


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    async with place(OLD, database=database) as one:
        await one.send("m", "m", quantity=150)
        assert (await one.points(), await one.badges()) == (101, ["message_100"])
        yield one


async def awards(home: Place) -> list[tuple[str, int, str | None]]:
    return [(row.badge, row.points, row.event_id) for row in await home.laurels.store.awards("ada")]


async def test_a_renamed_badge_keeps_its_award_and_is_not_paid_twice(home: Place) -> None:
    (before,) = await home.laurels.store.awards("ada")
    now = await under(home, RENAMED)
    assert (await now.points(), await now.badges()) == (101, ["century"])
    (after,) = await now.laurels.store.awards("ada")
    assert (after.badge, after.awarded_at, after.event_id) == ("century", before.awarded_at, before.event_id)
    await now.send("more", "m", quantity=50)
    assert (await now.points(), await awards(now)) == (102, [("century", 100, "m")])
    assert (await now.laurels.explain("ada", "message_100")).badge == "century"
    assert await now.admin.verify("ada") == []
    assert not await now.admin.rebuild("ada")


async def test_a_list_of_earlier_ids_and_a_user_who_saw_none_in_between(home: Place) -> None:
    now = await under(home, rules(century("c", was=["message_100", "century"])))
    assert (await now.points(), await now.badges()) == (101, ["c"])


async def test_a_badge_that_was_paid_twice_before_the_rename_was_named_is_merged(home: Place) -> None:
    twice = await left(home, OTHER)
    assert await twice.points() == 201
    now = await under(home, RENAMED)
    assert (await now.points(), await awards(now)) == (101, [("century", 100, "m")])
    assert await now.admin.verify("ada") == []


@pytest.mark.parametrize("name", ["message_100", "century"])
async def test_a_renamed_badge_is_revoked_and_given_back_by_any_of_its_ids(home: Place, name: str) -> None:
    now = await under(home, RENAMED)
    result = await now.adjust("r", "revocation", badge=name)
    assert (result.revoked, await now.points()) == (["century"], 1)
    await now.admin.undo("ada", "r")
    assert (await now.points(), await awards(now)) == (101, [("century", 100, "m")])


async def test_a_revocation_and_a_grant_from_before_a_rename_are_undone_after_it(home: Place) -> None:
    await home.adjust("r", "revocation", badge="message_100")
    now = await under(home, RENAMED)
    assert (await now.points(), await now.badges()) == (1, [])
    await now.admin.undo("ada", "r")
    assert (await now.points(), await now.badges()) == (101, ["century"])
    assert await now.admin.verify("ada") == []


async def test_a_grant_from_before_a_rename_takes_the_badge_with_it(database: str) -> None:
    async with place(OLD, database=database) as old:
        await old.send("m", "m", quantity=5)
        await old.adjust("g", "grant", badge="message_100")
        now = await under(old, RENAMED)
        assert (await now.points(), await now.badges()) == (101, ["century"])
        assert (await now.admin.undo("ada", "g")).revoked == ["century"]
        assert (await now.points(), await now.badges()) == (1, [])


async def test_the_event_that_earned_a_renamed_badge_is_reversed_and_restored(home: Place) -> None:
    now = await under(home, RENAMED)
    assert (await now.admin.reverse("ada", "m", "a script", "a test")).revoked == ["century"]
    assert (await now.points(), await now.badges()) == (0, [])
    await now.admin.undo("ada", "reversal:m")
    assert (await now.points(), await awards(now)) == (101, [("century", 100, "m")])


@pytest.mark.parametrize("of", [GONE, OTHER])
async def test_a_badge_that_the_catalog_no_longer_names_is_revoked_and_given_back(home: Place, of: Catalog) -> None:
    now = await left(home, of)
    points = await now.points()
    result = await now.adjust("r", "revocation", badge="message_100")
    assert (result.revoked, await now.points()) == (["message_100"], points - 100)
    await now.admin.undo("ada", "r")
    assert await now.points() == points
    assert ("message_100", 100, "m") in await awards(now)
    with pytest.raises(BadgeNotFound):
        await now.adjust("other", "revocation", badge="mesage_100")
    with pytest.raises(BadgeNotFound):
        await now.adjust("g", "grant", badge="message_100")


@pytest.mark.parametrize("of", [GONE, OTHER, RETIRED])
async def test_reversing_the_event_takes_what_it_earned_and_undoing_that_gives_it_back(
    home: Place, of: Catalog
) -> None:
    now = await left(home, of)
    before = (await now.points(), await awards(now))
    await now.admin.reverse("ada", "m", "a script", "a test")
    assert (await now.points(), await awards(now)) == (0, [])
    await now.admin.undo("ada", "reversal:m")
    assert await now.points() == before[0]
    assert sorted(dict(one[:2] for one in await awards(now))) == sorted(dict(one[:2] for one in before[1]))
    assert ("message_100", 100, "m") in await awards(now)
    assert await now.admin.verify("ada") == []


async def test_undoing_the_grant_of_a_badge_that_the_catalog_no_longer_names_takes_its_points(database: str) -> None:
    async with place(OLD, database=database) as old:
        await old.send("m", "m", quantity=5)
        await old.adjust("g", "grant", badge="message_100")
        now = await left(old, GONE)
        assert (await now.admin.undo("ada", "g")).revoked == ["message_100"]
        assert (await now.points(), await awards(now)) == (1, [])


async def test_a_retired_badge_stays_with_those_who_have_it_and_no_one_else_sees_it(home: Place) -> None:
    now = await under(home, RETIRED)
    assert (await now.points(), await now.badges()) == (101, ["message_100"])
    await now.laurels.record(Event("bob", "m", "m", quantity=500))
    bob = await now.laurels.profile("bob", include=["next", "toward"])
    assert (bob.points, bob.badges, bob.available_badges, bob.next, bob.toward) == (1, [], [], [], [])
    assert (await now.laurels.explain("bob", "message_100")).sentence == "Message_100 can no longer be earned."
    await now.adjust("r", "revocation", badge="message_100")
    assert await now.badges() == []
    await now.admin.undo("ada", "r")
    assert await awards(now) == [("message_100", 100, "m")]


async def test_a_retired_badge_is_granted_to_no_one_who_does_not_have_it(home: Place) -> None:
    now = await under(home, RETIRED)
    await now.laurels.update_user("bob")
    with pytest.raises(AdjustmentRefused, match="is retired and no longer awarded; to grant it, remove 'retired'"):
        await now.admin.adjust("bob", "g", "grant", {"badge": "message_100"}, "a test", "a test")
    assert (await now.laurels.profile("bob")).badges == []
    await now.adjust("g", "grant", badge="message_100")
    assert await now.badges() == ["message_100"]


async def test_an_overview_that_changes_nothing_shows_badges_under_their_new_ids(home: Place) -> None:
    now = await under(home, RENAMED)
    overview = await now.laurels.overview("ada", refresh=False)
    assert overview.outdated
    assert [badge.id for badge in overview.profile.badges] == ["century"]
    assert "century" not in [badge.id for badge in overview.profile.available_badges]
    found = {one.badge: one for one in overview.explanations}
    assert (found["century"].earned, found["century"].earned_at is not None) == (True, True)


async def test_a_renamed_streak_keeps_its_days_pauses_repairs_and_freezes(database: str) -> None:
    rule = {"events": ["login"], "freezes": {"initial": 0, "per_days": 30, "most": 3}}
    old = rules(streaks={"login": {"events": ["login"]}, "daily": rule})
    new = rules(streaks={"login": {"events": ["login"]}, "every_day": {**rule, "was": "daily"}})
    async with place(old, database=database) as home:
        await home.log_in("2026-01-01", "2026-01-03", "2026-01-05")
        await home.adjust("p", "pause", streak="daily", first="2026-01-02", last="2026-01-02")
        await home.adjust("r", "repair", streak="daily", day="2026-01-04")
        await home.adjust("f", "freezes", streak="daily", count=2)
        before = (await home.laurels.streaks("ada")).streaks[1]
        now = await under(home, new)
        after = (await now.laurels.streaks("ada")).streaks[1]
        assert (after.name, after.length, after.freezes) == ("every_day", 3, 2)
        assert (before.length, before.freezes, before.days) == (after.length, after.freezes, after.days)
        await now.adjust("p2", "pause", streak="daily", first="2026-01-06", last="2026-01-06")
        await now.admin.undo("ada", "r")
        assert (await now.laurels.streaks("ada")).streaks[1].length == 1
        assert await now.admin.verify("ada") == []


async def test_a_retired_streak_keeps_its_days_and_is_shown_only_to_those_who_have_some(database: str) -> None:
    rule = {"events": ["m"]}
    old = rules(badge("run", 5, streak="work", streak_of=2), streaks={"login": {"events": ["login"]}, "work": rule})
    new = rules(
        badge("run", 5, streak="work", streak_of=2),
        streaks={"login": {"events": ["login"]}, "work": {**rule, "retired": True}},
    )
    async with place(old, database=database) as home:
        await home.send("1", "m")
        now = await under(home, new)
        home.clock.advance(days=1)
        await now.send("2", "m")
        await now.laurels.record(Event("bob", "1", "m"))
        (_, work) = (await now.laurels.streaks("ada")).streaks
        assert (work.name, work.total_days) == ("work", 1)
        assert [one.name for one in (await now.laurels.streaks("bob")).streaks] == ["login"]
        await now.admin.reverse("ada", "2", "because", "a test")
        assert await now.badges() == []
        assert await now.admin.verify("ada") == []
        assert not await now.admin.rebuild("ada")


async def test_rarity_counts_the_holders_under_every_id(home: Place) -> None:
    now = await under(home, RENAMED)
    await now.laurels.record(Event("bob", "m", "m", quantity=100))
    assert sorted(await sql(now.laurels.store, "SELECT badge FROM awards")) == [("century",), ("message_100",)]
    insights = Insights(now.laurels, rarity_users=1)
    assert [(one.id, one.holders) for one in (await insights.rarity()).badges] == [("century", 2)]
    await insights.close()


@pytest.mark.parametrize(
    ("of", "fix"),
    [
        (
            OTHER,
            """badges 'message_100': is gone, but 1 user has it; write was = "message_100" where it is called 'century' now""",
        ),
        (GONE, 'write was = "message_100" in its successor, or keep it with retired = true'),
    ],
)
async def test_a_catalog_that_takes_a_held_badge_away_is_refused_with_the_fix(
    home: Place, of: Catalog, fix: str
) -> None:
    with pytest.raises(CatalogError) as refused:
        await under(home, of)
    assert fix in str(refused.value)
    assert await home.badges() == ["message_100"]


async def test_opening_with_apply_takes_a_held_badge_away_with_a_warning(
    home: Place, caplog: pytest.LogCaptureFixture
) -> None:
    other = Laurels(home.laurels.store, GONE, clock=home.clock, on_difference="apply")
    assert (await other.profile("ada")).points == 101
    assert "badges 'message_100': is gone, but 1 user has it" in caplog.text


async def test_a_sandbox_whose_file_takes_a_held_badge_away_goes_on_with_its_own_catalog(home: Place) -> None:
    await home.laurels.set_clock_offset(timedelta(hours=1))
    other = Laurels(home.laurels.store, OTHER, clock=home.clock)
    await other.prepare()
    assert (other.catalog.rules, (await other.profile("ada")).points) == (OLD.rules, 101)
    assert "it was not applied: badges 'message_100': is gone" in other.rules.difference


async def test_a_badge_that_no_one_has_may_be_taken_away(database: str) -> None:
    async with place(OLD, database=database) as home:
        await home.send("m", "m")
        now = await under(home, GONE)
        assert await now.points() == 1


async def test_a_renamed_leaderboard_keeps_its_standings_and_closed_weeks(database: str) -> None:
    def weeks(name: str, **more: Any) -> Catalog:
        board = {"id": name, "period": "week", "late_hours": 1, **more}
        teams = {"id": f"{name}-teams", "period": "week", "teams": "t:", **{k: f"{v}-teams" for k, v in more.items()}}
        return rules(leaderboards=[board, teams])

    async with place(weeks("week"), database=database) as home:
        await home.laurels.update_user("ada", groups=["t:red"])
        await home.send("1", "m")
        await home.laurels.update_user("bob", visibility="hidden")
        await home.laurels.record(Event("bob", "1", "m"))
        home.clock.advance(days=7)
        await home.send("2", "m")
        await home.laurels.close_periods()
        views = [("week", "current"), ("week", "previous"), ("week-teams", "current"), ("week-teams", "previous")]
        before = [(await home.laurels.leaderboard(board, period=period)) for board, period in views]
        now = await under(home, weeks("weekly", was="week"))
        names = [
            ("weekly", "current"),
            ("weekly", "previous"),
            ("weekly-teams", "current"),
            ("weekly-teams", "previous"),
        ]
        after = [(await now.laurels.leaderboard(board, period=period)) for board, period in names]
        assert [page.standings for page in after] == [page.standings for page in before]
        assert [page.teams for page in after] == [page.teams for page in before]
        assert [page.period for page in after] == [page.period for page in before]
        await now.send("3", "m")
        assert (await now.laurels.leaderboard("weekly")).standings[0].score == 2
        assert await now.admin.verify("ada") == []
        await check_tallies(now.laurels.store)
