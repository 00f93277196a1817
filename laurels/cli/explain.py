"""`laurels explain`: why a user has a badge or not, and why each day of a streak counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, WholeNumber, settings_of
from laurels.cli.output import counted, emit, when
from laurels.cli.tables import cell, console, table
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.names import title_of
from laurels.engine.numbers import decimal_text
from laurels.engine.streaks import Streak
from laurels.errors import BadgeNotFound, InvalidInput, StreakNotFound, UserNotFound
from laurels.present.badges import Explanation
from laurels.present.streaks import STREAK_DAYS, StreakDay, UserStreak, user_streaks
from laurels.service.opening import changing
from laurels.settings import Settings
from laurels.storage.contract import AmnestyRow, UserRow

DAYS = Number(gte=1, lte=3660)


def explain(
    user: Annotated[str, Parameter(help="the user's id")],
    badge: Annotated[str | None, Parameter(help="the badge's id", show_default=False)] = None,
    *,
    streak: Annotated[str | None, Parameter(help="explain this streak instead", show_default=False)] = None,
    days: Annotated[
        WholeNumber, Parameter(help="how many of the newest days, weeks or months", validator=DAYS)
    ] = STREAK_DAYS,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Explain which facts and which event earned a badge, or what is missing; or why each day of a streak counts."""
    check_text("USER", user, MAX_USER_ID)
    if (badge is None) == (streak is None):
        raise InvalidInput("BADGE", "name a badge, or a streak with --streak")
    settings = settings_of(database=database, catalog=catalog)
    if badge is not None:
        _badge(asyncio.run(_explain(settings, user, badge)), json=json)
        return OK
    status = asyncio.run(_read_streak(settings, user, streak or "", days))
    if json:
        emit(status.now)
    else:
        _streak(status)
    return OK


# ---- a badge ----------------------------------------------------------------------------------


async def _explain(settings: Settings, user_id: str, badge_id: str) -> Explanation:
    async with changing(settings) as laurels:
        try:
            return await laurels.explain(user_id, badge_id)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None
        except BadgeNotFound:
            raise BadgeNotFound(f"the catalog has no badge '{badge_id}'; 'laurels catalog show' lists all") from None


def _badge(shape: Explanation, *, json: bool) -> None:
    if json:
        emit(shape)
        return
    to = console()
    to.print(Text(shape.sentence, style="bold"), soft_wrap=True)
    shown = table("", "required", "has", "of", "met", right=("has", "of"))
    for check in shape.checks:
        mark = Text("✓", style="green") if check.met else Text("✗", style="red")
        has = "none yet" if check.current is None else decimal_text(check.current, check.scale)
        target = decimal_text(check.target, check.scale)
        target = f"at most {target}" if check.at_most else target
        shown.add_row(mark, cell(check.text), has, target, "yes" if check.met else "not yet")
    to.print(shown)
    if shape.event:
        to.print(Text(f"The event: {shape.event.type}, {when(shape.event.occurred_at)}", style="dim"))


# ---- a streak ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreakStatus:
    """A streak now, and what may excuse days of it."""

    streak: Streak
    now: UserStreak
    user: UserRow
    amnesties: list[AmnestyRow]
    time_zone: str


async def _read_streak(settings: Settings, user_id: str, name: str, days: int) -> StreakStatus:
    """One streak of a user. Raises UserNotFound, StreakNotFound."""
    async with changing(settings) as laurels:
        try:
            user = await laurels.core.current_user(user_id)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None
        now = await laurels.now()
        shapes = user_streaks(laurels.catalog, user.progress, now, days)
        shape = next((streak for streak in shapes if streak.name == name), None)
        if shape is None:
            raise StreakNotFound(f"the catalog has no streak '{name}'; it has {', '.join(laurels.catalog.streaks)}")
        in_force = [row for row in await laurels.store.amnesties() if row.lifted_at is None]
        return StreakStatus(laurels.catalog.streaks[name], shape, user, in_force, user.progress.zones.at(now))


def _streak(status: StreakStatus) -> None:
    to = console()
    to.print(Text(sentence(status), style="bold"), soft_wrap=True)
    if not status.now.days:
        return
    shown = table(COLUMNS[status.now.unit], "", "why")
    for day in status.now.days:
        shown.add_row(
            cell(f"{day.day:{DATES[status.now.unit]}}"),
            Text(day.why, style=STYLES[day.why]),
            cell(because(status, day)),
        )
    to.print(shown)


COLUMNS = {"day": "day", "week": "week of", "month": "month"}
DATES = {"day": "%a %Y-%m-%d", "week": "%a %Y-%m-%d", "month": "%b %Y"}


def sentence(status: StreakStatus) -> str:
    """As in 'The login streak is 12 days long, since 2026-02-18; it ends 2026-03-03 00:00 (Europe/Berlin) without an event.'."""
    shape, unit = status.now, status.now.unit
    streak = streak_called(shape)
    if shape.status == "none":
        return f"The {streak} has not begun: no {unit} has its {'days' if shape.needed_days else 'event'} yet."
    longest = f"The longest was {counted(shape.longest, unit)}, {shape.longest_from} to {shape.longest_to}"
    freezes = f"; {counted(shape.freezes, 'freeze')} left" if shape.freezes else ""
    if shape.status == "ended":
        return f"The {streak} has ended: {_end(status)}. {longest}{freezes}."
    until = f"{shape.ends_at_local:%Y-%m-%d %H:%M}" if shape.ends_at_local else ""
    text = f"The {streak} is {counted(shape.length, unit)} long, since {shape.since}, and {_standing(shape)}"
    return f"{text}; without another event it ends {until} ({status.time_zone}). {longest}{freezes}."


def _end(status: StreakStatus) -> str:
    """Which unit ended a streak: the first missed one after the newest credited one."""
    missed = [day.day for day in status.now.days if day.why == "missed" and day.day > (status.now.last_day or date.min)]
    unit, without = status.now.unit, "enough days" if status.now.needed_days else "an event"
    on = f"{min(missed)} closed without {without}" if missed else f"a required {unit} closed without {without}"
    return f"its last credited {unit} was {status.now.last_day}, and {on}"


def _standing(shape: UserStreak) -> str:
    now = "today" if shape.unit == "day" else f"this {shape.unit}"
    days = f"{shape.done_days} of {shape.needed_days} days"
    if shape.status == "at_risk":
        return f"{now} has {days} so far" if shape.needed_days else f"{now}'s event is still missing"
    if shape.status == "active":
        if shape.days[0].why != "credited":
            return f"nothing is required {now}"
        return (
            f"{now} has its {counted(shape.needed_days, 'day')}" if shape.needed_days else f"{now}'s event is recorded"
        )
    return "freezes keep it alive" if shape.status == "frozen" else f"it is paused {now}"


def streak_called(shape: UserStreak) -> str:
    """'login streak', or 'streak “Daily practice”' where the catalog has a title."""
    return f"{shape.name} streak" if shape.title == title_of(shape.name) else f"streak “{shape.title}”"


STYLES = {"credited": "green", "frozen": "cyan", "excused": "cyan", "paused": "cyan", "missed": "red", "open": "yellow"}


def because(status: StreakStatus, day: StreakDay) -> str:
    """Why a unit counts as it does."""
    shape, needed = status.now, status.now.needed_days
    if day.why == "excused":
        unit = status.streak.unit(day.day.toordinal())
        reasons = [_excuse(status, one) for one in status.streak.days_of(unit)]
        return "; ".join(dict.fromkeys(filter(None, reasons)))
    if needed and day.why in OF_DAYS:
        return OF_DAYS[day.why].format(unit=shape.unit, needed=needed, done=shape.done_days)
    return BECAUSE[day.why].format(unit=shape.unit)


BECAUSE = {
    "credited": "its events reached what the streak requires of a {unit}",
    "frozen": "it was missed, and a freeze covered it: the streak continues, but does not get longer",
    "paused": "a pause covers it: nothing was required",
    "missed": "it ended without its events, and nothing excused it",
    "open": "the {unit} is not over, and its event is still missing",
}
OF_DAYS = {
    "credited": "{needed} different days of it had their events",
    "missed": "it ended with less than {needed} different days, and nothing excused it",
    "open": "the {unit} is not over, and has {done} of {needed} days",
}
"""The same for a streak that needs a number of days in each unit."""


def _excuse(status: StreakStatus, day: int) -> str:
    """Why nothing was required on one day; '' if the day itself was required, as some days of a week may be."""
    progress, groups = status.user.progress, status.user.groups
    for row in status.amnesties:
        if row.first_day <= day <= row.last_day and (row.for_group is None or row.for_group in groups):
            return f"an amnesty excuses it: {row.reason}"
    repaired = progress.manual.repairs.get(status.streak.name)
    if repaired is not None and day in repaired:
        return "the gap was repaired"
    if day in progress.zones.skipped(status.streak.day_starts):
        return "this date did not exist in the user's time zone"
    return "it is a day of rest" if status.streak.unit_name == "day" else ""
