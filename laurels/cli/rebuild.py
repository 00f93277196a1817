"""`laurels rebuild`: rebuild users and leaderboards from events and adjustments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import steps_progress
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserErased, UserNotFound
from laurels.service.admin import Admin
from laurels.service.closed_lines import fix_database
from laurels.service.opening import changing
from laurels.service.supplies import fix_supplies
from laurels.settings import Settings

BATCH = 20
"""How many users share a transaction: with more, a running server would wait too long."""


class Rebuilt(msgspec.Struct, frozen=True, rename="camel"):
    """How many users were rebuilt, how many of them differed, and how many leaderboard tallies were wrong."""

    users: int
    differed: int
    wrong_tallies: int


def rebuild(
    *,
    user: Annotated[str | None, Parameter(help="only this user, and no leaderboards", show_default=False)] = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Rebuild every user from events and adjustments, and the leaderboards from the users. Servers may run meanwhile.

    Correct users do not change. 'laurels verify' only reports differences.
    """
    if user is not None:
        check_text("USER", user, MAX_USER_ID)
    settings = settings_of(database=database, catalog=catalog)
    rebuilt = asyncio.run(_all(settings) if user is None else _one(settings, user))
    if json:
        emit(rebuilt)
    else:
        note(f"{counted(rebuilt.users, 'user')} rebuilt, {rebuilt.differed:,} differed.")
        if user is None:
            note(f"Leaderboards rebuilt, {counted(rebuilt.wrong_tallies, 'tally', 'tallies')} differed.")
    return OK


async def _one(settings: Settings, user_id: str) -> Rebuilt:
    async with changing(settings) as laurels:
        try:
            return Rebuilt(1, int(await Admin(laurels).rebuild(user_id)), 0)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None


async def _all(settings: Settings) -> Rebuilt:
    async with changing(settings) as laurels:
        admin, users, differed = Admin(laurels), 0, 0
        revision = laurels.rules.in_force.revision
        with steps_progress("Rebuilding", (await laurels.store.counts()).users) as advance:
            async for page in admin.pages():
                for start in range(0, len(page), BATCH):
                    answers = await _rebuild_batch(admin, page[start : start + BATCH], advance)
                    users += len(answers)
                    differed += sum(answers)
        differed += await fix_database(laurels.core) + await fix_supplies(laurels.core)
        wrong = await laurels.store.wrong_tallies()
        await laurels.store.rebuild_tallies()
        await laurels.period_rules.settle(revision)
        return Rebuilt(users, differed, wrong)


async def _rebuild_batch(admin: Admin, user_ids: Sequence[str], advance: Callable[[], None]) -> list[bool]:
    """Rebuild some users in one transaction. Returns whether each differed, without those erased meanwhile."""
    answers = await asyncio.gather(*map(admin.rebuild, user_ids), return_exceptions=True)
    for answer in answers:
        advance()
        if isinstance(answer, BaseException) and not isinstance(answer, UserNotFound | UserErased):
            raise answer
    return [answer for answer in answers if isinstance(answer, bool)]
