"""/api/gamification/amnesties: days that are excused for all users or for a group. API key only."""

from __future__ import annotations

from laurels.engine.events import MAX_EVENT_ID
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint, nothing
from laurels.http.parameters import REASON, in_path, reason_in
from laurels.http.sources import source_of
from laurels.present.amnesties import Amnesties, Amnesty, AmnestyIn
from laurels.service.admin import Admin

PATH = "/api/gamification/amnesties"
EXAMPLE = {
    "id": "2026-03-01-61f2a",
    "first": "2026-03-01",
    "last": "2026-03-02",
    "group": None,
    "reason": "our outage",
    "actor": "my-app",
    "principal": {"kind": "key", "name": "my-app"},
    "createdAt": "2026-03-03T09:00:00Z",
    "liftedAt": None,
    "liftedBy": None,
    "liftReason": None,
    "liftPrincipal": None,
}
AMNESTY_ID = in_path("amnestyId", "The amnesty's id", "2026-03-01-61f2a", MAX_EVENT_ID)


@endpoint(
    "GET",
    PATH,
    access=by_key("users:read"),
    operation=Operation("listAmnesties", "List amnesties", "history"),
    result=Result(Amnesties, "All amnesties, the oldest first", {"amnesties": [EXAMPLE]}),
)
async def get_amnesties(request: Request[Key, None]) -> Amnesties:
    """Read all amnesties, lifted ones included."""
    return Amnesties(amnesties=await Admin(request.context.laurels).amnesties())


@endpoint(
    "POST",
    PATH,
    access=by_key("adjustments:write"),
    operation=Operation("addAmnesty", "Create amnesty", "history"),
    body=JsonBody([AmnestyIn], {"outage": {"first": "2026-03-01", "last": "2026-03-02", "reason": "our outage"}}),
    result=Result(Amnesty, "The amnesty", EXAMPLE, status=201),
)
async def post_amnesty(request: Request[Key, AmnestyIn]) -> Amnesty:
    """Excuse days: no streak ends because of them, and freezes that covered them are returned.

    It takes the same time for any number of users.
    """
    body, admin = request.body, Admin(request.context.laurels, source_of(request.scope, request.caller))
    return await admin.add_amnesty(
        body.first, body.last, body.reason, body.actor or request.caller.name, body.group or None
    )


@endpoint(
    "DELETE",
    PATH + "/{amnestyId}",
    access=by_key("adjustments:write"),
    operation=Operation("liftAmnesty", "Lift amnesty", "history"),
    parameters=[AMNESTY_ID, REASON],
    result=nothing("Its days are required again"),
    problems=["amnesty-not-found"],
)
async def delete_amnesty(request: Request[Key, None]) -> None:
    """Require the days of an amnesty again."""
    admin = Admin(request.context.laurels, source_of(request.scope, request.caller))
    await admin.lift_amnesty(request.path["amnestyId"], reason_in(request.scope), request.caller.name)


ENDPOINTS = (get_amnesties, post_amnesty, delete_amnesty)
