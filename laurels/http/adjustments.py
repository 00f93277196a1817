"""Adjustments: changes made by hand, by the app's back end to any user, and by users to their own streaks."""

from __future__ import annotations

from laurels.auth.chain import Caller
from laurels.engine.own_history import MAX_ADJUSTMENT_ID
from laurels.http.access import SESSION, by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import REASON, USER_ID, in_path, reason_in
from laurels.http.sources import source_of
from laurels.http.streaks import PRIVATE
from laurels.http.users import PATH as USER_PATH
from laurels.present.adjustments import AdjustmentResult
from laurels.present.adjustments_in import (
    AdjustmentIn,
    OwnAdjustmentIn,
    adjustment_bodies,
    data_of,
    examples_for,
    kind_of,
    own_adjustment_bodies,
)
from laurels.present.own_history import OWN_ACTOR, OWN_REASON, own_result
from laurels.service.admin import Admin

REFUSALS = ("user-not-found", "streak-not-found", "adjustment-conflict", "adjustment-refused")

GRANT_EXAMPLE = {
    "id": "grant-1",
    "userId": "ada",
    "kind": "grant",
    "reason": "spoke at our conference",
    "actor": "my-app",
    "principal": {"kind": "key", "name": "my-app"},
    "status": "applied",
    "awards": [{"id": "early_adopter", "name": "Early Adopter", "icon": "🌅", "points": 500}],
    "points": {"before": 50, "after": 550},
    "level": {"before": 1, "after": 3, "title": "Intermediate"},
}
PAUSE_EXAMPLE = {
    "id": "holiday-1",
    "userId": "ada",
    "kind": "pause",
    "reason": "by the user",
    "actor": "the user",
    "status": "applied",
    "streaks": {"login": {"before": 3, "after": 3}},
}
ADJUSTMENT_ID = in_path("adjustmentId", "The adjustment's id", "grant-1", MAX_ADJUSTMENT_ID)


@endpoint(
    "POST",
    USER_PATH + "/adjustments",
    access=by_key("adjustments:write"),
    in_languages=True,
    operation=Operation("applyAdjustment", "Apply adjustment", "history"),
    parameters=[USER_ID],
    body=JsonBody(adjustment_bodies(), examples_for("app")),
    result=Result(AdjustmentResult, "What it changed", GRANT_EXAMPLE),
    problems=[*REFUSALS, "badge-not-found", "user-erased"],
)
async def post_adjustment(request: Request[Key, AdjustmentIn]) -> AdjustmentResult:
    """Grant or revoke a badge, give or take points, give freezes, pause or repair a streak, or exclude a user.

    The same id counts once. Every adjustment can be undone.
    """
    body, admin = request.body, Admin(request.context.laurels, source_of(request.scope, request.caller))
    return await admin.adjust(
        request.path["userId"],
        body.id,
        kind_of(body),
        data_of(body),
        body.reason,
        body.actor or request.caller.name,
    )


@endpoint(
    "DELETE",
    USER_PATH + "/adjustments/{adjustmentId}",
    access=by_key("adjustments:write"),
    in_languages=True,
    operation=Operation("undoAdjustment", "Undo adjustment", "history"),
    parameters=[USER_ID, ADJUSTMENT_ID, REASON],
    result=Result(AdjustmentResult, "What changed", {**GRANT_EXAMPLE, "status": "undone"}),
    problems=["adjustment-not-found", "user-erased"],
)
async def delete_adjustment(request: Request[Key, None]) -> AdjustmentResult:
    """Undo an adjustment. With 'reversal:EVENT' as the id, a reversed event counts again.

    Repeating it changes nothing. The history shows both.
    """
    admin = Admin(request.context.laurels, source_of(request.scope, request.caller))
    reason, by = reason_in(request.scope), request.caller.name
    return await admin.undo(request.path["userId"], request.path["adjustmentId"], reason, by)


@endpoint(
    "POST",
    "/api/gamification/adjustments",
    access=SESSION,
    in_languages=True,
    operation=Operation("applyOwnAdjustment", "Pause or repair your streak", "streaks"),
    body=JsonBody(own_adjustment_bodies(), examples_for("user")),
    result=Result(AdjustmentResult, "What it changed", PAUSE_EXAMPLE, headers=PRIVATE),
    problems=REFUSALS,
)
async def post_own_adjustment(request: Request[Caller, OwnAdjustmentIn]) -> AdjustmentResult:
    """Pause a streak from today or a later day on, or repair a gap, as far as the catalog allows users to."""
    body, admin = request.body, Admin(request.context.laurels, source_of(request.scope, request.caller))
    result = await admin.adjust(
        request.caller.user_id, body.id, kind_of(body), data_of(body), OWN_REASON, OWN_ACTOR, own=True
    )
    return own_result(result)


ENDPOINTS = (post_adjustment, delete_adjustment, post_own_adjustment)
