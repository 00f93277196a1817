"""The catalog belongs to the database: numbered revisions, of which the newest judges all users in every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.succession import Ids
from laurels.errors import CatalogDiffers, CatalogError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.contract import CatalogRow, CatalogState, Store
from laurels.testing import TestClock
from tests.support import LASTING_ENGINES, MONDAY, badge, catalog_text, contents, count, sql

pytestmark = pytest.mark.anyio


def paying(points: int, **more: Any) -> Catalog:
    """A catalog in which the first message pays these points, and each message one."""
    rules = [{"id": "message", "events": ["message"], "amount": 1}]
    badges = [badge("first", points, metric="messages", at_least=1)]
    return Catalog.parse(catalog_text(metrics={"messages": count("message")}, badges=badges, points=rules, **more))


OLD, NEW = paying(5), paying(7)
RENAMED = Catalog.parse(OLD.text.replace('"The badge first"', '"For the first message"'))
COMMENTED = Catalog.parse(f"# the same\n{OLD.text}")


@asynccontextmanager
async def opened(store: Store, catalog: Catalog | None = None, mode: Any = "raise") -> AsyncIterator[Laurels]:
    """A Laurels over this store, as another process would have it; the store stays open."""
    laurels = Laurels(store, catalog, clock=TestClock(MONDAY), on_difference=mode)
    await laurels.prepare()
    yield laurels
    await laurels.group_commit.close()


def message(user: str = "ada", number: int = 1) -> Event:
    return Event(user, f"m-{number}", "message")


async def numbers(store: Store) -> list[tuple[int, str]]:
    return [(row.number, row.text) for row in await store.catalog_revisions()]


async def decided(store: Store) -> list[tuple[str, int, int]]:
    """For each ledger entry its reference, its amount and the revision that decided it."""
    rows = await sql(store, "SELECT ref, amount, catalog FROM ledger ORDER BY user_id, revision, position")
    return [(ref, amount, catalog) for ref, amount, catalog in rows]


# ---- binding ----------------------------------------------------------------------------------


async def test_the_first_user_binds_the_catalog_and_a_read_binds_nothing(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.leaderboard()
        await laurels.close_periods()
        assert (await numbers(store), laurels.rules.number) == ([], None)

        await laurels.record(message())

        assert (await numbers(store), laurels.rules.number) == ([(1, OLD.text)], 1)
        assert await decided(store) == [("message", 1, 1), ("first", 5, 1)]
        (award,) = await store.awards("ada")
        assert award.catalog == 1


async def test_an_event_that_is_refused_binds_nothing(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        old = Event("ada", "m", "message", MONDAY - timedelta(days=400))
        with pytest.raises(Exception, match="days"):
            await laurels.record(old)
        assert await numbers(store) == []


async def test_while_no_user_exists_another_file_replaces_revision_1(store: Store) -> None:
    async with opened(store) as laurels:
        await Admin(laurels).apply_catalog(OLD, "a first try", "ops")
        await Admin(laurels).apply_catalog(NEW, "corrected", "ops")
    assert await numbers(store) == [(1, NEW.text)]
    async with opened(store, OLD) as laurels:
        await laurels.update_user("ada")
    assert await numbers(store) == [(1, OLD.text)]
    with pytest.raises(CatalogDiffers):
        async with opened(store, NEW):
            pass


async def test_erasing_the_last_user_does_not_make_the_catalog_replaceable(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
        await laurels.erase_user("ada")
    with pytest.raises(CatalogDiffers):
        async with opened(store, NEW):
            pass


async def test_of_two_processes_with_different_files_the_first_write_decides_for_both(store: Store) -> None:
    async with opened(store, OLD, "follow") as first, opened(store, NEW, "follow") as other:
        answers = await asyncio.gather(
            *(one.record(message(user)) for one in (first, other) for user in (f"a-{id(one)}", f"b-{id(one)}"))
        )
        assert not any(answer.duplicate for answer in answers)
        await first.profile(f"a-{id(other)}")
        await other.profile(f"a-{id(first)}")

        ((_, text),) = await numbers(store)
        assert {catalog for _, _, catalog in await decided(store)} == {1}
        assert len({amount for ref, amount, _ in await decided(store) if ref == "first"}) == 1
        assert first.catalog == other.catalog == Catalog.parse(text)
        assert [bool(one.rules.difference) for one in (first, other)] == [text != OLD.text, text != NEW.text]


# ---- a given catalog that differs -------------------------------------------------------------


async def test_another_catalog_is_refused_and_both_are_named(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    before = await contents(store)

    with pytest.raises(CatalogDiffers) as refused:
        async with opened(store, replace(NEW, file="new.toml")):
            pass

    said = str(refused.value)
    assert all(part in said for part in ("new.toml", NEW.rules, "revision 1", OLD.rules, "laurels catalog apply"))
    assert await contents(store) == before


async def test_a_process_that_follows_judges_by_the_database_and_says_so(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    before = await contents(store)

    async with opened(store, NEW, "follow") as laurels:
        assert (await laurels.profile("ada")).points == 6
        assert await contents(store) == before
        await laurels.record(message("bob"))
        assert laurels.catalog == OLD
        assert NEW.rules in laurels.rules.difference

    assert [amount for ref, amount, _ in await decided(store) if ref == "first"] == [5, 5]


async def test_a_process_that_applies_adds_a_revision(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    async with opened(store, NEW, "apply") as laurels:
        assert laurels.rules.number == 2
        await laurels.record(message("bob"))
    assert await numbers(store) == [(1, OLD.text), (2, NEW.text)]
    assert [(amount, by) for ref, amount, by in await decided(store) if ref == "first"] == [(5, 1), (7, 2)]


async def test_a_sandbox_takes_the_given_catalog(store: Store) -> None:
    await store.set_clock_offset(timedelta())
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    async with opened(store, NEW) as laurels:
        assert (laurels.catalog, laurels.rules.number) == (NEW, 2)


async def test_other_texts_are_a_difference_and_another_comment_is_none(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    async with opened(store, COMMENTED) as laurels:
        assert laurels.rules.difference == ""
    with pytest.raises(CatalogDiffers, match="other texts"):
        async with opened(store, RENAMED):
            pass


# ---- applying ---------------------------------------------------------------------------------


async def test_all_processes_switch_together_and_users_follow_when_next_touched(store: Store) -> None:
    async with opened(store, OLD) as first, opened(store) as other:
        await first.record(message("ada"))
        await other.record(message("bob"))
        applied = await Admin(first).apply_catalog(NEW, "more for the first message", "ops")
        assert (applied.is_new, applied.revision.number, applied.revision.applied_by) == (True, 2, "ops")

        await other.record(message("cyd"))
        profile = await other.profile("ada")

        assert other.catalog == NEW
        assert [one.points for one in profile.badges] == [7]
        rules = dict(await sql(store, "SELECT user_id, rules FROM users"))
        assert rules == {"ada": NEW.rules, "bob": OLD.rules, "cyd": NEW.rules}
        assert [by for ref, _, by in await decided(store) if ref == "first"] == [1, 1, 2]


async def test_a_leaderboard_is_read_under_the_newest_revision(store: Store) -> None:
    weekly = paying(5, leaderboards=[{"id": "weekly", "period": "week"}])
    async with opened(store, OLD) as first, opened(store) as other:
        await first.record(message())
        await Admin(first).apply_catalog(weekly, "a board", "ops")
        await other.leaderboard("weekly")
        assert [board.id for board in (await other.leaderboards()).leaderboards] == ["points", "weekly"]


async def test_the_same_text_adds_nothing_and_other_texts_change_no_user(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
        admin = Admin(laurels)
        assert not (await admin.apply_catalog(OLD, "again", "ops")).is_new
        before = await contents(store)

        assert (await admin.apply_catalog(RENAMED, "another name", "ops")).revision.number == 2
        await laurels.profile("ada")

        after = await contents(store)
        for table in ("catalog_revisions", "audit"):
            assert after.pop(table) != before.pop(table)
        assert after == before
        assert laurels.catalog.badges[0].description == "For the first message"


async def test_a_catalog_that_was_changed_in_python_is_refused(store: Store) -> None:
    async with opened(store) as laurels:
        with pytest.raises(CatalogError, match="changed in Python"):
            await Admin(laurels).apply_catalog(replace(OLD, badges=()), "no badges", "ops")
        assert await numbers(store) == []


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_processes_that_apply_at_once_make_one_row_of_numbers(database: str) -> None:
    stores = [open_store(database) for _ in range(3)]
    await stores[0].migrate()
    async with opened(stores[0], OLD) as laurels:
        await laurels.record(message())

    async def apply(store: Store, points: int) -> None:
        async with opened(store) as one:
            for more in range(3):
                await Admin(one).apply_catalog(paying(points + more), "a test", "ops")

    await asyncio.gather(*(apply(store, 10 * place) for place, store in enumerate(stores, start=1)))

    found = await numbers(stores[0])
    assert [number for number, _ in found] == list(range(1, 11))
    assert len({text for _, text in found}) == 10
    for store in stores:
        await store.close()


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_no_transaction_spans_two_revisions(database: str) -> None:
    """While revisions are applied, each user's award and points name the same revision, and pay what that one says."""
    first, other = open_store(database), open_store(database)
    await first.migrate()
    async with opened(first, paying(1)) as applying, opened(other) as recording:
        await applying.record(message("first"))

        async def apply() -> None:
            for points in range(2, 12):
                await Admin(applying).apply_catalog(paying(points), "a test", "ops")

        async def record() -> None:
            for number in range(60):
                await recording.record(message(f"user-{number}"))

        await asyncio.gather(apply(), record())
    pairs = await sql(first, "SELECT DISTINCT catalog, amount FROM ledger WHERE reason = 'badge' AND ref = 'first'")
    assert all(catalog == amount for catalog, amount in pairs)
    torn = "SELECT user_id FROM awards JOIN ledger USING (user_id) WHERE ref = 'first' AND awards.catalog <> ledger.catalog"
    assert await sql(first, torn) == []
    await first.close()
    await other.close()


async def test_a_revision_that_cannot_be_stored_changes_nothing(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
        before = await contents(store)

        def fail(_: CatalogState) -> CatalogRow | None:
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            await store.change_catalog(fail, lambda _: Ids())
        assert await contents(store) == before


# ---- databases of earlier versions ------------------------------------------------------------


async def unbound(store: Store) -> None:
    """Make the database what an earlier version left: users, and no catalog."""
    await sql(store, "DELETE FROM catalog_revisions")


async def test_a_database_of_an_earlier_version_is_adopted_by_the_catalog_of_its_users(store: Store) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    await unbound(store)
    before = await contents(store)

    async with opened(store, OLD) as laurels:
        await laurels.profile("ada")
        assert await contents(store) == before
        await laurels.record(message(number=2))
        assert await numbers(store) == [(1, OLD.text)]


@pytest.mark.parametrize("given", [NEW, None])
async def test_it_is_refused_with_another_catalog_until_its_own_is_adopted(store: Store, given: Catalog | None) -> None:
    async with opened(store, OLD) as laurels:
        await laurels.record(message())
    await unbound(store)
    before = await contents(store)

    for mode in ("raise", "follow"):
        with pytest.raises(CatalogDiffers, match="laurels catalog adopt"):
            async with opened(store, given, mode):
                pass
    async with opened(store, OLD) as laurels:
        with pytest.raises(CatalogDiffers, match="laurels catalog adopt"):
            await Admin(laurels).apply_catalog(NEW, "by mistake", "ops")
        assert await contents(store) == before
        assert (await Admin(laurels).adopt_catalog(OLD, "it is theirs", "ops")).is_new
        with pytest.raises(CatalogDiffers, match="has a catalog already"):
            await Admin(laurels).adopt_catalog(NEW, "by mistake", "ops")
    assert await numbers(store) == [(1, OLD.text)]


async def test_users_who_were_left_behind_by_an_earlier_change_do_not_decide(store: Store) -> None:
    """A user who has not returned since the last change of the file still has the rules of then."""
    clock = TestClock(MONDAY)
    laurels = Laurels(store, OLD, clock=clock)
    for user in ("ann", "ben", "cyd"):
        await laurels.record(message(user))
    clock.advance(days=1)
    await Admin(laurels).apply_catalog(NEW, "more points", "ops")
    await laurels.record(message("ann", 2))
    await laurels.group_commit.close()
    await unbound(store)

    with pytest.raises(CatalogDiffers):
        async with opened(store, OLD):
            pass
    async with opened(store, NEW) as laurels:
        assert laurels.catalog == NEW


async def test_users_of_an_earlier_default_catalog_go_on_with_it(store: Store) -> None:
    """They never had a file, so an update of Laurels must not ask for one, and not judge them by another catalog."""
    (earlier,) = Catalog.earlier_defaults()
    assert earlier.rules == "a72ce737b96db56a", "the fingerprint that their rows have"
    async with opened(store, earlier) as laurels:
        await laurels.record(Event("ada", "a", "agent.created"))
    await unbound(store)

    async with opened(store) as laurels:
        await laurels.record(Event("ada", "b", "agent.created"))

    assert await numbers(store) == [(1, earlier.text)]
    with pytest.raises(CatalogDiffers):
        async with opened(store, Catalog.default()):
            pass
