"""What repairs a history, for the app's back end: reversals, acts told of a user, amnesties. API key only."""

from __future__ import annotations

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath
from litestar.response import Response

from laurels.engine.events import MAX_EVENT_ID
from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import (
    BODY_PROBLEMS,
    BY_KEY,
    STORE_PROBLEMS,
    USER_ID,
    in_path,
    one_of,
    operation,
    problems,
    ref,
    shows,
    shows_nothing,
    takes,
)
from laurels.http.requests import data_of, decode, id_in_path, kind_of, read_body
from laurels.http.users import PATH as USER_PATH
from laurels.http.users import user_id_of
from laurels.present.shapes import (
    AdjustmentIn,
    AdjustmentResult,
    Amnesties,
    Amnesty,
    AmnestyIn,
    ExclusionIn,
    FreezesIn,
    GrantIn,
    PauseIn,
    PointsIn,
    RepairIn,
    ReversalIn,
    RevocationIn,
)
from laurels.service.admin import Admin

BASE = "/api/gamification"

REVERSAL_EXAMPLE = {
    "id": "reversal:message-42",
    "userId": "ada",
    "kind": "reversal",
    "reason": "sent by a script",
    "actor": "my-app",
    "status": "told",
    "revoked": ["message_100"],
    "points": {"before": 150, "after": 50},
    "level": {"before": 2, "after": 1, "title": "Newcomer"},
}
GRANT_EXAMPLE = {
    "id": "grant-1",
    "userId": "ada",
    "kind": "grant",
    "reason": "spoke at our conference",
    "actor": "my-app",
    "status": "told",
    "awards": [{"id": "early_adopter", "name": "Early Adopter", "icon": "🌅", "points": 500}],
    "points": {"before": 50, "after": 550},
    "level": {"before": 1, "after": 3, "title": "Intermediate"},
}
AMNESTY_EXAMPLE = {
    "id": "2026-03-01-61f2a",
    "first": "2026-03-01",
    "last": "2026-03-02",
    "group": None,
    "reason": "our outage",
    "actor": "my-app",
    "createdAt": "2026-03-03T09:00:00Z",
    "liftedAt": None,
    "liftedBy": None,
    "liftReason": None,
}
EVENT_ID = in_path("eventId", "The event's id", "message-42", MAX_EVENT_ID)
ADJUSTMENT_ID = in_path("actId", "The act's id", "grant-1", MAX_EVENT_ID)
AMNESTY_ID = in_path("amnestyId", "The amnesty's id", "2026-03-01-61f2a", MAX_EVENT_ID)
MAX_ADJUSTMENT_ID = len("reversal:") + MAX_EVENT_ID

_reversal = msgspec.json.Decoder(ReversalIn)
_act: msgspec.json.Decoder[AdjustmentIn] = msgspec.json.Decoder(
    GrantIn | RevocationIn | PointsIn | FreezesIn | PauseIn | RepairIn | ExclusionIn
)
_amnesty = msgspec.json.Decoder(AmnestyIn)


@post(
    BASE + "/events/{user_id:str}/{event_id:str}/reversal",
    status_code=200,
    opt=operation(
        "reverseEvent",
        "Take an event back",
        "history",
        security=BY_KEY,
        parameters=[USER_ID, EVENT_ID],
        body=takes(ref(ReversalIn), {"reversal": {"reason": "sent by a script"}}),
        answers=shows(AdjustmentResult, "What followed", REVERSAL_EXAMPLE)
        | problems("unauthorized", "user-erased", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def post_reversal(request: HttpRequest, user_id: FromPath[str], event_id: FromPath[str]) -> Response[bytes]:
    """Take an event back: metrics, days, badges, points, level and standing follow, and the history shows both.

    Twice is harmless. A reversal that comes before its event holds.
    """
    context = context_of(request)
    key = await context.require_key(request.scope)
    said = decode(_reversal, await read_body(request.scope, request.receive, context.settings.body_limit))
    told = await Admin(context.laurels).reverse(
        user_id_of(user_id), id_in_path(event_id, "eventId", MAX_EVENT_ID), said.reason, said.actor or key
    )
    return json_answer(context.laurels.views.adjustment_result(told)).response()


@post(
    USER_PATH + "/acts",
    status_code=200,
    opt=operation(
        "tellAct",
        "Grant, revoke, adjust, freeze, pause, repair, exclude",
        "history",
        security=BY_KEY,
        parameters=[USER_ID],
        body=takes(
            one_of(GrantIn, RevocationIn, PointsIn, FreezesIn, PauseIn, RepairIn, ExclusionIn),
            {
                "grant": {"id": "grant-1", "kind": "grant", "badge": "early_adopter", "reason": "at our conference"},
                "adjustment": {"id": "gift-1", "kind": "points", "amount": 50, "reason": "birthday"},
            },
        ),
        answers=shows(AdjustmentResult, "What it changed", GRANT_EXAMPLE)
        | problems(
            "unauthorized",
            "user-not-found",
            "badge-not-found",
            "streak-not-found",
            "act-conflict",
            "act-refused",
            "user-erased",
            *BODY_PROBLEMS,
            *STORE_PROBLEMS,
        ),
    ),
)
async def post_adjustment(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Tell something of a user, with a reason. The same id again counts once; all of it can be undone."""
    context = context_of(request)
    key = await context.require_key(request.scope)
    said = decode(_act, await read_body(request.scope, request.receive, context.settings.body_limit))
    told = await Admin(context.laurels).tell(
        user_id_of(user_id), said.id, kind_of(said), data_of(said), said.reason, said.actor or key
    )
    return json_answer(context.laurels.views.adjustment_result(told)).response()


@delete(
    USER_PATH + "/acts/{act_id:str}",
    status_code=200,
    opt=operation(
        "undoAct",
        "Undo an act or a reversal",
        "history",
        security=BY_KEY,
        parameters=[USER_ID, ADJUSTMENT_ID],
        answers=shows(AdjustmentResult, "What followed", {**GRANT_EXAMPLE, "status": "undone"})
        | problems("unauthorized", "act-not-found", "user-erased", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def delete_adjustment(
    request: HttpRequest, user_id: FromPath[str], adjustment_id: FromPath[str]
) -> Response[bytes]:
    """Undo what was told under this id; 'reversal:EVENT' lets an event count again. Twice is harmless. The history keeps both."""
    context = context_of(request)
    key = await context.require_key(request.scope)
    told = await Admin(context.laurels).undo(
        user_id_of(user_id), id_in_path(adjustment_id, "actId", MAX_ADJUSTMENT_ID), actor=key
    )
    return json_answer(context.laurels.views.adjustment_result(told)).response()


@get(
    BASE + "/amnesties",
    opt=operation(
        "listAmnesties",
        "All amnesties",
        "history",
        security=BY_KEY,
        answers=shows(Amnesties, "Oldest first", {"amnesties": [AMNESTY_EXAMPLE]})
        | problems("unauthorized", *STORE_PROBLEMS),
    ),
)
async def get_amnesties(request: HttpRequest) -> Response[bytes]:
    """Read every amnesty, lifted ones too."""
    context = context_of(request)
    await context.require_key(request.scope)
    rows = await context.laurels.store.amnesties()
    return json_answer(Amnesties(amnesties=[context.laurels.views.amnesty(row) for row in rows])).response()


@post(
    BASE + "/amnesties",
    status_code=201,
    opt=operation(
        "addAmnesty",
        "Excuse days for everybody or a group",
        "history",
        security=BY_KEY,
        body=takes(ref(AmnestyIn), {"outage": {"first": "2026-03-01", "last": "2026-03-02", "reason": "our outage"}}),
        answers=shows(Amnesty, "The amnesty", AMNESTY_EXAMPLE, 201)
        | problems("unauthorized", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def post_amnesty(request: HttpRequest) -> Response[bytes]:
    """Excuse days: no streak ends by them, and freezes that covered them come back. It takes no longer for a million users."""
    context = context_of(request)
    key = await context.require_key(request.scope)
    said = decode(_amnesty, await read_body(request.scope, request.receive, context.settings.body_limit))
    row = await Admin(context.laurels).add_amnesty(
        said.first, said.last, said.reason, said.actor or key, said.group or None
    )
    return json_answer(context.laurels.views.amnesty(row), status=201).response()


@delete(
    BASE + "/amnesties/{amnesty_id:str}",
    status_code=204,
    opt=operation(
        "liftAmnesty",
        "Lift an amnesty",
        "history",
        security=BY_KEY,
        parameters=[AMNESTY_ID],
        answers=shows_nothing("Its days are required again")
        | problems("unauthorized", "amnesty-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def delete_amnesty(request: HttpRequest, amnesty_id: FromPath[str]) -> Response[None]:
    """Let the days of an amnesty be required again."""
    context = context_of(request)
    key = await context.require_key(request.scope)
    await Admin(context.laurels).lift_amnesty(id_in_path(amnesty_id, "amnestyId", MAX_EVENT_ID), actor=key)
    return Response(None, status_code=204)
