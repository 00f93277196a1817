"""`laurels diff` and `laurels bisect`: what changed for a user between two times, and which change made something so."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import Database, Json, WholeNumber, settings_of
from laurels.cli.output import emit, say
from laurels.cli.tables import console
from laurels.engine.instants import read_instant
from laurels.errors import InvalidInput, UserNotFound
from laurels.present.past_changes import Cause, UserDifference
from laurels.service.admin import Admin
from laurels.service.opening import reading
from laurels.settings import Settings

NEVER = 1
"""The exit code where the user never had what was asked about."""


def diff(
    user: Annotated[str, Parameter(help="the user's id")],
    since: Annotated[str, Parameter(help="a time, such as 2026-03-01T09:00:00Z")],
    until: Annotated[str, Parameter(help="a later time")],
    /,
    *,
    database: Database = None,
    json: Json = False,
) -> int:
    """Show what changed for a user between two times: points and where they come from, level, badges, streaks, adjustments."""
    times = _instant("SINCE", since), _instant("UNTIL", until)
    found = asyncio.run(_difference(settings_of(database=database), user, *times))
    if json:
        emit(found)
    else:
        for sentence in found.sentences:
            console().print(Text(sentence), soft_wrap=True)
    return OK


def _instant(name: str, text: str) -> datetime:
    """A time that was typed. Raises InvalidInput, which names the argument."""
    try:
        return read_instant(name, text)
    except InvalidInput as error:
        raise InvalidInput(name, f"{name} {error}") from None


async def _difference(settings: Settings, user_id: str, since: datetime, until: datetime) -> UserDifference:
    async with reading(settings) as laurels:
        try:
            return await Admin(laurels).compare_user(user_id, since, until)
        except UserNotFound as error:
            raise _named(user_id, error) from None


def bisect(
    user: Annotated[str, Parameter(help="the user's id")],
    /,
    *,
    badge: Annotated[str | None, Parameter(help="a badge's id", show_default=False)] = None,
    level: Annotated[WholeNumber | None, Parameter(help="a level, or a higher one", show_default=False)] = None,
    points: Annotated[WholeNumber | None, Parameter(help="this many points, or more", show_default=False)] = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Name the event, adjustment, amnesty or revision of the catalog after which a user has a badge, or lost it.

    The same for a level and for a number of points. Ends with 1 if the user never had it.
    """
    found = asyncio.run(_cause(settings_of(database=database), user, badge, level, points))
    if json:
        emit(found)
    elif found is None:
        say("The user never had it.")
    else:
        _show(found)
    return NEVER if found is None else OK


async def _cause(
    settings: Settings, user_id: str, badge: str | None, level: int | None, points: int | None
) -> Cause | None:
    async with reading(settings) as laurels:
        try:
            return await Admin(laurels).find_cause(user_id, badge=badge, level=level, points=points)
        except UserNotFound as error:
            raise _named(user_id, error) from None


def _named(user_id: str, error: UserNotFound) -> UserNotFound:
    """The error with the user's id, unless it says when there was no such user."""
    return error if error.args != UserNotFound().args else UserNotFound(f"there is no user '{user_id}'")


def _show(found: Cause) -> None:
    to = console()
    to.print(Text(found.sentence, style="bold"), soft_wrap=True)
    points, level = found.points, found.level
    to.print(Text(f"It changed the points from {points.before:,} to {points.after:,}."), soft_wrap=True)
    if level.before != level.after:
        to.print(Text(f"It changed the level from {level.before} to {level.after}."), soft_wrap=True)
    for what, names in (("Earned", found.gained), ("Lost", found.lost)):
        if names:
            to.print(Text(f"{what} badges: {', '.join(names)}."), soft_wrap=True)
