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
from laurels.cli.options import CatalogFile, Database, Json, WholeNumber, settings_of
from laurels.cli.output import counted, emit, note, when
from laurels.cli.tables import console, count_progress
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserNotFound
from laurels.present.verification import Verification, joined
from laurels.service.opening import changing
from laurels.service.verify import verify_user
from laurels.service.verify_database import verify_database
from laurels.settings import Settings


def verify(
    *,
    user: Annotated[str | None, Parameter(help="only this user, and no leaderboards", show_default=False)] = None,
    processes: Annotated[
        WholeNumber | None,
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
            return joined([await verify_user(laurels.core, user_id)])
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None


def verify_all(settings: Settings, processes: int | None = None, *, refresh: bool = True) -> Verification:
    """Compare every user and the leaderboards with a rebuild, and show the progress. See `verify_database`."""
    return verify_database(settings, processes, partial(count_progress, "Verifying"), refresh=refresh)


def show(verified: Verification) -> None:
    """Print the differences."""
    to = console()
    for difference in verified.differences:
        whose = f"{difference.user_id}: " if difference.user_id else ""
        name = Text(whose + difference.what, style="bold")
        values = Text(f"\n  stored   {difference.stored}\n  rebuilt  {difference.rebuilt}", style="not bold")
        to.print(name + values, soft_wrap=True)
    if verified.wrong_tallies:
        to.print(Text(f"leaderboards: {counted(verified.wrong_tallies, 'wrong tally', 'wrong tallies')}", style="bold"))
    if verified.ahead_of_clock:
        ahead = counted(verified.users_ahead_of_clock, "user")
        note(
            f"{ahead} with events that lie ahead of the clock, up to {when(verified.ahead_of_clock)}, compared as of then: "
            "Laurels-Now moves no clock; 'laurels clock set' does."
        )
    if verified.ok:
        note(f"{counted(verified.users, 'user')} compared, no difference.")
    else:
        found = counted(len(verified.differences), "difference")
        note(f"{counted(verified.users, 'user')} compared, {found}; 'laurels rebuild' fixes them.")
