"""`laurels user sessions` and `sign-out`."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.storage.contract import AuditFilter
from tests.cli.conftest import Cli


def fill(database: str, sessions: int) -> None:
    async def run() -> None:
        async with Laurels.open(database) as laurels:
            await laurels.update_user("ada")
            await laurels.update_user("gone")
            await laurels.erase_user("gone")
            for number in range(sessions):
                now = utc_now()
                await laurels.store.add_session("ada", b"%d" % number, now, now + timedelta(days=1))

    asyncio.run(run())


def test_a_user_is_signed_out_with_a_row_of_the_audit(cli: Cli, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'app.db'}"
    fill(database, 3)
    at = ("--database", database)
    found = json.loads(cli("user", "sessions", "ada", *at, "--json").out)["sessions"]
    assert len(found) == 3

    one = cli("user", "sign-out", "ada", "--session", found[0]["id"], *at)
    rest = cli("user", "sign-out", "ada", "--reason", "a lost phone", *at, "--json")

    assert (one.code, one.err) == (0, "Ended 1 session of 'ada'.\n")
    assert json.loads(rest.out) == {"ended": 2}
    assert cli("user", "sessions", "ada", *at).out == "No sessions.\n"

    async def audited() -> None:
        async with Laurels.open(database) as laurels:
            last, first = await laurels.store.audit(9, only=AuditFilter(kind="user.signed_out"))
            assert (last.detail["sessions"], last.detail["reason"]) == (2, "a lost phone")
            assert first.detail["session"] == found[0]["id"]
            assert last.principal is not None
            assert last.principal.kind == "cli"

    asyncio.run(audited())


def test_users_and_sessions_that_are_not_there_are_named(cli: Cli, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'app.db'}"
    fill(database, 0)
    at = ("--database", database)
    for arguments, words in (
        (("sign-out", "eve"), "there is no user 'eve'"),
        (("sessions", "eve"), "there is no user 'eve'"),
        (("sign-out", "gone"), "This user was erased"),
        (("sign-out", "ada", "--session", "x"), "the user 'ada' has no session 'x'"),
    ):
        ended = cli("user", *arguments, *at)
        assert ended.code == 3
        assert words in ended.err
