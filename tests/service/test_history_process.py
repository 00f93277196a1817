"""Very long histories are computed in a separate process: same results, and nothing is lost if it, or its parent, is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from laurels import errors
from laurels.commands.context import DecisionContext
from laurels.commands.events import ReverseEvent
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.zones import zone
from laurels.errors import AdjustmentConflict, AdjustmentNotFound, BadgeNotFound, LaurelsError
from laurels.service import group_commit, history_process, long_histories
from laurels.service.admin import Admin
from laurels.service.blocking import BlockingLaurels
from laurels.service.computing import Computed, Job, Task
from laurels.service.history_process import HistoryProcess
from laurels.service.laurels import Laurels
from laurels.service.messages import add_piece, packed, pieces_of, unpacked
from laurels.settings import DatabaseSettings, DatabaseUrl
from laurels.storage.contract import Changes, EventRow, LoadRequest, OtherRevision, Principal, Source
from laurels.testing import sandbox
from tests.service.test_long_histories import change_everything, fill
from tests.support import LASTING_ENGINES, check_ledgers, check_tallies, contents, run_script

pytestmark = pytest.mark.anyio

lasting = pytest.mark.parametrize("engine", LASTING_ENGINES, indirect=True)
on_linux = pytest.mark.skipif(
    not Path("/proc/self/cmdline").is_file(), reason="needs Linux's /proc to find the process"
)

BOUND_SECONDS = 60


@pytest.fixture(autouse=True)
def very_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a history of three events is very long."""
    monkeypatch.setattr(group_commit, "LONG", 2)
    monkeypatch.setattr(long_histories, "VERY_LONG", 2)


@pytest.fixture
async def laurels(database: str) -> AsyncIterator[Laurels]:
    async with sandbox(database=database) as (one, _):
        await fill(one)
        yield one
        assert await Admin(one).verify("ada") == []
        await check_tallies(one.store)
        await check_ledgers(one.store)


def process_of(laurels: Laurels) -> HistoryProcess:
    process = laurels.group_commit._long._process
    assert process
    return process


def pid_of(laurels: Laurels) -> int:
    pid = process_of(laurels).pid
    assert pid
    return pid


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(50 * BOUND_SECONDS):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def has_ended(pid: int) -> bool:
    """Whether a process has ended; one that no parent waited for has no command line any more."""
    try:
        return not proc(pid, "cmdline")
    except OSError:
        return True


def proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


@lasting
async def test_the_log_has_a_change_that_the_process_computed(
    laurels: Laurels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "laurels.security")
    admin = Admin(laurels, Source(Principal("operator", "anna")))
    await admin.adjust("ada", "gift", "points", {"amount": 5}, "a gift", "anna")
    for _ in range(2):
        await admin.undo("ada", "gift", "a mistake", "anna")
    assert process_of(laurels).is_running
    lines = [record.getMessage() for record in caplog.records if record.name == "laurels.security"]
    assert [line.split()[0] for line in lines] == ["event=adjustment.points", "event=adjustment.undone"]


@lasting
async def test_the_results_are_those_of_the_shared_transaction(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandbox(database=database) as (other, _):
        await change_everything(other)
        assert process_of(other).is_running
        found = await contents(other.store)
    monkeypatch.setattr(group_commit, "LONG", 10**6)
    async with sandbox() as (usual, _):
        await change_everything(usual)
        expected = await contents(usual.store)

    for table in ("users", "events", "awards", "ledger", "adjustments", "standings", "outbox"):
        assert found[table] == expected[table], table
    assert caplog.records == []


@lasting
async def test_many_reversals_and_errors_come_back_as_they_were(laurels: Laurels) -> None:
    admin = Admin(laurels)
    results = await admin.reverse_many([("ada", f"e{number}") for number in range(10)], "a mistake", "anna")
    assert [one.status for one in results if not isinstance(one, LaurelsError)] == ["applied"] * 10
    await admin.adjust("ada", "g", "grant", {"badge": "early_adopter"}, "a prize", "anna")

    with pytest.raises(AdjustmentNotFound):
        await admin.undo("ada", "no such one", "a mistake", "anna")
    with pytest.raises(BadgeNotFound):
        await admin.adjust("ada", "r", "revocation", {"badge": "no such one"}, "a mistake", "anna")
    with pytest.raises(AdjustmentConflict):
        await admin.adjust("ada", "g", "revocation", {"badge": "early_adopter"}, "a mistake", "anna")
    assert process_of(laurels).is_running


@lasting
async def test_an_event_that_brings_a_user_under_new_rules_gets_the_usual_answer(laurels: Laurels) -> None:
    text = laurels.catalog.text + '\n[[points]]\nid = "more"\nevents = ["message.sent"]\namount = 7\n'
    await Admin(laurels).apply_catalog(Catalog.parse(text), "more points", "anna")

    result = await laurels.record(Event("ada", "n1", "mesage.sent"))

    assert process_of(laurels).is_running
    assert (result.status, result.counted) == ("recorded", False)


@lasting
async def test_a_rebuild_corrects_the_lines_of_closed_periods(database: str, caplog: pytest.LogCaptureFixture) -> None:
    async with sandbox(database=database) as (one, clock):
        await fill(one)
        before = (await one.leaderboard("weekly")).standings
        clock.advance(days=14)
        (closed,) = [period for board, period in await one.close_periods() if board == "weekly"]
        await run_script(one.store, f"UPDATE standings SET sort_key = -999999 WHERE period = '{closed}'")
        await one.store.rebuild_tallies()

        assert await Admin(one).rebuild("ada")

        assert process_of(one).is_running
        assert [line.score for line in (await one.leaderboard("weekly", closed)).standings] == [before[0].score]
        assert not await Admin(one).rebuild("ada")
    assert caplog.records == []


@lasting
async def test_a_user_who_changed_meanwhile_is_computed_again(
    laurels: Laurels, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, computed = HistoryProcess.compute, list[int]()
    loop = asyncio.get_running_loop()

    def computing(process: HistoryProcess, task: Task) -> object:
        found = compute(process, task)
        computed.append(1)
        if len(computed) < 3:
            event = laurels.record(Event("ada", f"meanwhile-{len(computed)}", "agent.created"))
            asyncio.run_coroutine_threadsafe(event, loop).result(BOUND_SECONDS)
        return found

    monkeypatch.setattr(HistoryProcess, "compute", computing)

    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"
    assert len(computed) == 3


@lasting
async def test_if_it_is_killed_in_the_middle_a_thread_does_the_work_once(
    laurels: Laurels, caplog: pytest.LogCaptureFixture
) -> None:
    admin = Admin(laurels)
    await admin.reverse("ada", "e0", "a mistake", "anna")
    first = pid_of(laurels)
    os.kill(first, signal.SIGSTOP)
    reversal = asyncio.create_task(admin.reverse("ada", "e1", "a mistake", "anna"))
    await asyncio.sleep(0.2)
    assert not reversal.done()

    os.kill(first, signal.SIGKILL)

    assert (await asyncio.wait_for(reversal, BOUND_SECONDS)).status == "applied"
    assert [one.getMessage() for one in caplog.records] == [
        "a long history is computed in a thread: the process ended with exit code -9"
    ]
    assert (await admin.reverse("ada", "e2", "a mistake", "anna")).status == "applied"
    assert pid_of(laurels) != first
    assert len(caplog.records) == 1


PARENT = """
import asyncio, sys
from laurels import Laurels
from laurels.service import group_commit, long_histories
from laurels.service.admin import Admin
group_commit.LONG = long_histories.VERY_LONG = 2

async def main():
    async with Laurels.open(sys.argv[1]) as laurels:
        reversals = [asyncio.create_task(Admin(laurels).reverse("ada", f"e{n}", "a mistake", "anna")) for n in range(12)]
        while not laurels.group_commit._long._process.pid:
            await asyncio.sleep(0.001)
        print(laurels.group_commit._long._process.pid, flush=True)
        await asyncio.gather(*reversals)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def killed_after(seconds: float, database: str) -> int:
    """Run PARENT, and kill it some time after it has started a process. Returns the id of that one."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, database], stdout=subprocess.PIPE)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    time.sleep(seconds)
    assert b"history_worker" in proc(pid, "cmdline")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return pid


@on_linux
@lasting
@pytest.mark.parametrize("seconds", [0.02, 0.7])
async def test_it_ends_with_its_parent_and_nothing_is_lost(database: str, seconds: float) -> None:
    async with sandbox(database=database, start=datetime.now(UTC)) as (one, _):
        await fill(one)

    pid = await asyncio.to_thread(killed_after, seconds, database)

    await until(lambda: has_ended(pid))
    async with sandbox(database=database, start=datetime.now(UTC) + timedelta(minutes=1)) as (one, _):
        assert await Admin(one).verify("ada") == []
        for number in range(12):
            await Admin(one).reverse("ada", f"e{number}", "a mistake", "anna")
        assert await Admin(one).verify("ada") == []
        assert (await one.profile("ada")).points == 0
        await check_tallies(one.store)
        await check_ledgers(one.store)


@on_linux
@lasting
async def test_it_ends_when_laurels_is_closed(database: str) -> None:
    async with sandbox(database=database) as (one, _):
        await fill(one)
        await Admin(one).reverse("ada", "e0", "a mistake", "anna")
        pid = pid_of(one)

    assert has_ended(pid)
    if database.startswith("sqlite"):
        file = Path(database.removeprefix("sqlite:///"))
        assert [path.name for path in file.parent.glob(f"{file.name}*")] == [file.name]  # the last one emptied the log


@on_linux
@lasting
async def test_it_ends_when_it_has_had_nothing_to_do(laurels: Laurels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_histories, "IDLE_SECONDS", 0.1)
    await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")
    pid = pid_of(laurels)

    await until(lambda: has_ended(pid))

    assert not process_of(laurels).is_running
    assert (await Admin(laurels).reverse("ada", "e1", "a mistake", "anna")).status == "applied"
    assert pid_of(laurels) != pid


@on_linux
@lasting
async def test_signals_for_all_processes_of_a_program_do_not_disturb_it(laurels: Laurels, database: str) -> None:
    await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")
    pid = pid_of(laurels)
    assert os.getsid(pid) == pid  # so a terminal sends it nothing
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)

    await Admin(laurels).reverse("ada", "e1", "a mistake", "anna")

    assert pid_of(laurels) == pid
    secrets = (database.encode(), database.rpartition("/")[2].encode())
    for name in ("cmdline", "environ"):
        assert not any(secret in proc(pid, name) for secret in secrets if secret != b"laurels.db"), name


@pytest.mark.parametrize("engine", ["sqlite-file"], indirect=True)
@pytest.mark.parametrize("executable", ["/nowhere/python3", "/bin/sh", "", None])
async def test_without_a_process_a_thread_does_the_work(
    laurels: Laurels, executable: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", executable)

    for number in range(3):
        assert (await Admin(laurels).reverse("ada", f"e{number}", "a mistake", "anna")).status == "applied"

    assert [one.levelno for one in caplog.records] == [logging.WARNING]
    assert "no process could be started" in caplog.records[0].getMessage()


@pytest.mark.parametrize("engine", ["sqlite-file"], indirect=True)
async def test_it_is_not_started_once_another_version_is_installed(
    laurels: Laurels, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(history_process, "_code", dict[str, int])

    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"

    assert "another version of Laurels was installed" in caplog.text
    assert not process_of(laurels).is_running


@pytest.mark.parametrize("engine", ["sqlite-file"], indirect=True)
async def test_what_it_cannot_do_is_done_by_a_thread(
    laurels: Laurels, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    process_of(laurels)._database = DatabaseSettings(DatabaseUrl(database + ".moved"))

    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"

    assert "there is no database at" in caplog.text


async def test_a_relative_address_means_the_folder_in_which_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    async with sandbox(database="sqlite:///relative.db") as (one, _):
        await fill(one)
        monkeypatch.chdir(tmp_path / "other")
        assert (await Admin(one).reverse("ada", "e0", "a mistake", "anna")).status == "applied"
        assert process_of(one).is_running

    assert caplog.records == []
    assert [*(tmp_path / "other").iterdir()] == []


@pytest.mark.parametrize("engine", ["sqlite-memory"], indirect=True)
async def test_a_database_in_memory_has_no_process(laurels: Laurels) -> None:
    assert laurels.group_commit._long._process is None
    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"


@lasting
async def test_another_revision_of_the_catalog_is_noticed(laurels: Laurels, database: str) -> None:
    context = DecisionContext(laurels.catalog, revision=(99, "other"))
    request = LoadRequest(frozenset({"ada"}), frozenset(), laurels.catalog.rules, in_full=frozenset({"ada"}))
    process = HistoryProcess(DatabaseSettings(DatabaseUrl(database)))
    try:
        job = Job(context, request, [ReverseEvent("ada", "e0", datetime.now(UTC), "a mistake", "anna")])
        with pytest.raises(OtherRevision):
            await asyncio.to_thread(process.compute, job)
    finally:
        assert process.end() == 0


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_it_reads_the_schema_of_its_community(database: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Laurels.open(database, schema="chess") as one:
        await fill(one)
        assert (await Admin(one).reverse("ada", "e0", "a mistake", "anna")).status == "applied"
        assert process_of(one).is_running
        assert await Admin(one).verify("ada") == []
    assert caplog.records == []


@lasting
def test_the_synchronous_api_has_it_too(database: str) -> None:
    with BlockingLaurels(database) as laurels:
        for number in range(6):
            laurels.record(Event("ada", f"e{number}", "agent.created"))
        assert laurels.admin.reverse("ada", "e0", "a mistake", "anna").status == "applied"
        assert laurels.run(lambda one: asyncio.sleep(0, process_of(one).is_running))
        assert laurels.admin.verify("ada") == []


EXAMPLES: dict[type[LaurelsError], tuple[Any, ...]] = {
    errors.InvalidInput: ("amount", "must be a number"),
    errors.EventTooLate: ("occurredAt", "is too old"),
    errors.EventTooEarly: ("occurredAt", "is in the future"),
    errors.ZoneChangeTooSoon: (datetime(2026, 1, 2, tzinfo=UTC),),
    errors.MissingScope: ("users:erase",),
    errors.ErasurePending: (datetime(2026, 1, 2, tzinfo=UTC),),
    errors.PastNotStored: (datetime(2026, 1, 2, tzinfo=UTC),),
    errors.Overloaded: ("", 7),
    errors.CatalogError: ([errors.Fault("here", "is wrong", "fix it")],),
    errors.ScenarioError: ([errors.Fault("here", "is wrong", "fix it")],),
}


KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LaurelsError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_sent_to_another_process(kind: type[LaurelsError]) -> None:
    error = kind(*EXAMPLES.get(kind, ()))

    found = unpacked(packed(error))

    assert type(found) is kind
    assert (str(found), found.__dict__) == (str(error), error.__dict__)


def test_a_zone_is_sent_by_its_name() -> None:
    assert unpacked(packed(zone("Europe/Berlin"))) is zone("Europe/Berlin")


def test_many_rows_are_sent_in_pieces() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    marked = [EventRow(Event("ada", f"e{number}", "note", at), None, at, number) for number in range(1201)]
    changes = Changes(marked=marked, revoked=[("ada", "a")], next_notifications={"ada": (1, 2, at)})
    computed = Computed(["answer"], changes, ({"ada": 3}, frozenset(), 0, (1, "x")), "rules")

    first, *pieces = pieces_of(computed)
    found, number = cast(tuple[Computed, int], unpacked(first))
    assert (number, len(pieces)) == (4, 4)
    for piece in pieces:
        add_piece(found, piece)

    assert found == computed
