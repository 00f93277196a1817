"""`laurels user erase` and `restore`, `laurels erasures`, and what `laurels restore` makes of pending erasures."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels import Admin, ErasurePending, Laurels
from laurels.engine.events import Event
from laurels.storage.contract import AuditFilter
from laurels.testing import TestClock
from tests.cli.conftest import Cli, environment

ROOT = Path(__file__).parents[2]
LONG_AGO = datetime(2026, 1, 5, 12, tzinfo=UTC)


def use(database: str, work: Callable[[Laurels], Awaitable[Any]], clock: Callable[[], datetime] | None = None) -> Any:
    async def run() -> Any:
        async with Laurels.open(database, **({"clock": clock} if clock else {})) as laurels:  # type: ignore[arg-type]
            return await work(laurels)

    return asyncio.run(run())


@pytest.fixture
def filled(cli: Cli) -> Cli:
    async def fill(laurels: Laurels) -> None:
        for user in ("ada", "bob", "cyd"):
            await laurels.record(Event(user, "1", "agent.created"))
            await laurels.store.add_session(user, user.encode(), LONG_AGO, LONG_AGO + timedelta(days=9999))

    use(cli.database, fill)
    return cli


def at(cli: Cli) -> tuple[str, str]:
    return "--database", cli.database


def ids(cli: Cli) -> list[str]:
    return use(cli.database, lambda laurels: laurels.store.user_ids("", 99))


# ---- erasing ----------------------------------------------------------------------------------


def test_a_user_is_erased_with_a_reason_in_the_audit(filled: Cli) -> None:
    ended = filled("user", "erase", "ada", "--yes", "--reason", "asked by mail", *at(filled))
    assert (ended.code, ended.err) == (0, "Erased 'ada'.\n")
    assert ids(filled) == ["bob", "cyd"]
    (entry,) = json.loads(filled("audit", "--kind", "user.erased", "--json", *at(filled)).out)["entries"]
    assert (entry["principal"]["kind"], entry["reason"]) == ("cli", "asked by mail")
    again = filled("user", "erase", "ada", "--yes", *at(filled))
    assert again.code == 0, "it is safe to repeat"
    assert len(json.loads(filled("audit", "--kind", "user.erased", "--json", *at(filled)).out)["entries"]) == 1


def test_the_file_is_rewritten_before_the_command_ends(filled: Cli) -> None:
    assert filled("user", "erase", "ada", "--yes", *at(filled)).code == 0
    findings = json.loads(filled("doctor", "--json", *at(filled)).out)["findings"]
    assert "erasures" not in {one["what"] for one in findings}


def test_without_a_confirmation_nothing_is_erased(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = filled("user", "erase", "ada", *at(filled))
    assert ended.code == 2
    assert "add --yes" in ended.err

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    for typed, code in (("bob\n", 2), ("\n", 2), ("", 2), ("ada\n", 0)):
        monkeypatch.setattr(sys, "stdin", Typed(typed))
        ended = filled("user", "erase", "ada", *at(filled))
        assert ended.code == code, typed
        assert "erases all data of 'ada' for good" in ended.err
        assert ("ada" in ids(filled)) == bool(code)


def test_a_mistyped_id_is_not_blocked(filled: Cli) -> None:
    ended = filled("user", "erase", "adda", "--yes", *at(filled))
    assert (ended.code, ended.err) == (3, "laurels: there is no user 'adda'\n")
    assert not use(filled.database, lambda laurels: laurels.store.is_erased("adda"))


def test_an_id_that_only_a_waiting_reversal_has_is_erased(filled: Cli) -> None:
    use(filled.database, lambda laurels: Admin(laurels).reverse("eve", "1", "a mistake", "anna"))
    assert filled("user", "erase", "eve", "--yes", *at(filled)).code == 0

    async def left(laurels: Laurels) -> tuple[bool, int]:
        rows = await laurels.store.newest_adjustments(9, only=AuditFilter(user_id="eve"))
        return await laurels.store.is_erased("eve"), len(rows)

    assert use(filled.database, left) == (True, 0)


# ---- after some days --------------------------------------------------------------------------


@pytest.fixture
def delayed(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("LAURELS_RULES_ERASE_AFTER_DAYS", "7")
    return filled


def test_a_user_is_hidden_listed_and_restored(delayed: Cli) -> None:
    ended = delayed("user", "erase", "ada", "--yes", "--reason", "a mail", *at(delayed))
    assert "'ada' is hidden, and will be erased at" in ended.err
    assert "laurels user restore 'ada'" in ended.err
    (one,) = json.loads(delayed("erasures", "list", "--json", *at(delayed)).out)["pending"]
    assert (one["userId"], one["reason"], one["principal"]["kind"]) == ("ada", "a mail", "cli")
    assert "a mail" in delayed("erasures", "list", *at(delayed)).out
    assert "will be erased at" in delayed("user", "show", "ada", *at(delayed)).err
    assert delayed("user", "adjust", "ada", "5", "--reason", "a test", *at(delayed)).code == 3
    assert delayed("erasures", "run", *at(delayed)).err == "Erased 0 users.\n"
    findings = {one["what"]: one for one in json.loads(delayed("doctor", "--json", *at(delayed)).out)["findings"]}
    assert findings["pending erasures"]["found"].startswith("1, the first is due")
    assert findings["pending erasures"]["fix"] == ""

    assert delayed("user", "restore", "ada", *at(delayed)).err == "Restored 'ada'.\n"
    assert "nothing changed" in delayed("user", "restore", "ada", *at(delayed)).err
    assert delayed("user", "restore", "eve", *at(delayed)).code == 3
    assert delayed("erasures", "list", *at(delayed)).out == "No erasures are pending.\n"
    assert delayed("user", "show", "ada", *at(delayed)).code == 0


def test_now_does_not_wait(delayed: Cli) -> None:
    assert delayed("user", "erase", "ada", "--yes", "--now", *at(delayed)).err == "Erased 'ada'.\n"
    assert ids(delayed) == ["bob", "cyd"]


def mark(database: str, *users: str, clock: Callable[[], datetime] | None = None) -> None:
    async def request(laurels: Laurels) -> None:
        for user in users:
            await laurels.erasures.erase(user, after=timedelta(days=7))

    use(database, request, clock)


def test_a_late_run_erases_and_the_doctor_says_that_it_is_late(filled: Cli) -> None:
    mark(filled.database, "ada", clock=TestClock(LONG_AGO))
    ended = filled("doctor", "--json", *at(filled))
    finding = next(one for one in json.loads(ended.out)["findings"] if one["what"] == "pending erasures")
    assert "laurels erasures run" in finding["fix"]
    assert json.loads(filled("erasures", "run", "--json", *at(filled)).out) == {"erased": 1}
    assert ids(filled) == ["bob", "cyd"]


def test_a_process_that_is_killed_leaves_each_user_whole_or_erased(filled: Cli) -> None:
    users = [f"user-{number}" for number in range(60)]

    async def fill(laurels: Laurels) -> None:
        for user in users:
            await laurels.record(Event(user, "1", "agent.created", data={"text": "hidden words"}))

    use(filled.database, fill)
    mark(filled.database, *users, clock=TestClock(LONG_AGO))
    command = [sys.executable, "-m", "laurels", "erasures", "run", *at(filled)]
    killed = 0
    for wait in (0.6, 0.7, 0.8, 0.9, 1.0):
        process = subprocess.Popen(
            command, env=environment(PYTHONPATH=str(ROOT)), cwd=filled.folder, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed
    assert filled("erasures", "run", *at(filled)).code == 0
    assert not {*ids(filled)}.intersection(users)

    async def check(laurels: Laurels) -> None:
        rows = await laurels.store.audit(999, only=AuditFilter(kind="user.erased"))
        assert len(rows) == len({row.target for row in rows}) == len(users)
        assert not await laurels.store.unfinished_erasures()

    use(filled.database, check)
    assert b"hidden words" not in b"".join(file.read_bytes() for file in filled.folder.glob("laurels.db*"))


# ---- restoring an older backup ----------------------------------------------------------------


def restored(cli: Cli, *options: str | Path) -> tuple[str, str]:
    database = f"sqlite:///{cli.folder / 'again.db'}"
    ended = cli("restore", "old.db", *options, "--database", database)
    assert ended.code == 0, ended.err
    return ended.err, database


def backed_up(cli: Cli) -> Cli:
    assert cli("backup", "old.db", *at(cli)).code == 0
    assert cli("user", "erase", "ada", "--yes", *at(cli)).code == 0
    mark(cli.database, "bob")
    return cli


@pytest.mark.parametrize("by", ["list", "database", "backup"])
def test_users_who_are_to_be_erased_since_are_hidden_again(filled: Cli, by: str) -> None:
    cli = backed_up(filled)
    listed = cli("erasures", "export", "list.json", *at(cli))
    assert listed.err == "1 erasure, and 1 pending written to list.json.\n"
    cli("backup", "new.db", *at(cli))
    source = {"list": "list.json", "database": cli.database, "backup": "new.db"}[by]

    said, database = restored(cli, "--erasures", source)

    assert (
        f"By the list '{source}', restore erased 1 user who had been erased since, and hidden 1 user who will be."
        in said
    )
    assert "are as they were then" not in said

    async def check(laurels: Laurels) -> None:
        (bob,) = await laurels.store.pending_erasures(9)
        assert bob.user_id == "bob"
        with pytest.raises(ErasurePending):
            await laurels.profile("bob")
        assert [line.user_id for line in (await laurels.leaderboard()).standings] == ["cyd"]
        assert await Admin(laurels).verify("bob") == []
        assert not await laurels.store.has_session("bob", b"bob", LONG_AGO)
        assert await laurels.store.has_session("cyd", b"cyd", LONG_AGO)
        assert await laurels.restore_user("bob")
        assert len((await laurels.leaderboard()).standings) == 2
        assert await laurels.store.wrong_tallies() == 0

    use(database, check)


def test_without_a_list_the_command_says_that_they_are_back(filled: Cli) -> None:
    said, database = restored(backed_up(filled))
    assert (
        "Users who were erased since the backup, or were to be, are as they were then; --erasures erases them again."
        in said
    )
    assert "By the list" not in said
    assert use(database, lambda laurels: laurels.store.user_ids("", 9)) == ["ada", "bob", "cyd"]


def test_a_pending_erasure_in_a_backup_stays_pending(filled: Cli) -> None:
    mark(filled.database, "cyd")
    _, database = restored(backed_up(filled))
    assert [one.user_id for one in use(database, lambda laurels: laurels.store.pending_erasures(9))] == ["cyd"]


def test_hashes_are_written_in_one_case(filled: Cli) -> None:
    cli = backed_up(filled)
    cli("erasures", "export", "list.json", *at(cli))
    found = json.loads((cli.folder / "list.json").read_text())
    (erased,) = [one["hash"] for one in found["erasures"]]
    (entry,) = json.loads(cli("audit", "--kind", "user.erased", "--json", *at(cli)).out)["entries"]
    assert erased == entry["target"]
    lower = found | {"erasures": [one | {"hash": one["hash"].lower()} for one in found["erasures"]], "pending": []}
    del lower["pending"]  # a list that an earlier version wrote
    (cli.folder / "lower.json").write_text(json.dumps(lower))
    said, _ = restored(cli, "--erasures", "lower.json")
    assert "restore erased 1 user who had been erased since." in said
