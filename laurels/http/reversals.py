"""Taking back one event, or many in one request. API key only."""

from __future__ import annotations

from laurels.engine.events import MAX_EVENT_ID
from laurels.errors import LaurelsError
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID, in_path
from laurels.http.problems import problem_of
from laurels.http.requests import shortened
from laurels.http.sources import source_of
from laurels.present.adjustments import AdjustmentResult, ReversalIn, ReversalResult, ReversalResults, ReversalsIn
from laurels.service.admin import Admin

EXAMPLE = {
    "id": "reversal:message-42",
    "userId": "ada",
    "kind": "reversal",
    "reason": "sent by a script",
    "actor": "my-app",
    "principal": {"kind": "key", "name": "my-app"},
    "status": "applied",
    "revoked": ["message_100"],
    "points": {"before": 150, "after": 50},
    "level": {"before": 2, "after": 1, "title": "Newcomer"},
}
EVENT_ID = in_path("eventId", "The event's id", "message-42", MAX_EVENT_ID)


@endpoint(
    "POST",
    "/api/gamification/events/{userId}/{eventId}/reversal",
    access=by_key("adjustments:write"),
    in_languages=True,
    operation=Operation("reverseEvent", "Reverse event", "history"),
    parameters=[USER_ID, EVENT_ID],
    body=JsonBody([ReversalIn], {"reversal": {"reason": "sent by a script"}}),
    result=Result(AdjustmentResult, "What changed", EXAMPLE),
    problems=["user-erased"],
)
async def post_reversal(request: Request[Key, ReversalIn]) -> AdjustmentResult:
    """Take an event back: metrics, days, badges, points, level and ranks are updated, and the history shows both.

    Repeating it changes nothing. A reversal that arrives before its event is `pending`: the event counts for nothing when it
    arrives. It makes no user.
    """
    body, admin = request.body, Admin(request.context.laurels, source_of(request.scope, request.caller))
    return await admin.reverse(
        request.path["userId"], request.path["eventId"], body.reason, body.actor or request.caller.name
    )


REVERSALS_EXAMPLE = {
    "applied": 2,
    "pending": 0,
    "duplicates": 0,
    "rejected": 0,
    "results": [
        {"userId": "ada", "eventId": "message-42", "status": "applied"},
        {
            "userId": "ada",
            "eventId": "message-43",
            "status": "applied",
            "revoked": ["message_100"],
            "points": {"before": 150, "after": 50},
            "level": {"before": 2, "after": 1, "title": "Newcomer"},
        },
    ],
}
REVERSALS_BODY_EXAMPLE = {
    "reason": "sent by a script",
    "events": [{"userId": "ada", "eventId": "message-42"}, {"userId": "ada", "eventId": "message-43"}],
}


@endpoint(
    "POST",
    "/api/gamification/events/reversals",
    access=by_key("adjustments:write"),
    in_languages=True,
    operation=Operation("reverseEvents", "Reverse events", "history"),
    body=JsonBody([ReversalsIn], {"reversals": REVERSALS_BODY_EXAMPLE}),
    result=Result(ReversalResults, "The result of each reversal, in the order sent", REVERSALS_EXAMPLE),
)
async def post_reversals(request: Request[Key, ReversalsIn]) -> ReversalResults:
    """Take up to 1,000 events back, of any users, each with its own result.

    It is applied, pending (the event has not arrived, and will count for nothing), duplicate, or rejected with a problem.

    The events of one user are taken back at once, and what changed is in the user's last result. Repeating it changes nothing.
    """
    body, context = request.body, request.context
    context.key_rate.charge(request.caller.name, len(body.events) - 1)
    events = [(one.user_id, one.event_id) for one in body.events]
    admin = Admin(context.laurels, source_of(request.scope, request.caller))
    answers = await admin.reverse_many(events, body.reason, body.actor or request.caller.name)
    results = [_result(*events[number], answer, f"/events/{number}") for number, answer in enumerate(answers)]
    statuses = [result.status for result in results]
    return ReversalResults(
        applied=statuses.count("applied"),
        pending=statuses.count("pending"),
        duplicates=statuses.count("duplicate"),
        rejected=statuses.count("rejected"),
        results=results,
    )


def _result(user_id: str, event_id: str, answer: ReversalResult | LaurelsError, pointer: str) -> ReversalResult:
    if isinstance(answer, ReversalResult):
        return answer
    problem = problem_of(answer, prefix=pointer)
    ids = shortened(user_id), shortened(event_id)
    return ReversalResult(user_id=ids[0], event_id=ids[1], status="rejected", problem=problem)


ENDPOINTS = (post_reversal, post_reversals)
