"""A catalog in which a badge, streak or leaderboard that is in use has no name any more is refused, with the fix."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.succession import Ids
from laurels.errors import CatalogError
from laurels.service.laurels import Laurels
from laurels.storage.contract import CatalogState
from laurels.storage.sqlite.catalogs import HAS_LINES
from laurels.storage.sqlite.store import SQLiteStore
from tests.service.test_history import Place, place
from tests.support import badge, catalog

pytestmark = pytest.mark.anyio

LOGIN = {"events": ["login"]}
BOOKS = {"events": ["book"]}
WEEK = {"id": "week", "period": "week", "late_hours": 1}


def rules(*boards: dict[str, Any], streaks: dict[str, Any] | None = None, badges: Any = ()) -> Catalog:
    """A point for each book, and these streaks next to the login streak, leaderboards and badges."""
    return catalog(
        metrics={"finished": {"kind": "count", "events": ["book"]}},
        points=[{"id": "book", "events": ["book"], "amount": 1}],
        streaks={"login": LOGIN, **(streaks or {})},
        leaderboards=list(boards),
        badges=list(badges),
    )


OLD = rules(WEEK, streaks={"reading": BOOKS})


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    """Ada read a book, in one week."""
    async with place(OLD, database=database) as one:
        await one.send("b-1", "book")
        yield one


async def refused(home: Place, of: Catalog) -> str:
    """Why this catalog is refused; nothing is changed then."""
    with pytest.raises(CatalogError) as error:
        await home.admin.apply_catalog(of, "because", "a test")
    await home.laurels.rules.follow()
    assert home.laurels.rules.number == 1
    return str(error.value)


async def applied(home: Place, of: Catalog) -> None:
    await home.admin.apply_catalog(of, "because", "a test")
    assert await home.admin.verify("ada") == []


# ---- streaks ------------------------------------------------------------------------------------


async def test_a_streak_with_days_that_is_gone_is_refused_with_the_fix(home: Place) -> None:
    assert await refused(home, rules(WEEK)) == (
        "streaks 'reading': is gone, but users have days of it; "
        'write was = "reading" in its successor, or keep it with retired = true'
    )
    renamed = await refused(home, rules(WEEK, streaks={"books": BOOKS}))
    assert """write was = "reading" where it is called 'books' now""" in renamed


@pytest.mark.parametrize(
    "streaks", [{"books": {**BOOKS, "was": "reading"}}, {"reading": {**BOOKS, "retired": True}}, {"reading": BOOKS}]
)
async def test_a_streak_that_is_renamed_retired_or_kept_is_applied(home: Place, streaks: dict[str, Any]) -> None:
    await applied(home, rules(WEEK, {"id": "more"}, streaks=streaks))
    streak = (await home.laurels.streaks("ada")).streaks[1]
    assert (streak.name, streak.total_days) == (next(iter(streaks)), 1)


async def test_a_streak_of_which_no_user_has_days_may_go(database: str) -> None:
    # A badge, a leaderboard and a pause of the same name, and a part of a day, are not days.
    half = {"reading": {**BOOKS, "amount": 2}}
    same = badge("reading", metric="finished", at_least=1)
    async with place(
        rules({"id": "reading", "period": "week"}, streaks=half, badges=[same]), database=database
    ) as home:
        await home.send("b-1", "book")
        await home.adjust("p", "pause", streak="reading", first="2026-01-02", last="2026-01-02")
        await applied(home, rules({"id": "reading", "period": "week"}, badges=[same]))
        assert [one.name for one in (await home.laurels.streaks("ada")).streaks] == ["login"]


async def test_the_only_holder_is_found_among_many_users(home: Place) -> None:
    for number in range(120):
        await home.laurels.update_user(f"user-{number:03}", groups=["reading"])
    assert "streaks 'reading': is gone" in await refused(home, rules(WEEK))
    await home.laurels.erase_user("ada")
    await home.admin.apply_catalog(rules(WEEK), "because", "a test")
    assert [one.name for one in (await home.laurels.streaks("user-007")).streaks] == ["login"]


# ---- leaderboards -------------------------------------------------------------------------------


async def test_a_leaderboard_with_lines_that_is_gone_is_refused_with_the_fix(home: Place) -> None:
    streaks = {"reading": BOOKS}
    assert await refused(home, rules(streaks=streaks)) == (
        "leaderboards 'week': is gone, but it has lines or closed periods; "
        'write was = "week" in its successor, or keep it with retired = true'
    )
    renamed = await refused(home, rules({**WEEK, "id": "weekly"}, streaks=streaks))
    assert """write was = "week" where it is called 'weekly' now""" in renamed


@pytest.mark.parametrize("more", [{"id": "weekly", "was": "week"}, {"retired": True}, {}])
async def test_a_leaderboard_that_is_renamed_retired_or_kept_is_applied(home: Place, more: dict[str, Any]) -> None:
    board = {**WEEK, **more}
    await applied(home, rules(board, streaks={"reading": BOOKS, "more": {"events": ["more"]}}))
    page = await home.laurels.leaderboard(board["id"])
    assert [(line.user_id, line.score) for line in page.standings] == [("ada", 1)]


@pytest.mark.parametrize("lines", ["hidden", "team", "closed"])
async def test_lines_of_every_kind_count(database: str, lines: str) -> None:
    board = {**WEEK, "teams": "team:"} if lines == "team" else WEEK
    async with place(rules(board), database=database) as home:
        if lines == "hidden":
            await home.laurels.update_user("ada", visibility="hidden")
        await home.laurels.update_user("ada", groups=["team:red"])
        await home.send("b-1", "book")
        if lines == "closed":
            home.clock.advance(days=8)
            assert await home.laurels.close_periods()
            await home.laurels.erase_user("ada")
        with pytest.raises(CatalogError, match="leaderboards 'week': is gone"):
            await home.admin.apply_catalog(rules(), "because", "a test")


async def test_a_leaderboard_without_lines_may_go_and_one_whose_id_another_one_begins_with(database: str) -> None:
    async with place(
        rules({"id": "week", "period": "week", "groups": ["staff"]}, {"id": "weekly"}), database=database
    ) as home:
        await home.send("b-1", "book")
        await applied(home, rules({"id": "weekly"}))


# ---- all kinds ----------------------------------------------------------------------------------


async def test_all_that_is_gone_is_said_at_once(home: Place) -> None:
    faults = await refused(home, rules())
    assert re.findall(r"(\w+ '\w+'): is gone", faults) == ["streaks 'reading'", "leaderboards 'week'"]


async def test_opening_with_apply_takes_them_away_with_a_warning(home: Place, caplog: pytest.LogCaptureFixture) -> None:
    other = Laurels(home.laurels.store, rules(), clock=home.clock, on_difference="apply")
    assert [one.name for one in (await other.streaks("ada")).streaks] == ["login"]
    assert "streaks 'reading': is gone, but users have days of it" in caplog.text
    assert "leaderboards 'week': is gone, but it has lines" in caplog.text


async def test_a_sandbox_whose_file_takes_them_away_goes_on_with_its_own_catalog(home: Place) -> None:
    await home.laurels.set_clock_offset(timedelta(hours=1))
    other = Laurels(home.laurels.store, rules(), clock=home.clock)
    await other.prepare()
    assert other.catalog.rules == OLD.rules
    assert "it was not applied: streaks 'reading': is gone" in other.rules.difference


async def test_an_earlier_id_under_which_a_user_still_has_something_may_not_be_dropped(database: str) -> None:
    def named(name: str, **more: Any) -> Catalog:
        streak = {name: {**BOOKS, **more}}
        return rules(streaks=streak, badges=[{**badge(f"{name}-1", metric="finished", at_least=1), **_earlier(more)}])

    async with place(named("reading"), database=database) as home:
        await home.send("b-1", "book")
        await home.admin.apply_catalog(named("books", was="reading"), "because", "a test")
        with pytest.raises(CatalogError) as refusal:
            await home.admin.apply_catalog(named("books"), "because", "a test")
        assert str(refusal.value).splitlines() == [
            (
                "badges 'books-1'.was: no longer has 'reading-1', but 1 user has it; "
                'write was = ["reading-1"] there, with its other earlier ids'
            ),
            (
                "streaks 'books'.was: no longer has 'reading', but users have days of it; "
                'write was = ["reading"] there, with its other earlier ids'
            ),
        ]
        assert await home.badges() == ["books-1"]  # ada is stored under the new ids now
        await applied(home, named("books"))
        assert await home.badges() == ["books-1"]


def _earlier(more: dict[str, Any]) -> dict[str, Any]:
    return {"was": f"{more['was']}-1"} if more else {}


async def test_a_rename_may_be_taken_back(home: Place) -> None:
    await applied(home, rules({**WEEK, "id": "weekly", "was": "week"}, streaks={"books": {**BOOKS, "was": "reading"}}))
    back = {"reading": {**BOOKS, "was": "books"}}
    await applied(home, rules({**WEEK, "was": "weekly"}, streaks=back))
    assert [one.name for one in (await home.laurels.streaks("ada")).streaks] == ["login", "reading"]
    assert len((await home.laurels.leaderboard("week")).standings) == 1


async def test_a_catalog_that_keeps_all_names_asks_nothing_of_the_users(home: Place) -> None:
    asked: list[Ids] = []
    store, changing = home.laurels.store, home.laurels.store.change_catalog

    async def noting(decide: Any, ask: Any, *more: Any) -> None:
        await changing(decide, lambda newest: asked.append(ask(newest)) or asked[-1], *more)

    store.change_catalog = noting  # type: ignore[method-assign]
    await applied(home, rules(WEEK, {"id": "more"}, streaks={"reading": BOOKS}))
    assert asked == [Ids()]


async def test_what_is_in_use_is_read_under_each_id(home: Place) -> None:
    seen: list[CatalogState] = []

    def decide(state: CatalogState) -> None:
        seen.append(state)

    ids = Ids(frozenset({"none"}), frozenset({"reading", "login"}), frozenset({"week", "wee", "points"}))
    await home.laurels.store.change_catalog(decide, lambda _: ids)
    assert seen[0].in_use.badges == {}
    assert (seen[0].in_use.streaks, seen[0].in_use.boards) == ({"reading"}, {"week", "points"})


async def test_lines_of_a_leaderboard_are_found_through_indexes(home: Place) -> None:
    store = home.laurels.store
    if isinstance(store, SQLiteStore):
        plan = [row[3] for row in store._writer.execute(f"EXPLAIN QUERY PLAN {HAS_LINES}", ("week",))]
        assert len([step for step in plan if step.startswith("SEARCH")]) == 3
        assert [step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step] == []
