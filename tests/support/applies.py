"""Applying catalogs that is killed, while another process records events: what must hold after each of them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Self, cast

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.present.plans import CatalogPlan, PlannedUser
from laurels.service.admin import Admin
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from tests.cli.conftest import environment
from tests.service.test_plans import Seen, difference, planned, seen
from tests.support import badge, catalog_text, check_file, check_ledgers, check_tallies, count, sql
from tests.support.killed_apply import SAID

ROOT = Path(__file__).parents[2]
PEOPLE = [f"user-{number:02}" for number in range(45)]
"""More than two transactions bring under a catalog."""

LIVE = PEOPLE[::9]
"""Users of whom another process records events meanwhile."""

SECONDS = 60


def rules(pay: int, at_least: int, second: int, of: str) -> str:
    return catalog_text(
        metrics={"notes": count("note"), "books": count("book")},
        streaks={"writing": {"events": ["note"]}},
        points=[{"id": "note", "events": ["note"], "amount": pay}],
        levels=[{"title": "One", "points": 0}, {"title": "Two", "points": second}],
        badges=[
            {**badge("lost", 10 * pay, metric="notes", at_least=at_least), "holders": "lose"},
            badge("kept", 7, metric="notes", at_least=4),
            badge("rich", 3, points_of=12) | {"holders": "lose"},
        ],
        leaderboards=[
            {"id": "week", "period": "week", "tell_top": 3},
            {"id": "most", "by": "metric", "of": of},
            {"id": "runs", "by": "streak", "of": "writing", "period": "month"},
        ],
    )


FIRST, SECOND = rules(1, 3, 20, "notes"), rules(2, 2, 30, "books")


@contextmanager
def program(module: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of the tests that is ended with the block."""
    command = [sys.executable, "-m", module, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    env = environment(PYTHONPATH=str(ROOT))
    with subprocess.Popen(command, cwd=folder, env=env, **pipes) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            started.kill()


def line_of(started: subprocess.Popen[str]) -> str:
    return cast(IO[str], started.stdout).readline().strip()


class Applies:
    """A database whose catalog goes to and fro between two, by commands that are killed."""

    def __init__(self, database: str, folder: Path, commands: subprocess.Popen[str]) -> None:
        self.database, self.folder, self._commands = database, folder, commands
        self.written = folder / "written"
        self.file = folder / "second.toml"
        self.file.write_text(SECOND)
        self.at_first: dict[str, Seen] = {}
        self.stored = 0
        """How many of the killed commands had stored the revision."""

    @classmethod
    @contextmanager
    def over(cls, database: str, folder: Path) -> Iterator[Self]:
        """Make the users, and record events of some of them until the block ends."""
        with program("tests.support.killed_apply", folder) as commands:
            one = cls(database, folder, commands)
            asyncio.run(one._fill())
            with program("tests.support.live_events", folder, database, str(one.written), *LIVE) as live:
                assert line_of(live) == "ready"
                yield one
                assert live.poll() is None, "recording events failed"
            asyncio.run(one._check_sums())

    async def _fill(self) -> None:
        async with Laurels.open(self.database, Catalog.parse(FIRST)) as laurels:
            now = utc_now()
            await laurels.record_many(
                [
                    Event(name, f"{kind}-{number}", kind, now - timedelta(hours=20 * number + 1))
                    for which, name in enumerate(PEOPLE)
                    for kind, most in (("note", 8), ("book", 5))
                    for number in range(1 + which % most)
                ]
            )
            self.at_first = await seen(laurels, PEOPLE)

    def moved(self, since: int = 0) -> set[str]:
        """The users of whom events were recorded, or may have been, since the file had this size."""
        return set(self.written.read_text()[since:].split())

    # ---- one apply ----------------------------------------------------------------------------

    def apply(self, *, step: int | None = None, after: float | None = None, by_server: bool = False) -> bool:
        """Plan the other catalog and apply it, killed at a step or after a time; then let it be completed, and check all.

        Returns whether it was killed.
        """
        since = self.written.stat().st_size
        plan, effects, before, revisions = asyncio.run(self._plan())
        arguments = self._arguments(plan, revisions)
        is_killed = self._run(arguments, step, after) == -signal.SIGKILL
        is_stored = asyncio.run(self._revisions()) > revisions
        self.stored += is_stored and is_killed
        if not is_stored:
            asyncio.run(self._check_unchanged(before, since))
        if is_stored and is_killed and by_server:
            asyncio.run(self._serve())
        else:
            assert self._run(arguments) == 0, (self.folder / SAID).read_text()
        asyncio.run(self._check(plan, effects, before, since, revisions + 1))
        return is_killed

    def _arguments(self, plan: CatalogPlan, revisions: int) -> list[str]:
        command = ["apply", str(self.file)] if revisions % 2 else ["rollback", "1"]
        return ["catalog", *command, "--plan", plan.token, "--database", self.database]

    def _run(self, arguments: list[str], step: int | None = None, after: float | None = None) -> int:
        asking = cast(IO[str], self._commands.stdin)
        asking.write(json.dumps({"step": step, "arguments": arguments}) + "\n")
        asking.flush()
        child = int(line_of(self._commands))
        if after is not None:
            time.sleep(after)
            with suppress(ProcessLookupError):  # it was faster
                os.kill(child, signal.SIGKILL)
        return int(line_of(self._commands))

    async def _revisions(self) -> int:
        async with Laurels.open(self.database, on_difference="follow") as laurels:
            return len(await Admin(laurels).catalog_revisions())

    async def _plan(self) -> tuple[CatalogPlan, Mapping[str, PlannedUser], dict[str, Seen], int]:
        """The plan with all affected users, what readers see of all users, and how many revisions there are."""
        effects: dict[str, PlannedUser] = {}
        async with Laurels.open(self.database, on_difference="follow") as laurels:
            admin = Admin(laurels)
            revisions = len(await admin.catalog_revisions())
            following = Catalog.parse(SECOND if revisions % 2 else FIRST)
            before = await seen(laurels, PEOPLE)
            plan = await admin.plan_catalog(following, each=lambda user: effects.update({user.user_id: user}))
            return plan, effects, before, revisions

    async def _serve(self) -> None:
        """What a server does in the background when it starts, until all users are under the catalog."""
        async with Laurels.open(self.database, on_difference="follow") as laurels, asyncio.timeout(SECONDS):
            laurels.period_rules.activate()
            await laurels.period_rules.keep_up()
            while (await Admin(laurels).catalog_revisions())[-1].filled_at is None:  # noqa: ASYNC110  # it is stored
                await asyncio.sleep(0.02)

    # ---- what must hold -----------------------------------------------------------------------

    async def _check_unchanged(self, before: Mapping[str, Seen], since: int) -> None:
        async with Laurels.open(self.database, on_difference="follow") as laurels:
            now = await seen(laurels, PEOPLE)
        assert {name: now[name] for name in self._others(since)} == {name: before[name] for name in self._others(since)}

    async def _check(
        self, plan: CatalogPlan, effects: Mapping[str, PlannedUser], before: Mapping[str, Seen], since: int, number: int
    ) -> None:
        async with Laurels.open(self.database, on_difference="follow") as laurels:
            store, admin = laurels.store, Admin(laurels)
            others = await sql(store, "SELECT user_id FROM users WHERE rules <> ?", laurels.catalog.rules)
            row = (await admin.catalog_revisions())[-1]
            assert (others, row.number, row.filled, row.filled_at is None) == ([], number, len(PEOPLE), False)
            now = await seen(laurels, PEOPLE)
            found = {name: difference(name, before[name], now[name], laurels.catalog) for name in self._others(since)}
            expected = {name: planned(effects[name]) if name in effects else None for name in self._others(since)}
            assert found == expected
            if number % 2:  # back again
                untouched = self._others(0)
                assert {name: now[name] for name in untouched} == {name: self.at_first[name] for name in untouched}
            await self._check_nothing_twice(store)
            assert [one async for name in admin.users() for one in await admin.verify(name)] == []

    def _others(self, since: int) -> list[str]:
        moved = self.moved(since)
        return [name for name in PEOPLE if name not in moved]

    async def _check_nothing_twice(self, store: Any) -> None:
        """Under one revision no one is paid for a badge twice, or compensated twice."""
        twice = (
            "SELECT user_id, catalog, ref FROM ledger WHERE reason IN ('badge', 'catalog') "
            "GROUP BY user_id, catalog, reason, ref HAVING count(*) > 1"
        )
        assert await sql(store, twice) == []

    async def _check_sums(self) -> None:
        """What is read in several statements, so that nothing may be written meanwhile."""
        async with Laurels.open(self.database, on_difference="follow") as laurels:
            await check_ledgers(laurels.store)
            await check_tallies(laurels.store)
            await check_file(laurels.store)


def random_times(seed: int, number: int, most: float) -> list[float]:
    """Seconds after which to kill."""
    chance = random.Random(seed)
    return [chance.uniform(0, most) for _ in range(number)]
