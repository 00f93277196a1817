"""`laurels verify`: compare stored state with a rebuild of it, in several processes, while servers run."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.maintenance import save_maintenance_run
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import console, count_progress
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserNotFound
from laurels.present.verification import Verification
from laurels.service.admin import Admin
from laurels.service.opening import changing
from laurels.service.verify_database import verify_database
from laurels.settings import Settings


def verify(
    *,
    user: Annotated[str | None, Parameter(help="only this user, and no leaderboards", show_default=False)] = None,
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
    """Compare every user and the leaderboards with a rebuild, and print each difference. Servers may run meanwhile.

    Exits 1 if there is a difference, which 'laurels rebuild' fixes. The database stores the time and the result.
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


async def _one(settings: Settings, user_id: str) -> Verification:
    async with changing(settings) as laurels:
        try:
            found = await Admin(laurels).verify(user_id)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None
        return Verification(ok=not found, users=1, wrong_tallies=0, differences=found)


def verify_all(settings: Settings, processes: int | None = None, *, refresh: bool = True) -> Verification:
    """Compare every user and the leaderboards with a rebuild, and show the progress. See `verify_database`."""
    return verify_database(settings, processes, partial(count_progress, "Verifying"), refresh=refresh)


def show(verified: Verification) -> None:
    """Print the differences."""
    to = console()
    for difference in verified.differences:
        name = Text(f"{difference.user_id}: {difference.what}", style="bold")
        values = Text(f"\n  stored   {difference.stored}\n  rebuilt  {difference.rebuilt}", style="not bold")
        to.print(name + values, soft_wrap=True)
    if verified.wrong_tallies:
        to.print(Text(f"leaderboards: {counted(verified.wrong_tallies, 'wrong tally', 'wrong tallies')}", style="bold"))
    if verified.ok:
        note(f"{counted(verified.users, 'user')} compared, no difference.")
    else:
        found = counted(len(verified.differences), "difference")
        note(f"{counted(verified.users, 'user')} compared, {found}; 'laurels rebuild' fixes them.")
