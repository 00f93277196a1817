"""/console/users/{id}/acts, /reverse and /undo: what an operator does to a user. Each says why, and counts once.

A form carries the id of the act that it will be, made when it was shown: sent twice, it is told once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from laurels.commands.events import Applied
from laurels.console.guards import Form, Sent, Shown, field_of, form, page, redirect, render, user_at
from laurels.console.session import ROOT, Visit, new_nonce
from laurels.engine.events import MAX_EVENT_ID, check_text
from laurels.engine.values import plain
from laurels.errors import AdjustmentConflict, AdjustmentRefused, BadgeNotFound, InvalidInput, StreakNotFound
from laurels.http.parameters import USER_ID, name_in_path
from laurels.http.problems import NoSuchPage, kind_of
from laurels.http.requests import text_of
from laurels.http.responses import Response
from laurels.present.shapes import AdjustmentResult, NumberChange
from laurels.service.admin import MAX_REASON, Admin, check_adjustment

USER = ROOT + "/users/{userId}"
KIND = name_in_path("kind")
MAX_ADJUSTMENT_ID = len("reversal:") + MAX_EVENT_ID

REFUSALS = (InvalidInput, BadgeNotFound, StreakNotFound, AdjustmentRefused, AdjustmentConflict)
"""What the form itself can show, with all that was typed."""

Fields = Mapping[str, Any]


@plain
class Field:
    """A field of a form. `of` is what can stand in it: badge, streak, any_streak, number or date."""

    name: str
    label: str
    of: str
    help: str = ""


@plain
class Kind:
    """A kind of act as a form. `takes` says of which data it takes something away, and so asks again."""

    id: str
    verb: str
    meaning: str
    fields: Sequence[Field] = ()
    takes: Callable[[Fields], bool] = lambda _: False


STREAK = Field("streak", "Streak", "streak")
BADGE = Field("badge", "Badge", "badge")

KINDS = {
    kind.id: kind
    for kind in (
        Kind("grant", "Grant a badge", "Gives a badge with its points, whatever its condition says.", [BADGE]),
        Kind(
            "revocation",
            "Revoke a badge",
            "Takes a badge away with the points it paid. It is not awarded again until this is undone, or it is granted.",
            [BADGE],
            lambda _: True,
        ),
        Kind(
            "points",
            "Adjust points",
            "Gives points, or takes them away with a negative number; never below 0.",
            [Field("amount", "Points", "number", "such as 50, or -50 to take them away")],
            lambda data: data["amount"] < 0,
        ),
        Kind(
            "freezes",
            "Add freezes",
            "Each freeze covers one missed day from today on, if the whole gap can be covered.",
            [STREAK, Field("count", "How many", "number", "from 1 to 1,000")],
        ),
        Kind(
            "pause",
            "Excuse days",
            "Nothing is required on these days: no streak ends by them. They may lie behind or ahead.",
            [
                Field("streak", "Streak", "any_streak"),
                Field("first", "First day", "date"),
                Field("last", "Last day", "date", "included"),
            ],
        ),
        Kind(
            "repair",
            "Repair a missed day",
            "Closes the gap that holds this missed day, so that the run before it goes on.",
            [STREAK, Field("day", "Missed day", "date")],
        ),
        Kind(
            "exclusion",
            "Exclude from leaderboards",
            "Keeps the user off every leaderboard until this is undone; points and badges stay.",
            takes=lambda _: True,
        ),
    )
}


@plain
class Requested:
    """An act as its form shows it: of whom, what is to be done, and under which id it will count once."""

    user_id: str
    kind: Kind
    adjustment_id: str
    typed: Form
    error: Exception | None = None


# ---- what is told of a user -------------------------------------------------------------------


@page(USER + "/acts/{kind}", USER_ID, KIND)
async def adjustment_page(request: Shown) -> Response:
    """Show the form of an adjustment."""
    kind = _kind(request.path["kind"])
    known = {field.name: text_of(request.scope, field.name) or "" for field in kind.fields}
    return await _ask(request.caller, Requested(request.path["userId"], kind, new_nonce(), known))


@form(USER + "/acts/{kind}", USER_ID, KIND)
async def apply_adjustment(request: Sent) -> Response:
    """Apply an adjustment, once it is complete and, where it takes something away, confirmed."""
    visit, kind, typed = request.caller, request.path["kind"], request.body
    asked = Requested(request.path["userId"], _kind(kind), typed.get("act", ""), typed)
    reason = typed.get("reason", "").strip()
    try:
        data = _data(asked.kind, typed)
        check_adjustment(kind, data, reason, visit.operator)
        if asked.kind.takes(data) and typed.get("confirmed") != "yes":
            return await _ask(visit, asked, "confirm.html")
        admin = Admin(visit.context.laurels)
        told = await admin.tell(asked.user_id, asked.adjustment_id, kind, data, reason, visit.operator)
    except REFUSALS as error:
        return await _ask(visit, _refused(asked, error))
    return _go_on(visit, told)


def _refused(asked: Requested, error: Exception) -> Requested:
    """The form with its error. One that was sent before with other content becomes an act of its own."""
    adjustment_id = new_nonce() if isinstance(error, AdjustmentConflict) else asked.adjustment_id
    return Requested(asked.user_id, asked.kind, adjustment_id, asked.typed, error)


async def _ask(visit: Visit, asked: Requested, template: str = "act.html") -> Response:
    laurels = visit.context.laurels
    return render(
        visit,
        template,
        status=kind_of(asked.error).status if asked.error else 200,
        user=await laurels.user(asked.user_id),
        asked=asked,
        wrong=field_of(asked.error, ["reason", *(field.name for field in asked.kind.fields)]),
        badges=laurels.views.whole_catalog().badges,
        streaks=list(laurels.catalog.streaks),
        longest=MAX_REASON,
    )


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise NoSuchPage
    return KINDS[kind]


def _data(kind: Kind, typed: Form) -> dict[str, Any]:
    """What was typed, as the data of an act. Raises InvalidInput."""
    data: dict[str, Any] = {field.name: typed.get(field.name, "").strip() for field in kind.fields}
    for field in kind.fields:
        if field.of == "number":
            data[field.name] = _number(field.name, data[field.name])
        elif not data[field.name] and field.of != "any_streak":
            raise InvalidInput(field.name, "must be given")
    return data


def _number(name: str, text: str) -> int:
    sign, digits = (-1, text[1:]) if text[:1] in ("-", "−") else (1, text.removeprefix("+"))
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS):
        raise InvalidInput(name, "must be a whole number")
    return sign * int(digits)


MAX_DIGITS = 18


# ---- taking back an event, or an act ----------------------------------------------------------


@plain
class Back:
    """What a form takes back: an event, or an act. `address` is where it is sent."""

    address: str
    verb: str
    meaning: str
    name: str


@page(USER + "/reverse", USER_ID)
async def reverse_page(request: Shown) -> Response:
    """Show the form that reverses an event."""
    return await _show_back(request, REVERSE)


@form(USER + "/reverse", USER_ID)
async def reverse_event(request: Sent) -> Response:
    """Take an event back, with everything that followed from it."""
    return await _take_back(request, REVERSE)


@page(USER + "/undo", USER_ID)
async def undo_page(request: Shown) -> Response:
    """Show the form that undoes an adjustment."""
    return await _show_back(request, UNDO)


@form(USER + "/undo", USER_ID)
async def undo_adjustment(request: Sent) -> Response:
    """Undo an adjustment, or a reversal."""
    return await _take_back(request, UNDO)


REVERSE = Back(
    "reverse",
    "Reverse the event",
    "The event counts no more: metrics, days, badges, points, level and places on leaderboards follow. "
    "The history keeps both, and this can be undone.",
    "event",
)
UNDO = Back("undo", "Undo the act", "What followed from it is taken back, and the history keeps both.", "act")


async def _show_back(request: Shown, back: Back) -> Response:
    wanted = _named(text_of(request.scope, back.name) or "", back)
    return await _ask_back(request.caller, request.path["userId"], back, wanted, {})


async def _take_back(request: Sent, back: Back) -> Response:
    visit, user_id, typed = request.caller, request.path["userId"], request.body
    wanted, reason = _named(typed.get(back.name, ""), back), typed.get("reason", "").strip()
    admin = Admin(visit.context.laurels)
    act: Callable[..., Awaitable[Applied]] = admin.reverse if back is REVERSE else admin.undo
    try:
        check_text("reason", reason, MAX_REASON)
        if back is REVERSE:
            await _known_event(visit, user_id, wanted)
        told = await act(user_id, wanted, reason, visit.operator)
    except REFUSALS as error:
        return await _ask_back(visit, user_id, back, wanted, typed, error)
    return _go_on(visit, told)


async def _known_event(visit: Visit, user_id: str, event_id: str) -> None:
    """A person reverses what they see; an event that never was is a slip. Raises NoSuchPage."""
    if await visit.context.laurels.store.event(user_id, event_id) is None:
        raise NoSuchPage(f"This user has no event '{event_id}'.")


async def _ask_back(
    visit: Visit, user_id: str, back: Back, wanted: str, typed: Form, error: Exception | None = None
) -> Response:
    return render(
        visit,
        "back.html",
        status=kind_of(error).status if error else 200,
        user=await visit.context.laurels.user(user_id),
        back=back,
        wanted=wanted,
        typed=typed,
        error=error,
        longest=MAX_REASON,
    )


def _named(text: str, back: Back) -> str:
    try:
        check_text(back.name, text, MAX_ADJUSTMENT_ID)
    except InvalidInput:
        raise NoSuchPage(f"The address names no {back.name}.") from None
    return text


# ---- what is said in the end ------------------------------------------------------------------


def _go_on(visit: Visit, told: Applied) -> Response:
    """Back to the user's page, which says what changed."""
    shape = visit.context.laurels.views.adjustment_result(told)
    message = visit.message(shape.user_id, lines_of(shape))
    return redirect(user_at(shape.user_id, done=message))


def lines_of(shape: AdjustmentResult) -> list[str]:
    """What an act changed, in sentences."""
    if shape.status == "duplicate":
        return ["This was done already, so nothing changed."]
    lines = [f"{DONE[shape.kind]} was undone." if shape.status == "undone" else f"{DONE[shape.kind]} is recorded."]
    lines += [f"Earned: {award.icon} {award.name} ({award.points:+,})." for award in shape.awards or ()]
    lines += [f"Taken away: {', '.join(shape.revoked)}."] if shape.revoked else []
    lines += [f"Points: {_change(shape.points)}."] if shape.points else []
    lines += [f"Level: {_change(shape.level)}, {shape.level.title}."] if shape.level else []
    lines += [f"The {name} streak: {_change(change)}." for name, change in (shape.streaks or {}).items()]
    return lines if len(lines) > 1 else [*lines, "Badges, points and level stay as they were."]


DONE = {
    "grant": "The grant",
    "revocation": "The revocation",
    "points": "The adjustment",
    "freezes": "The gift of freezes",
    "pause": "The excuse",
    "repair": "The repair",
    "exclusion": "The exclusion",
    "reversal": "The reversal",
}


def _change(change: Any) -> str:
    numbers = cast(NumberChange, change)
    return f"{numbers.before:,} → {numbers.after:,}"


ENDPOINTS = (adjustment_page, apply_adjustment, reverse_page, reverse_event, undo_page, undo_adjustment)
