"""`laurels verify`: compare what is stored with a rebuild of it, in several processes, while servers work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.maintenance import save_maintenance_run
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import console, count_progress
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserErased, UserNotFound
from laurels.service.admin import Admin, Difference
from laurels.service.opening import changing, reading
from laurels.settings import Settings


@dataclass(frozen=True, slots=True)
class Part:
    """Some users in the order of their ids: those past `after`, up to `last`."""

    after: str
    last: str
    users: int


class DifferenceInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One thing in which a user's stored state differs from a rebuild."""

    user_id: str | None
    what: str
    stored: str
    rebuilt: str


class Verified(msgspec.Struct, frozen=True, rename="camel"):
    """How many users were compared, every difference, and how many tallies of the boards are wrong."""

    ok: bool
    users: int
    wrong_tallies: int
    differences: list[DifferenceInfo]


def verify(
    *,
    user: Annotated[str | None, Parameter(help="only this user, and no boards", show_default=False)] = None,
    processes: Annotated[
        int | None,
        Parameter(
            help="how many processes share the work (default: one for each processor)",
            validator=Number(gte=1, lte=256),
            show_default=False,
        ),
    ] = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Compare every user's stored state, and the boards, with a rebuild, and print each difference. Servers may work meanwhile.

    Exits 1 where there is a difference; 'laurels rebuild' mends it. The database keeps when this was done, and what was found.
    """
    if user is not None:
        check_text("USER", user, MAX_USER_ID)
    settings = settings_of(database=database, catalog=catalog)
    verified = asyncio.run(_one(settings, user)) if user is not None else verify_all(settings, processes)
    if user is None:
        save_maintenance_run(
            settings,
            "verify",
            {
                "ok": verified.ok,
                "users": verified.users,
                "differences": len(verified.differences),
                "wrongTallies": verified.wrong_tallies,
            },
        )
    if json:
        emit(verified)
    else:
        show(verified)
    return OK if verified.ok else REJECTED


async def _one(settings: Settings, user_id: str) -> Verified:
    async with changing(settings) as laurels:
        try:
            found = await Admin(laurels).verify(user_id)
        except UserNotFound:
            raise UserNotFound(f"nobody has the id '{user_id}'") from None
        return Verified(not found, 1, 0, _shapes(found))


def verify_all(settings: Settings, processes: int | None = None, *, writing: bool = True) -> Verified:
    """Compare every user and the boards with a rebuild, in several processes (None: one for each processor).

    Users who were made under other rules, or before an amnesty, are brought under today's first; without `writing`, they are
    left out.
    """
    parts, wrong = asyncio.run(_parts(settings))
    workers = min(processes or len(os.sched_getaffinity(0)), max(1, len(parts)))
    passed, users, differences = 0, 0, list[Difference]()
    with count_progress("Verifying", sum(part.users for part in parts)) as update:
        for part, (compared, found) in zip(parts, _compared(settings, parts, workers, writing=writing), strict=True):
            passed += part.users
            users += compared
            differences += found
            update(passed)
    return Verified(not differences and not wrong, users, wrong, _shapes(differences))


def _shapes(differences: Sequence[Difference]) -> list[DifferenceInfo]:
    return [DifferenceInfo(one.user_id, one.what, one.stored, one.rebuilt) for one in differences]


async def _parts(settings: Settings) -> tuple[list[Part], int]:
    """All users in parts, and how many tallies are wrong."""
    async with reading(settings) as laurels:
        parts: list[Part] = []
        async for page in Admin(laurels).pages():
            parts.append(Part(parts[-1].last if parts else "", page[-1], len(page)))
        return parts, await laurels.store.wrong_tallies()


def _compared(
    settings: Settings, parts: Sequence[Part], workers: int, *, writing: bool
) -> Iterator[tuple[int, list[Difference]]]:
    """Of each part, in order, how many users were compared and what differed, from as many processes as asked for."""
    compare = partial(_compare, settings, writing=writing)
    if workers == 1:
        yield from map(compare, parts)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
    try:
        yield from pool.map(compare, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _compare(settings: Settings, part: Part, *, writing: bool) -> tuple[int, list[Difference]]:
    """What is found over a store of its own."""
    return asyncio.run(_compare_part(settings, part, writing=writing))


async def _compare_part(settings: Settings, part: Part, *, writing: bool) -> tuple[int, list[Difference]]:
    users, differences = 0, list[Difference]()
    async with changing(settings) as laurels:
        admin = Admin(laurels)
        async for page in admin.pages(part.after, part.last):
            for user_id in page:
                with contextlib.suppress(UserNotFound, UserErased):  # erased since the part was made
                    found = await (admin.verify(user_id) if writing else admin.compare(user_id))
                    if found is not None:
                        users += 1
                        differences += found
    return users, differences


def show(verified: Verified) -> None:
    """What was found, for people."""
    to = console()
    for one in verified.differences:
        name = Text(f"{one.user_id}: {one.what}", style="bold")
        to.print(name + Text(f"\n  stored   {one.stored}\n  rebuilt  {one.rebuilt}", style="not bold"), soft_wrap=True)
    if verified.wrong_tallies:
        to.print(Text(f"boards: {counted(verified.wrong_tallies, 'wrong tally', 'wrong tallies')}", style="bold"))
    if verified.ok:
        note(f"{counted(verified.users, 'user')} compared, no difference.")
    else:
        found = counted(len(verified.differences), "difference")
        note(f"{counted(verified.users, 'user')} compared, {found}; 'laurels rebuild' mends them.")
