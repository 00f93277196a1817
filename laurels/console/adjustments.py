"""/console/users/{id}/adjustments, /reverse and /undo: what an operator changes by hand, with a reason.

A form carries the id of its adjustment, made when the form was shown: sent twice, it counts once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from laurels.console.guards import Form, Sent, Shown, field_of, form, page, redirect, render, user_at
from laurels.console.session import ROOT, Visit, new_nonce
from laurels.engine.adjustments import KINDS, Adjustment
from laurels.engine.events import check_text
from laurels.engine.fields import Field
from laurels.engine.own_history import MAX_ADJUSTMENT_ID
from laurels.engine.values import plain
from laurels.errors import AdjustmentConflict, AdjustmentRefused, BadgeNotFound, InvalidInput, StreakNotFound
from laurels.http.parameters import USER_ID, in_query, name_in_path
from laurels.http.problems import NoSuchPage, kind_of
from laurels.http.requests import text_of
from laurels.http.responses import Response
from laurels.present.adjustments import AdjustmentResult
from laurels.present.catalog import catalog_summary
from laurels.present.changes import NumberChange
from laurels.service.admin import MAX_REASON, check_adjustment

USER = ROOT + "/users/{userId}"
KIND = name_in_path("kind")
FIELDS = sorted({field.name for kind in KINDS.values() for field in kind.fields()})
"""What a link to a form may fill in."""

MAX_DIGITS = 18

REFUSALS = (InvalidInput, BadgeNotFound, StreakNotFound, AdjustmentRefused, AdjustmentConflict)
"""Errors that the form itself shows, with everything that was typed."""


@plain
class AdjustmentForm:
    """A form of one kind of adjustment for one user, under the id that makes it count once."""

    user_id: str
    kind: type[Adjustment]
    adjustment_id: str
    typed: Form
    error: Exception | None = None


# ---- applying an adjustment -------------------------------------------------------------------


@page(USER + "/adjustments/{kind}", USER_ID, KIND, *map(in_query, FIELDS), role="support")
async def adjustment_page(request: Shown) -> Response:
    """Show the form of a kind of adjustment."""
    kind = _kind(request.path["kind"])
    typed = {field.name: text_of(request.scope, field.name) or "" for field in kind.fields()}
    return await _show(request.caller, AdjustmentForm(request.path["userId"], kind, new_nonce(), typed))


@form(USER + "/adjustments/{kind}", USER_ID, KIND, role="support")
async def apply_adjustment(request: Sent) -> Response:
    """Apply an adjustment, once it is complete and, if it takes something away, confirmed."""
    visit, kind, typed = request.caller, _kind(request.path["kind"]), request.body
    shown_form = AdjustmentForm(request.path["userId"], kind, typed.get("adjustment", ""), typed)
    reason = typed.get("reason", "").strip()
    try:
        data = _data(kind, typed)
        adjustment = check_adjustment(kind.kind, data, reason, visit.operator)
        if adjustment.takes_away() and typed.get("confirmed") != "yes":
            return await _confirm(visit, shown_form, adjustment)
        user_id, adjustment_id = shown_form.user_id, shown_form.adjustment_id
        result = await visit.admin.adjust(user_id, adjustment_id, kind.kind, data, reason, visit.operator)
    except REFUSALS as error:
        return await _show(visit, _refused(shown_form, error))
    return _to_user(visit, result)


def _refused(shown_form: AdjustmentForm, error: Exception) -> AdjustmentForm:
    """The form with its error. One that was sent before with other content gets a new id."""
    adjustment_id = new_nonce() if isinstance(error, AdjustmentConflict) else shown_form.adjustment_id
    return AdjustmentForm(shown_form.user_id, shown_form.kind, adjustment_id, shown_form.typed, error)


async def _show(visit: Visit, shown_form: AdjustmentForm) -> Response:
    laurels = visit.context.laurels
    return render(
        visit,
        "adjustment.html",
        status=kind_of(shown_form.error).status if shown_form.error else 200,
        user=await laurels.user(shown_form.user_id),
        form=shown_form,
        wrong=field_of(shown_form.error, ["reason", *(field.name for field in shown_form.kind.fields())]),
        badges=catalog_summary(laurels.catalog, for_operators=True).badges,
        streaks=list(laurels.catalog.streaks),
        kinds=list(laurels.catalog.kinds.values()),
        longest=MAX_REASON,
    )


async def _confirm(visit: Visit, shown_form: AdjustmentForm, adjustment: Adjustment) -> Response:
    laurels = visit.context.laurels
    user = await laurels.user(shown_form.user_id)
    badges = {badge.id: badge.name for badge in laurels.catalog.badges}
    question = adjustment.question(user.name or user.user_id, badges)
    return render(visit, "confirm.html", user=user, form=shown_form, question=question)


def _kind(kind: str) -> type[Adjustment]:
    if kind not in KINDS or "app" not in KINDS[kind].applied_by:
        raise NoSuchPage
    return KINDS[kind]


def _data(kind: type[Adjustment], typed: Form) -> dict[str, Any]:
    """What was typed, as the data of an adjustment. Raises InvalidInput."""
    return {field.name: _value(field, typed.get(field.name, "").strip()) for field in kind.fields()}


def _value(field: Field, text: str) -> str | int | bool:
    if field.type == "flag":
        return text == "yes"
    if field.type == "number":
        return _number(field.name, text)
    if not text and field.default is None:
        raise InvalidInput(field.name, "must not be empty")
    return text


def _number(name: str, text: str) -> int:
    sign, digits = (-1, text[1:]) if text[:1] in ("-", "−") else (1, text.removeprefix("+"))
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS):
        raise InvalidInput(name, "must be a whole number")
    return sign * int(digits)


# ---- reversing an event, or undoing an adjustment ---------------------------------------------


@plain
class UndoForm:
    """A form that reverses an event or undoes an adjustment. `address` is where it is sent, `name` its hidden field."""

    address: str
    verb: str
    meaning: str
    name: str


@page(USER + "/reverse", USER_ID, in_query("event"), role="support")
async def reverse_page(request: Shown) -> Response:
    """Show the form that reverses an event."""
    return await _new_undo_form(request, REVERSE)


@form(USER + "/reverse", USER_ID, role="support")
async def reverse_event(request: Sent) -> Response:
    """Reverse an event, with everything that it led to."""
    return await _undo(request, REVERSE)


@page(USER + "/undo", USER_ID, in_query("adjustment"), role="support")
async def undo_page(request: Shown) -> Response:
    """Show the form that undoes an adjustment."""
    return await _new_undo_form(request, UNDO)


@form(USER + "/undo", USER_ID, role="support")
async def undo_adjustment(request: Sent) -> Response:
    """Undo an adjustment or a reversal."""
    return await _undo(request, UNDO)


REVERSE = UndoForm(
    "reverse",
    "Reverse event",
    "The event no longer counts: metrics, streaks, badges, points, level and ranks follow. The history shows both, and "
    "this can be undone.",
    "event",
)
UNDO = UndoForm("undo", "Undo adjustment", "Everything it changed is taken back. The history shows both.", "adjustment")


async def _new_undo_form(request: Shown, undo_form: UndoForm) -> Response:
    target = _id_of(text_of(request.scope, undo_form.name) or "", undo_form)
    return await _show_undo_form(request.caller, request.path["userId"], undo_form, target, {})


async def _undo(request: Sent, undo_form: UndoForm) -> Response:
    visit, user_id, typed = request.caller, request.path["userId"], request.body
    target, reason = _id_of(typed.get(undo_form.name, ""), undo_form), typed.get("reason", "").strip()
    admin = visit.admin
    undo: Callable[..., Awaitable[AdjustmentResult]] = admin.reverse if undo_form is REVERSE else admin.undo
    try:
        check_text("reason", reason, MAX_REASON)
        if undo_form is REVERSE:
            await _check_event(visit, user_id, target)
        result = await undo(user_id, target, reason, visit.operator)
    except REFUSALS as error:
        return await _show_undo_form(visit, user_id, undo_form, target, typed, error)
    return _to_user(visit, result)


async def _check_event(visit: Visit, user_id: str, event_id: str) -> None:
    """A person reverses an event that they see, so an unknown one is a mistake. Raises NoSuchPage."""
    if await visit.context.laurels.store.event(user_id, event_id) is None:
        raise NoSuchPage(f"This user has no event '{event_id}'.")


async def _show_undo_form(
    visit: Visit, user_id: str, undo_form: UndoForm, target: str, typed: Form, error: Exception | None = None
) -> Response:
    return render(
        visit,
        "undo.html",
        status=kind_of(error).status if error else 200,
        user=await visit.context.laurels.user(user_id),
        form=undo_form,
        target=target,
        typed=typed,
        error=error,
        longest=MAX_REASON,
    )


def _id_of(text: str, undo_form: UndoForm) -> str:
    try:
        check_text(undo_form.name, text, MAX_ADJUSTMENT_ID)
    except InvalidInput:
        raise NoSuchPage(f"The address names no {undo_form.name}.") from None
    return text


# ---- what it changed --------------------------------------------------------------------------


def _to_user(visit: Visit, result: AdjustmentResult) -> Response:
    """Redirect to the user's page, which shows what changed."""
    message = visit.message(result.user_id, lines_of(result))
    return redirect(user_at(result.user_id, done=message))


def lines_of(result: AdjustmentResult) -> list[str]:
    """What an adjustment changed, in sentences."""
    if result.status == "duplicate":
        return ["Already done, so nothing changed."]
    noun = KINDS[result.kind].noun
    lines = [f"{noun.capitalize()} undone." if result.status == "undone" else f"{noun.capitalize()} recorded."]
    lines += [f"Earned: {award.icon} {award.name} ({award.points:+,})." for award in result.awards]
    lines += [f"Taken away: {', '.join(result.revoked)}."] if result.revoked else []
    lines += [f"Points: {_change(result.points)}."] if result.points else []
    lines += [f"Balance: {_change(result.balance)}."] if result.balance else []
    lines += [f"Level: {_change(result.level)}, {result.level.title}."] if result.level else []
    lines += [f"{name.capitalize()} streak: {_change(change)}." for name, change in result.streaks.items()]
    return lines if len(lines) > 1 else [*lines, "Badges, points and level did not change."]


def _change(change: Any) -> str:
    numbers = cast(NumberChange, change)
    return f"{numbers.before:,} → {numbers.after:,}"


ENDPOINTS = (adjustment_page, apply_adjustment, reverse_page, reverse_event, undo_page, undo_adjustment)
