"""Erasing users: in parts, to the end whatever happens meanwhile, out of other users' events, and out of the files."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.engine.metrics import REFERENCE
from laurels.errors import EventConflict, StoreUnavailable, UserErased, UserNotFound
from laurels.service import erasures as erasures_module
from laurels.service.admin import Admin
from laurels.service.audit import audit_entries
from laurels.service.erasures import is_rewritten, rewrite
from laurels.service.laurels import Laurels
from laurels.storage.contract import ERASED_TOGETHER, FIRST_EVENT, AuditFilter, AuditRow, Principal, Source
from tests.service.test_history import check_stored
from tests.support import LASTING_ENGINES, badge, catalog, check_tallies, contents, sql

pytestmark = pytest.mark.anyio

LASTING = pytest.mark.parametrize("engine", LASTING_ENGINES)
WHALE = "whale-to-forget"
SAID = "Call me by another name"
MANY = 2 * ERASED_TOGETHER + 500
BOUND_SECONDS = 20


async def fill(laurels: Laurels, user: str = WHALE, events: int = MANY) -> None:
    for first in range(0, events, 500):
        await laurels.record_many(
            [
                Event(user, f"e{number}", "agent.created", data={"text": f"hidden words {number}"})
                for number in range(first, min(first + 500, events))
            ],
            ranks=False,
        )
    await laurels.update_user(user, name="Moby of the Sea")


async def tables_with(laurels: Laurels, text: str) -> set[str]:
    return {name for name, rows in (await contents(laurels.store)).items() if text in repr(rows)}


# ---- in parts ---------------------------------------------------------------------------------


async def test_others_write_between_the_parts_and_see_nothing_of_the_user(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels)
        await laurels.record(Event("bob", "1", "agent.created"))
        erase_part, seen = type(laurels.store).erase_part, list[bool]()

        async def between(store: Any, user_id: str, *most: int) -> bool:
            done = await erase_part(store, user_id, *most)
            await laurels.record(Event("bob", f"between-{len(seen)}", "agent.created"))
            with pytest.raises(UserErased):
                await laurels.record(Event(WHALE, "late", "agent.created"))
            with pytest.raises(UserNotFound):
                await laurels.history(WHALE)
            assert [line.user_id for line in (await laurels.leaderboard()).standings] == ["bob"]
            assert await Admin(laurels).verify("bob") == []
            seen.append(done)
            return done

        monkeypatch.setattr(type(laurels.store), "erase_part", between)
        await laurels.erase_user(WHALE)

        assert len(seen) > 1
        assert await tables_with(laurels, WHALE) <= {"unfinished_erasures"}
        await laurels.erasures.finish()
        assert await tables_with(laurels, WHALE) == set()
        await check_tallies(laurels.store)


async def test_several_users_are_erased_at_the_same_time(database: str) -> None:
    users = [f"{WHALE}-{number}" for number in range(3)]
    async with Laurels.open(database) as laurels:
        for user in users:
            await fill(laurels, user, ERASED_TOGETHER + 10)
        await asyncio.gather(*map(laurels.erase_user, [*users, *users]))
        await laurels.erasures.finish()
        assert await tables_with(laurels, WHALE) == set()


async def interrupted(laurels: Laurels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin to erase the user; the database fails after the first part."""
    with monkeypatch.context() as patch:

        async def failing(*_: object) -> bool:
            raise StoreUnavailable("the disk is full")

        patch.setattr(type(laurels.store), "erase_part", failing)
        with pytest.raises(StoreUnavailable):
            await laurels.erase_user(WHALE)


async def test_erasing_again_goes_on_after_a_failure(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels)
        await interrupted(laurels, monkeypatch)
        assert "events" in await tables_with(laurels, WHALE)
        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()
        assert await tables_with(laurels, WHALE) == set()


@LASTING
async def test_the_next_start_goes_on(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels)
        await interrupted(laurels, monkeypatch)
    async with Laurels.open(database) as laurels:
        async with asyncio.timeout(BOUND_SECONDS):
            await laurels.erasures.finish()
        assert await tables_with(laurels, WHALE) == set()


async def test_a_caller_who_gives_up_does_not_stop_it(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels)
        began, finished, erase_part = asyncio.Event(), asyncio.Event(), type(laurels.store).erase_part

        async def noted(store: Any, *rest: Any) -> bool:
            began.set()
            if done := await erase_part(store, *rest):
                finished.set()
            return done

        monkeypatch.setattr(type(laurels.store), "erase_part", noted)
        call = asyncio.create_task(laurels.erase_user(WHALE))
        await began.wait()
        call.cancel()
        async with asyncio.timeout(BOUND_SECONDS):
            await finished.wait()
        assert not {"events", "ledger"} & await tables_with(laurels, WHALE)


ERASE = """
import asyncio, sys
from laurels import Laurels
from laurels.storage.contract import ERASED_TOGETHER
async def main():
    async with Laurels.open(sys.argv[1]) as laurels:
        erase_part = type(laurels.store).erase_part
        async def slowly(store, user_id, most=ERASED_TOGETHER):
            done = await erase_part(store, user_id, 50)
            print("part", flush=True)
            return done
        type(laurels.store).erase_part = slowly
        print("begin", flush=True)
        await laurels.erase_user(sys.argv[2])
asyncio.run(main())
"""


def begin_and_kill(database: str, lines: int) -> None:
    """A process that begins to erase the user, and is killed after it has printed so much."""
    command = [sys.executable, "-c", ERASE, database, WHALE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout
        for _ in range(lines):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)


@LASTING
async def test_a_kill_in_the_middle_leaves_what_the_next_start_finishes(database: str) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels)
    chance = random.Random(20260105)
    for _ in range(5):
        begin_and_kill(database, chance.randrange(1, 6))  # 1: somewhere in the first transaction, or before it
    async with Laurels.open(database) as laurels:
        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()
        assert await tables_with(laurels, WHALE) == set()
        assert await sql(laurels.store, "SELECT count(*) FROM tombstones") == [(1,)]
        await check_tallies(laurels.store)


# ---- other users' events ----------------------------------------------------------------------

GUESTS = {"kind": "distinct", "events": ["met"], "of": "guest"}
MET = catalog(metrics={"guests": GUESTS}, badges=[badge("host", metric="guests", at_least=3)])


async def data_of(laurels: Laurels, user_id: str, event_id: str) -> Any:
    row = await laurels.store.event(user_id, event_id)
    assert row
    return row.event.data


async def test_texts_that_are_the_id_are_replaced_at_any_depth(database: str) -> None:
    data = {"by": WHALE, "to": [{"user": WHALE, "note": f"{WHALE}!"}, 1], WHALE: "a key", "n": 1.0}
    async with Laurels.open(database) as laurels:
        await laurels.record(Event("bob", "1", "login", data=data))
        await laurels.update_user(WHALE)
        await laurels.erase_user(WHALE)

        found = await data_of(laurels, "bob", "1")
        reference = found["by"]
        assert reference.startswith(REFERENCE)
        to = [{"user": reference, "note": f"{WHALE}!"}, 1]
        assert found == {"by": reference, "to": to, WHALE: "a key", "n": 1.0}
        assert (await laurels.record(Event("bob", "1", "login", data=data))).duplicate
        with pytest.raises(EventConflict):
            await laurels.record(Event("bob", "1", "login", data={**data, "by": "someone else"}))


async def test_different_values_are_counted_as_before(database: str) -> None:
    async with Laurels.open(database, MET) as laurels:
        for number, guest in enumerate([WHALE, "cay", WHALE, "dee"]):
            await laurels.record(Event("bob", str(number), "met", data={"guest": guest}))
        before = await laurels.profile("bob")
        assert [one.id for one in before.badges] == ["host"]
        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()

        assert await laurels.profile("bob") == before
        assert await Admin(laurels).verify("bob") == []
        await laurels.record(Event("bob", "new", "met", data={"guest": "cay"}))
        await check_stored(laurels)
        assert WHALE not in repr(await contents(laurels.store))


KEPT = ("club:12345", "team:12345", "country:12345", "guests:12345", "plain")
"""Groups that say nothing of the user 12345, because leaderboards use them."""

NUMBERED = catalog(
    metrics={
        "pages": {"kind": "sum", "events": ["read"], "of": "pages"},
        "met": {"kind": "distinct", "events": ["read"], "of": "guest"},
    },
    points=[{"id": "chapter", "events": ["read"], "amount": 1, "where": {"chapter": 12345}}],
    badges=[badge("host", 5, metric="met", at_least=2)],
    leaderboards=[
        {"id": "reds", "groups": ["club:12345"]},
        {"id": "clubs", "teams": "team:"},
        {"id": "local", "within": "country"},
        {"id": "guests", "except_groups": ["guests:12345"]},
    ],
)


async def test_numbers_that_are_the_id_are_replaced_and_numbers_that_count_stay(database: str) -> None:
    data = {"with": 12345, "list": [{"a": 12345.0}], "more": 123456, "pages": 12345, "chapter": 12345, "guest": 12345}
    async with Laurels.open(database, NUMBERED) as laurels:
        await laurels.record_many(
            [Event("bob", "1", "read", data=data), Event("bob", "2", "read", data={"guest": "x"})]
        )
        before = await laurels.profile("bob")
        await laurels.update_user("12345")
        await laurels.erase_user("12345")
        await laurels.erasures.finish()

        found = await data_of(laurels, "bob", "1")
        reference = found["with"]
        assert reference.startswith(REFERENCE)
        assert found == {**data, "with": reference, "list": [{"a": reference}], "guest": reference}
        assert (await laurels.record(Event("bob", "1", "read", data=data))).duplicate
        assert await laurels.profile("bob") == before
        assert await Admin(laurels).verify("bob") == []


async def test_a_short_number_is_taken_for_an_id_only_under_a_key_that_names_a_user(database: str) -> None:
    async with Laurels.open(database) as laurels:
        data = {"stars": 7, "userId": 7, "seenBy": {"users": [7, 8]}, "text": "7", "is": True}
        await laurels.record(Event("bob", "1", "login", data=data))
        await laurels.erase_user("7")
        await laurels.erasures.finish()

        found = await data_of(laurels, "bob", "1")
        reference = found["text"]
        assert found == {**data, "userId": reference, "seenBy": {"users": [reference, 8]}, "text": reference}


async def test_an_id_as_actor_group_or_detail_of_others_is_replaced_and_the_rows_stay(database: str) -> None:
    async with Laurels.open(database, NUMBERED) as laurels:
        admin = Admin(laurels, Source(Principal("key", "my-app")))
        await laurels.update_user("bob", groups=["friends-of:12345", "12345", *KEPT])
        await admin.adjust("bob", "a-1", "points", {"amount": 5}, "thanks", "12345")
        named_alike = Admin(laurels, Source(Principal("operator", "12345")))
        await named_alike.adjust("bob", "a-2", "points", {"amount": 5}, "thanks", "12345")
        await admin.add_amnesty(date(2026, 1, 1), date(2026, 1, 2), "outage", "12345")
        detail = {"adjustment": "12345", "12345": "a name", "fields": ["12345"]}
        await laurels.store.add_audit(
            AuditRow("row", datetime(2026, 1, 1, tzinfo=UTC), "user.changed", None, detail=detail)
        )

        await laurels.erase_user("12345")
        await laurels.erasures.finish()

        entries = {one.id: one for one in await audit_entries(laurels.store, AuditFilter(), 100)}
        reference = entries["a-1"].actor
        assert reference.startswith(REFERENCE)
        assert (entries["a-2"].actor, entries["a-1"].reason) == ("12345", "thanks")
        assert entries["row"].detail == {**detail, "adjustment": reference}
        (amnesty,) = await laurels.store.amnesties()
        assert amnesty.actor == reference
        bob = await laurels.user("bob")
        assert set(bob.groups) == {f"friends-of:{reference}", reference, *KEPT}
        assert await Admin(laurels).verify("bob") == []


async def test_all_events_are_searched_whatever_their_number(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("laurels.service.erasures.SEARCHED_TOGETHER", 3)
    async with Laurels.open(database) as laurels:
        events = [
            Event(f"user-{number % 3}", f"e{number}", "login", data={"with": WHALE if number % 2 else "bob"})
            for number in range(20)
        ]
        await laurels.record_many(events)
        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()
        assert WHALE not in repr(await contents(laurels.store))
        page = await laurels.store.search_events([REFERENCE], FIRST_EVENT, 100)
        assert len(page.found) == 10


# ---- the files --------------------------------------------------------------------------------


def write_much(chance: random.Random, user: str, others: list[str]) -> list[Event]:
    """Events of a user among those of others, whose rows move from page to page as more are added."""
    return [
        Event(
            one,
            f"{chance.randrange(10**9):x}",
            "agent.created",
            data={"text": f"{one} said " + "x" * chance.randrange(300)},
        )
        for one in [user, *chance.choices(others, k=20)]
    ]


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_nothing_of_an_erased_user_is_in_the_files(database: str, tmp_path: Path) -> None:
    chance, others = random.Random(7), [f"other-{number}" for number in range(50)]
    name = "Captain Nemo the Forgotten"
    async with Laurels.open(database) as laurels:
        await laurels.update_user(WHALE, name=name)
        for number in range(60):
            await laurels.record_many(write_much(chance, WHALE, others), ranks=False)
            if not number % 10:
                await laurels.update_user(chance.choice(others), name=f"Name {number}")
        await laurels.record(Event("bob", "1", "login", data={"with": WHALE}))
        await laurels.record(Event(WHALE, "said", "agent.created", data={"text": SAID}))
        files = [tmp_path / name for name in ("laurels.db", "laurels.db-wal")]
        assert any(WHALE.encode() in path.read_bytes() for path in files)

        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()

        assert not (tmp_path / "laurels.db-wal").stat().st_size
        backup = tmp_path / "backup.db"
        command = [sys.executable, "-m", "laurels", "backup", str(backup), "--database", database]
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=60, capture_output=True)
        for path in (*files, backup):
            found = path.read_bytes()
            assert [text for text in (WHALE, name, SAID) if text.encode() in found] == [], path


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_nothing_stays_where_rows_moved_between_pages_before_many_erasures(database: str, tmp_path: Path) -> None:
    chance = random.Random(11)
    gone, others = ([f"{chance.randrange(16**12):012x}" for _ in range(50)] for _ in range(2))
    async with Laurels.open(database) as laurels:
        for user in gone:
            await laurels.update_user(user, name=f"Name of {user}", groups=[f"friends-of:{user}"])
        for _ in range(60):
            await laurels.record_many(write_much(chance, chance.choice(gone), [*gone, *others]), ranks=False)
        for user in gone:
            await laurels.record_many(write_much(chance, others[0], others), ranks=False)
            await laurels.erase_user(user)
        await laurels.erasures.finish()

        for path in (tmp_path / "laurels.db", tmp_path / "laurels.db-wal"):
            found = path.read_bytes()
            assert [user for user in gone if user.encode() in found] == [], path


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_a_large_file_is_rewritten_on_request_only(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures_module, "REWRITTEN_BYTES", 1000)
    async with Laurels.open(database) as laurels:
        await fill(laurels, events=500)
        await laurels.erase_user(WHALE)
        await laurels.erasures.finish()
        before = (tmp_path / "laurels.db").stat().st_size
        assert not await is_rewritten(laurels.store)

        assert await rewrite(laurels.store, await laurels.now())

        assert await is_rewritten(laurels.store)
        assert await laurels.store.clean_files()
        assert (tmp_path / "laurels.db").stat().st_size < before


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_the_log_is_emptied_when_a_long_read_ends(database: str, tmp_path: Path) -> None:
    async with Laurels.open(database) as laurels:
        await fill(laurels, events=100)
        async with laurels.store.rows():
            await laurels.erase_user(WHALE)
            assert not await laurels.store.clean_files()
            async with asyncio.timeout(BOUND_SECONDS):
                await laurels.record(Event("bob", "1", "login"))
        async with asyncio.timeout(BOUND_SECONDS):
            await laurels.erasures.finish()
        assert WHALE.encode() not in (tmp_path / "laurels.db-wal").read_bytes()


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_a_file_that_was_not_rewritten_is_after_the_next_start(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        async def never(_: object) -> bool:
            await asyncio.Event().wait()
            return True

        patch.setattr(erasures_module.Erasures, "_rewrite", never)
        async with Laurels.open(database) as laurels:
            await fill(laurels, events=10)
            await laurels.erase_user(WHALE)
            assert not await laurels.store.unfinished_erasures()
    async with Laurels.open(database) as laurels:
        await laurels.erasures.finish()
        assert await is_rewritten(laurels.store)


@pytest.mark.parametrize("engine", ["sqlite-file"])
async def test_a_file_that_cannot_be_rewritten_is_tried_once_for_each_erasure(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(erasures_module, "CLEAN_SECONDS", 0.001)
    tried: list[str] = []
    async with Laurels.open(database) as laurels:
        clean_files, cleaned = laurels.store.clean_files, list[bool]()

        async def full(*_: object) -> bool:
            tried.append("once")
            raise StoreUnavailable("database or disk is full")

        async def busy() -> bool:
            cleaned.append(await clean_files())
            return len(cleaned) > 3

        monkeypatch.setattr(laurels.store, "rewrite_files", full)
        monkeypatch.setattr(laurels.store, "clean_files", busy)
        await fill(laurels, events=10)
        await laurels.erase_user(WHALE)
        async with asyncio.timeout(BOUND_SECONDS):
            await laurels.erasures.finish()
        assert tried == ["once"]
        assert "laurels erasures clean" in caplog.text
        assert not await is_rewritten(laurels.store), "the doctor reports it"
