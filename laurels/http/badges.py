"""Why a badge was earned or not, for the user and for the app's back end."""

from __future__ import annotations

from laurels.auth.chain import Caller
from laurels.engine.events import MAX_NAME
from laurels.errors import BadgeNotFound
from laurels.http.access import SESSION, by_key
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID, in_path
from laurels.http.streaks import PRIVATE
from laurels.http.users import PATH as USER_PATH
from laurels.present.badges import Explanation
from laurels.present.own_history import own_explanation

EXAMPLE = {
    "badge": "message_100",
    "name": "Century Club",
    "earned": False,
    "sentence": "27 more messages to earn Century Club.",
    "earnedAt": None,
    "awardedAt": None,
    "event": None,
    "checks": [{"text": "100 messages", "current": 73, "target": 100, "met": False}],
}
BADGE_ID = in_path("badgeId", "The badge's id", "message_100", MAX_NAME)
MISSING = ("user-not-found", "erasure-pending", "badge-not-found")


@endpoint(
    "GET",
    "/api/gamification/badges/{badgeId}/explanation",
    access=SESSION,
    in_languages=True,
    operation=Operation("explainBadge", "Explain your badge", "streaks"),
    parameters=[BADGE_ID],
    result=Result(Explanation, "The reasons", EXAMPLE, headers=PRIVATE),
    problems=MISSING,
)
async def explain_badge(request: Request[Caller, None]) -> Explanation:
    """Read which facts and which event earned a badge; or each condition, the progress so far, and what is missing."""
    laurels = request.context.laurels
    found = await laurels.explain(request.caller.user_id, request.path["badgeId"])
    badge = laurels.catalog.badge(found.badge)
    if badge and badge.secret and not found.earned:
        raise BadgeNotFound
    return own_explanation(laurels.catalog.own_history, found)


@endpoint(
    "GET",
    USER_PATH + "/badges/{badgeId}/explanation",
    access=by_key("users:read"),
    in_languages=True,
    operation=Operation("explainUserBadge", "Explain a user's badge", "streaks"),
    parameters=[USER_ID, BADGE_ID],
    result=Result(Explanation, "The reasons", EXAMPLE),
    problems=MISSING,
)
async def explain_user_badge(request: Request[Key, None]) -> Explanation:
    """Read the same for any user."""
    return await request.context.laurels.explain(request.path["userId"], request.path["badgeId"])


ENDPOINTS = (explain_badge, explain_user_badge)
