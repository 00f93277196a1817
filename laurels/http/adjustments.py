"""Adjustments: changes made by hand, by the app's back end to any user, and by users to their own streaks."""

from __future__ import annotations

from typing import Any

import msgspec

from laurels.auth.chain import Caller
from laurels.engine.events import MAX_EVENT_ID
from laurels.http.access import KEY, SESSION
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID, in_path
from laurels.http.streaks import PRIVATE
from laurels.http.users import PATH as USER_PATH
from laurels.present.shapes import (
    AdjustmentIn,
    AdjustmentResult,
    ExclusionIn,
    FreezesIn,
    GrantIn,
    OwnPauseIn,
    OwnRepairIn,
    PauseIn,
    PointsIn,
    RepairIn,
    RevocationIn,
)
from laurels.service.admin import Admin

ADJUSTMENTS: tuple[type[AdjustmentIn], ...] = (
    GrantIn,
    RevocationIn,
    PointsIn,
    FreezesIn,
    PauseIn,
    RepairIn,
    ExclusionIn,
)
"""The kinds of adjustments that the app's back end may make."""

OWN_ADJUSTMENTS: tuple[type[OwnPauseIn | OwnRepairIn], ...] = (OwnPauseIn, OwnRepairIn)
"""The kinds that users may make for themselves."""

REFUSALS = ("user-not-found", "streak-not-found", "adjustment-conflict", "adjustment-refused")
MAX_ADJUSTMENT_ID = len("reversal:") + MAX_EVENT_ID

GRANT_EXAMPLE = {
    "id": "grant-1",
    "userId": "ada",
    "kind": "grant",
    "reason": "spoke at our conference",
    "actor": "my-app",
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
BODIES = {
    "grant": {"id": "grant-1", "kind": "grant", "badge": "early_adopter", "reason": "at our conference"},
    "points": msgspec.to_builtins(PointsIn(id="gift-1", amount=50, reason="birthday")),
}
OWN_BODIES = {
    "pause": {"id": "holiday-1", "kind": "pause", "streak": "login", "first": "2026-07-01", "last": "2026-07-07"}
}
ADJUSTMENT_ID = in_path("adjustmentId", "The adjustment's id", "grant-1", MAX_ADJUSTMENT_ID)


@endpoint(
    "POST",
    USER_PATH + "/adjustments",
    access=KEY,
    operation=Operation("applyAdjustment", "Apply adjustment", "history"),
    parameters=[USER_ID],
    body=JsonBody[AdjustmentIn](ADJUSTMENTS, BODIES),
    result=Result(AdjustmentResult, "What it changed", GRANT_EXAMPLE),
    problems=[*REFUSALS, "badge-not-found", "user-erased"],
)
async def post_adjustment(request: Request[Key, AdjustmentIn]) -> AdjustmentResult:
    """Grant or revoke a badge, give or take points, give freezes, pause or repair a streak, or exclude a user.

    The same id counts once. Every adjustment can be undone.
    """
    wanted, laurels = request.body, request.context.laurels
    applied = await Admin(laurels).tell(
        request.path["userId"],
        wanted.id,
        kind_of(wanted),
        data_of(wanted),
        wanted.reason,
        wanted.actor or request.caller.name,
    )
    return laurels.views.adjustment_result(applied)


@endpoint(
    "DELETE",
    USER_PATH + "/adjustments/{adjustmentId}",
    access=KEY,
    operation=Operation("undoAdjustment", "Undo adjustment", "history"),
    parameters=[USER_ID, ADJUSTMENT_ID],
    result=Result(AdjustmentResult, "What changed", {**GRANT_EXAMPLE, "status": "undone"}),
    problems=["adjustment-not-found", "user-erased"],
)
async def delete_adjustment(request: Request[Key, None]) -> AdjustmentResult:
    """Undo an adjustment. With 'reversal:EVENT' as the id, a reversed event counts again.

    Repeating it changes nothing. The history shows both.
    """
    laurels = request.context.laurels
    applied = await Admin(laurels).undo(request.path["userId"], request.path["adjustmentId"], actor=request.caller.name)
    return laurels.views.adjustment_result(applied)


@endpoint(
    "POST",
    "/api/gamification/adjustments",
    access=SESSION,
    operation=Operation("applyOwnAdjustment", "Pause or repair your streak", "streaks"),
    body=JsonBody(OWN_ADJUSTMENTS, OWN_BODIES),
    result=Result(AdjustmentResult, "What it changed", PAUSE_EXAMPLE, headers=PRIVATE),
    problems=REFUSALS,
)
async def post_own_adjustment(request: Request[Caller, OwnPauseIn | OwnRepairIn]) -> AdjustmentResult:
    """Pause a streak from today or a later day on, or repair a gap, as far as the catalog allows users to."""
    wanted, laurels = request.body, request.context.laurels
    applied = await Admin(laurels).tell(
        request.caller.user_id, wanted.id, kind_of(wanted), data_of(wanted), "by the user", "the user", own=True
    )
    return laurels.views.adjustment_result(applied)


def kind_of(wanted: msgspec.Struct) -> str:
    """The kind of an adjustment: the tag of its struct."""
    return str(type(wanted).__struct_config__.tag)


def data_of(wanted: msgspec.Struct) -> dict[str, Any]:
    """The fields of an adjustment besides id, reason and actor, in plain JSON."""
    builtins: dict[str, Any] = msgspec.to_builtins(wanted)
    return {name: value for name, value in builtins.items() if name not in ("kind", "id", "reason", "actor")}


ENDPOINTS = (post_adjustment, delete_adjustment, post_own_adjustment)
