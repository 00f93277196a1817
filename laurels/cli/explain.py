"""`laurels explain`: why a user has a badge or not, and why a streak is what it is, day by day."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, when
from laurels.cli.tables import cell, console, table
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.streaks import Streak
from laurels.errors import BadgeNotFound, InvalidInput, StreakNotFound, UserNotFound
from laurels.present.shapes import Explanation, StreakDay, UserStreak
from laurels.present.views import STREAK_DAYS
from laurels.service.opening import changing
from laurels.settings import Settings
from laurels.storage.contract import AmnestyRow, UserRow

DAYS = Number(gte=1, lte=3660)


def explain(
    user: Annotated[str, Parameter(help="the user's id")],
    badge: Annotated[str | None, Parameter(help="the badge's id", show_default=False)] = None,
    *,
    streak: Annotated[str | None, Parameter(help="explain this streak instead", show_default=False)] = None,
    days: Annotated[int, Parameter(help="of how many days (or weeks) of the streak", validator=DAYS)] = STREAK_DAYS,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Say because of which facts and which event a badge was earned, or what is missing; or why a streak is what it is."""
    check_text("USER", user, MAX_USER_ID)
    if (badge is None) == (streak is None):
        raise InvalidInput("BADGE", "name a badge, or a streak with --streak")
    settings = settings_of(database=database, catalog=catalog)
    if badge is not None:
        _badge(asyncio.run(_explain(settings, user, badge)), json=json)
        return OK
    told = asyncio.run(_told(settings, user, streak or "", days))
    if json:
        emit(told.shape)
    else:
        _streak(told)
    return OK


# ---- a badge ----------------------------------------------------------------------------------


async def _explain(settings: Settings, user_id: str, badge_id: str) -> Explanation:
    async with changing(settings) as laurels:
        try:
            return await laurels.explain(user_id, badge_id)
        except UserNotFound:
            raise UserNotFound(f"nobody has the id '{user_id}'") from None
        except BadgeNotFound:
            raise BadgeNotFound(f"the catalog has no badge '{badge_id}'; 'laurels catalog show' lists all") from None


def _badge(shape: Explanation, *, json: bool) -> None:
    if json:
        emit(shape)
        return
    to = console()
    to.print(Text(shape.sentence, style="bold"), soft_wrap=True)
    shown = table("", "asked for", "has", "of", "met", right=("has", "of"))
    for check in shape.checks:
        mark = Text("✓", style="green") if check.met else Text("✗", style="red")
        shown.add_row(
            mark, cell(check.text), f"{check.current:,}", f"{check.target:,}", "yes" if check.met else "not yet"
        )
    to.print(shown)
    if shape.event:
        to.print(Text(f"The event: {shape.event.type}, {when(shape.event.occurred_at)}", style="dim"))


# ---- a streak ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreakStatus:
    """A streak as it reads, with all that can have excused a day of it."""

    streak: Streak
    shape: UserStreak
    user: UserRow
    amnesties: list[AmnestyRow]
    time_zone: str


async def _told(settings: Settings, user_id: str, name: str, days: int) -> StreakStatus:
    """All about one streak of a user. Raises UserNotFound, StreakNotFound."""
    async with changing(settings) as laurels:
        try:
            user = await laurels.current(user_id)
        except UserNotFound:
            raise UserNotFound(f"nobody has the id '{user_id}'") from None
        now = await laurels.now()
        shapes = laurels.views.streaks(user.progress, now, days)
        shape = next((one for one in shapes if one.name == name), None)
        if shape is None:
            raise StreakNotFound(f"the catalog has no streak '{name}'; it has {', '.join(laurels.catalog.streaks)}")
        standing = [row for row in await laurels.store.amnesties() if row.lifted_at is None]
        return StreakStatus(laurels.catalog.streaks[name], shape, user, standing, user.progress.zones.at(now))


def _streak(told: StreakStatus) -> None:
    to = console()
    to.print(Text(sentence(told), style="bold"), soft_wrap=True)
    if not told.shape.days:
        return
    shown = table("week of" if told.streak.weekly else "day", "", "why")
    for day in told.shape.days:
        shown.add_row(cell(f"{day.day:%a %Y-%m-%d}"), Text(day.why, style=STYLES[day.why]), cell(because(told, day)))
    to.print(shown)


def sentence(told: StreakStatus) -> str:
    """As in 'The login streak is 12 days long, since 2026-02-18; it ends 2026-03-03 00:00 (Europe/Berlin) without an event.'."""
    shape, one = told.shape, "week" if told.streak.weekly else "day"
    if shape.status == "none":
        return f"The {shape.name} streak has not begun: no {one} has its event yet."
    longest = f"The longest was {counted(shape.longest, one)}, {shape.longest_from} to {shape.longest_to}"
    freezes = f"; {counted(shape.freezes, 'freeze')} left" if shape.freezes else ""
    if shape.status == "ended":
        return f"The {shape.name} streak has ended: {_end(told)}. {longest}{freezes}."
    until = f"{shape.ends_at_local:%Y-%m-%d %H:%M}" if shape.ends_at_local else ""
    text = f"The {shape.name} streak is {counted(shape.length, one)} long, since {shape.since}, and {_standing(shape)}"
    return f"{text}; without another event it ends {until} ({told.time_zone}). {longest}{freezes}."


def _end(told: StreakStatus) -> str:
    """By which day a streak ended: the first missed one after the newest that was credited."""
    missed = [day.day for day in told.shape.days if day.why == "missed" and day.day > (told.shape.last_day or date.min)]
    on = f"{min(missed)} closed without an event" if missed else "a required day closed without an event"
    return f"its last credited {'week' if told.streak.weekly else 'day'} was {told.shape.last_day}, and {on}"


def _standing(shape: UserStreak) -> str:
    if shape.status == "active":
        return "today's event is there" if shape.days[0].why == "credited" else "nothing is required today"
    return STATUS[shape.status]


STATUS = {
    "at_risk": "it waits for today's event",
    "frozen": "it stands by freezes",
    "paused": "it is paused today",
}
STYLES = {"credited": "green", "frozen": "cyan", "excused": "cyan", "paused": "cyan", "missed": "red", "open": "yellow"}


def because(told: StreakStatus, day: StreakDay) -> str:
    """Why a day (or week) counts as it does."""
    if day.why != "excused":
        return BECAUSE[day.why].replace("day", "week") if told.streak.weekly else BECAUSE[day.why]
    first = day.day.toordinal()
    reasons = [_excuse(told, one) for one in range(first, first + (7 if told.streak.weekly else 1))]
    return "; ".join(dict.fromkeys(reasons))


BECAUSE = {
    "credited": "its events reached what the streak asks of a day",
    "frozen": "it was missed, and a freeze covered it: the run holds, and gets no longer",
    "paused": "a pause covers it: nothing was required",
    "missed": "it closed without its events, and nothing excused it",
    "open": "the day is not over, and its event is still to come",
}


def _excuse(told: StreakStatus, day: int) -> str:
    """Why nothing was required on one day."""
    progress, groups = told.user.progress, told.user.groups
    for row in told.amnesties:
        if row.first_day <= day <= row.last_day and (row.for_group is None or row.for_group in groups):
            return f"an amnesty excuses it: {row.reason}"
    repaired = progress.manual.repairs.get(told.streak.name)
    if repaired is not None and day in repaired:
        return "the gap was repaired"
    if day in progress.zones.skipped():
        return "this date never was in the user's time zone"
    return "it is a day of rest"
