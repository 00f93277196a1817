"""POST /api/gamification/events/{userId}/{eventId}/reversal: taking an event back. API key only."""

from __future__ import annotations

from laurels.engine.events import MAX_EVENT_ID
from laurels.http.access import KEY
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID, in_path
from laurels.present.adjustments import AdjustmentResult, ReversalIn
from laurels.service.admin import Admin

EXAMPLE = {
    "id": "reversal:message-42",
    "userId": "ada",
    "kind": "reversal",
    "reason": "sent by a script",
    "actor": "my-app",
    "status": "applied",
    "revoked": ["message_100"],
    "points": {"before": 150, "after": 50},
    "level": {"before": 2, "after": 1, "title": "Newcomer"},
}
EVENT_ID = in_path("eventId", "The event's id", "message-42", MAX_EVENT_ID)


@endpoint(
    "POST",
    "/api/gamification/events/{userId}/{eventId}/reversal",
    access=KEY,
    operation=Operation("reverseEvent", "Reverse event", "history"),
    parameters=[USER_ID, EVENT_ID],
    body=JsonBody([ReversalIn], {"reversal": {"reason": "sent by a script"}}),
    result=Result(AdjustmentResult, "What changed", EXAMPLE),
    problems=["user-erased"],
)
async def post_reversal(request: Request[Key, ReversalIn]) -> AdjustmentResult:
    """Take an event back: metrics, days, badges, points, level and ranks are updated, and the history shows both.

    Repeating it changes nothing. A reversal that arrives before its event applies to it.
    """
    body, laurels = request.body, request.context.laurels
    return await Admin(laurels).reverse(
        request.path["userId"], request.path["eventId"], body.reason, body.actor or request.caller.name
    )


ENDPOINTS = (post_reversal,)
