"""/console/users: search, and everything about one user: details, badges, streaks and activity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from laurels.console.guards import Sent, Shown, form, page, redirect, render, user_at
from laurels.console.session import ROOT
from laurels.engine.adjustments import kinds_for
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.values import plain
from laurels.errors import InvalidInput
from laurels.http.parameters import USER_ID, in_query
from laurels.http.problems import InvalidParameter
from laurels.http.requests import text_of, whole_number
from laurels.http.responses import Response
from laurels.http.sources import source_of
from laurels.present.badges import BadgeInfo, Explanation
from laurels.present.catalog import catalog_summary
from laurels.present.entitlements import unlocked_by
from laurels.present.streaks import StreakDay, UserStreak
from laurels.service.admin import Admin

PATH = ROOT + "/users"
ACTIVITY_PAGE = 25
FOUND = 50
CALENDAR_DAYS = 42
MAX_REVISION = 2**62


@plain
class BadgeOf:
    """A badge of the catalog, and why this user has or lacks it."""

    badge: BadgeInfo
    why: Explanation


@plain
class Calendar:
    """A streak and its newest days, in rows of seven from Monday; None is a day that is not shown.

    Weeks and months are no rows: they are listed from the streak itself.
    """

    streak: UserStreak
    weeks: Sequence[Sequence[StreakDay | None]]


@page(PATH, in_query("q"))
async def users_page(request: Shown) -> Response:
    """Search for users."""
    visit = request.caller
    query = (text_of(visit.scope, "q") or "").strip()
    laurels = visit.context.laurels
    found = await laurels.store.find_users(_searchable(query), FOUND) if query else ()
    pending = () if query else await Admin(laurels).pending_erasures()
    return render(visit, "users.html", query=query, found=found, most=FOUND, pending=pending)


def _searchable(text: str) -> str:
    try:
        check_text("q", text, MAX_USER_ID)
    except InvalidInput as error:
        raise InvalidParameter("q", str(error)) from None
    return text


@page(PATH + "/{userId}", USER_ID, in_query("before"), in_query("done"))
async def user_page(request: Shown) -> Response:
    """Show everything about a user."""
    visit, user_id = request.caller, request.path["userId"]
    laurels = visit.context.laurels
    before = whole_number(visit.scope, "before", MAX_REVISION)
    overview = await laurels.overview(user_id, days=CALENDAR_DAYS, limit=ACTIVITY_PAGE, before=before)
    badges = catalog_summary(laurels.catalog, for_operators=True).badges
    return render(
        visit,
        "user.html",
        message=visit.read_message(user_id, text_of(visit.scope, "done")),
        user=overview.user,
        profile=overview.profile,
        excluded=overview.excluded,
        entitlements=overview.entitlements,
        unlocked_by=unlocked_by,
        rank=overview.profile.rank,
        badges=list(map(BadgeOf, badges, overview.explanations)),
        names={badge.id: f"{badge.icon} {badge.name}" for badge in badges},
        calendars=list(map(_calendar, overview.profile.streaks)),
        activity=overview.profile.history,
        before=before,
        kinds=kinds_for("app"),
        sessions=0 if overview.erase_at else len(await Admin(laurels).sessions(user_id)),
        erase_at=overview.erase_at,
    )


@form(PATH + "/{userId}/sessions", USER_ID, role="support")
async def end_sessions(request: Sent) -> Response:
    """End all sessions of a user, and say how many there were."""
    visit, user_id = request.caller, request.path["userId"]
    ended = await visit.admin.end_sessions(user_id, actor=visit.operator)
    line = f"{ended:,} {'session' if ended == 1 else 'sessions'} ended." if ended else "There was no session to end."
    return redirect(user_at(user_id, done=visit.message(user_id, [line])))


@form(PATH + "/{userId}/restore", USER_ID, role="editor")
async def restore_user(request: Sent) -> Response:
    """Undo the pending erasure of a user."""
    visit, user_id = request.caller, request.path["userId"]
    was_pending = await visit.context.laurels.restore_user(user_id, source_of(visit.scope, visit))
    line = "The erasure is undone." if was_pending else "No erasure was pending, so nothing changed."
    return redirect(user_at(user_id, done=visit.message(user_id, [line])))


@page(PATH + "/{userId}/verify", USER_ID)
async def verify_page(request: Shown) -> Response:
    """Compare what is stored of a user with a rebuild from events and adjustments; nothing is written."""
    visit, user_id = request.caller, request.path["userId"]
    laurels = visit.context.laurels
    found = await Admin(laurels).compare(user_id)
    return render(visit, "verify.html", user=await laurels.user(user_id), found=found)


@form(PATH + "/{userId}/verify", USER_ID, role="editor")
async def update_and_verify(request: Sent) -> Response:
    """Bring a user up to date, then show the comparison."""
    user_id = request.path["userId"]
    await Admin(request.caller.context.laurels).verify(user_id)
    return redirect(user_at(user_id, "verify"))


def _calendar(streak: UserStreak) -> Calendar:
    """The days of a streak as a calendar, the newest week first."""
    if streak.unit != "day":
        return Calendar(streak, [])
    days = {day.day: day for day in streak.days}
    weeks: list[list[StreakDay | None]] = []
    monday = _monday(max(days)) if days else None
    while monday and days and monday >= _monday(min(days)):
        weeks.append([days.get(monday + timedelta(days=index)) for index in range(7)])
        monday -= timedelta(days=7)
    return Calendar(streak, weeks)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


ENDPOINTS = (users_page, user_page, end_sessions, restore_user, verify_page, update_and_verify)
