"""How streaks stand, why a badge was earned or not, and what a user may say of their own streaks."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response

from laurels.engine.events import MAX_NAME
from laurels.http.answers import Headers, json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import (
    BODY_PROBLEMS,
    BY_KEY,
    BY_SESSION,
    DAYS,
    MAX_DAYS,
    STORE_PROBLEMS,
    USER_ID,
    in_path,
    one_of,
    operation,
    problems,
    shows,
    takes,
)
from laurels.http.requests import data_of, decode, id_in_path, kind_of, read_body, whole_number
from laurels.http.users import PATH as USER_PATH
from laurels.http.users import user_id_of
from laurels.present.shapes import AdjustmentResult, Explanation, OwnPauseIn, OwnRepairIn, UserStreaks
from laurels.present.views import STREAK_DAYS
from laurels.service.admin import Admin

BASE = "/api/gamification"
PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie")]

STREAKS_EXAMPLE = {
    "streaks": [
        {
            "name": "login",
            "unit": "day",
            "length": 3,
            "status": "at_risk",
            "since": "2026-02-27",
            "endsAt": "2026-03-02T23:00:00Z",
            "endsAtLocal": "2026-03-03T00:00:00+01:00",
            "longest": 12,
            "longestFrom": "2026-01-05",
            "longestTo": "2026-01-16",
            "totalDays": 31,
            "lastDay": "2026-03-01",
            "freezes": 0,
            "days": [{"day": "2026-03-02", "why": "open"}, {"day": "2026-03-01", "why": "credited"}],
        }
    ]
}
EXPLANATION_EXAMPLE = {
    "badge": "message_100",
    "name": "Century Club",
    "earned": False,
    "sentence": "27 more messages to earn Century Club.",
    "awardedAt": None,
    "event": None,
    "checks": [{"text": "100 messages", "current": 73, "target": 100, "met": False}],
}
TOLD_EXAMPLE = {
    "id": "holiday-1",
    "userId": "ada",
    "kind": "pause",
    "reason": "by the user",
    "actor": "the user",
    "status": "told",
    "streaks": {"login": {"before": 3, "after": 3}},
}

BADGE_ID = in_path("badgeId", "The badge's id", "message_100", MAX_NAME)

_own: msgspec.json.Decoder[OwnPauseIn | OwnRepairIn] = msgspec.json.Decoder(OwnPauseIn | OwnRepairIn)


@get(
    BASE + "/streaks",
    opt=operation(
        "getStreaks",
        "The caller's streaks",
        "streaks",
        security=BY_SESSION,
        parameters=[DAYS],
        answers=shows(UserStreaks, "Every streak, and why each day counts", STREAKS_EXAMPLE)
        | problems("unauthorized", "user-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def get_streaks(request: HttpRequest) -> Response[bytes]:
    """Read every streak: its length and status, when it would end, the longest run, and why each of the last days counts."""
    context = context_of(request)
    caller = await context.caller(request.scope)
    days = whole_number(request.scope, "days", most=MAX_DAYS) or STREAK_DAYS
    return json_answer(await context.laurels.streaks(caller.user_id, days), headers=PRIVATE).response()


@get(
    USER_PATH + "/streaks",
    opt=operation(
        "getUserStreaks",
        "A user's streaks, for the back end",
        "streaks",
        security=BY_KEY,
        parameters=[USER_ID, DAYS],
        answers=shows(UserStreaks, "Every streak, and why each day counts", STREAKS_EXAMPLE)
        | problems("unauthorized", "user-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def get_user_streaks(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Read every streak of a user. It earns no day."""
    context = context_of(request)
    await context.require_key(request.scope)
    days = whole_number(request.scope, "days", most=MAX_DAYS) or STREAK_DAYS
    return json_answer(await context.laurels.streaks(user_id_of(user_id), days)).response()


@get(
    BASE + "/badges/{badge_id:str}/explanation",
    opt=operation(
        "explainBadge",
        "Why the caller has a badge, or not yet",
        "streaks",
        security=BY_SESSION,
        parameters=[BADGE_ID],
        answers=shows(Explanation, "The reasons", EXPLANATION_EXAMPLE)
        | problems("unauthorized", "user-not-found", "badge-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def explain_badge(request: HttpRequest, badge_id: FromPath[str]) -> Response[bytes]:
    """Read because of which facts and which event a badge was earned; or each condition, how far it is, and what is missing."""
    context = context_of(request)
    caller = await context.caller(request.scope)
    explanation = await context.laurels.explain(caller.user_id, id_in_path(badge_id, "badgeId", MAX_NAME))
    return json_answer(explanation, headers=PRIVATE).response()


@get(
    USER_PATH + "/badges/{badge_id:str}/explanation",
    opt=operation(
        "explainUserBadge",
        "Why a user has a badge, or not yet",
        "streaks",
        security=BY_KEY,
        parameters=[USER_ID, BADGE_ID],
        answers=shows(Explanation, "The reasons", EXPLANATION_EXAMPLE)
        | problems("unauthorized", "user-not-found", "badge-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def explain_user_badge(request: HttpRequest, user_id: FromPath[str], badge_id: FromPath[str]) -> Response[bytes]:
    """Read the same for any user."""
    context = context_of(request)
    await context.require_key(request.scope)
    badge = id_in_path(badge_id, "badgeId", MAX_NAME)
    return json_answer(await context.laurels.explain(user_id_of(user_id), badge)).response()


@post(
    BASE + "/acts",
    status_code=200,
    opt=operation(
        "tellOwnAct",
        "Pause or repair one's own streak",
        "streaks",
        security=BY_SESSION,
        body=takes(
            one_of(OwnPauseIn, OwnRepairIn),
            {
                "pause": {
                    "id": "holiday-1",
                    "kind": "pause",
                    "streak": "login",
                    "first": "2026-07-01",
                    "last": "2026-07-07",
                }
            },
        ),
        answers=shows(AdjustmentResult, "What it changed", TOLD_EXAMPLE)
        | problems(
            "unauthorized",
            "user-not-found",
            "streak-not-found",
            "act-conflict",
            "act-refused",
            *BODY_PROBLEMS,
            *STORE_PROBLEMS,
        ),
    ),
)
async def post_own_adjustment(request: HttpRequest) -> Response[bytes]:
    """Say a pause that begins today or later, or repair a gap, as far as the catalog allows a user to."""
    context = context_of(request)
    caller = await context.caller(request.scope)
    said = decode(_own, await read_body(request.scope, request.receive, context.settings.body_limit))
    told = await Admin(context.laurels).tell(
        caller.user_id, said.id, kind_of(said), data_of(said), "by the user", "the user", own=True
    )
    return json_answer(context.laurels.views.adjustment_result(told), headers=PRIVATE).response()
