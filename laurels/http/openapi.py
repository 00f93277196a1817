"""The OpenAPI 3.1 document: each handler carries its own operation, and msgspec tells the shapes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from laurels.auth.sessions import COOKIE
from laurels.engine.events import MAX_USER_ID
from laurels.http.problems import ALL_KINDS, MEDIA_TYPE, PAGES, RETRY_AFTER, Kind
from laurels.present.shapes import (
    SAFE,
    AdjustmentResult,
    Amnesties,
    Amnesty,
    AmnestyIn,
    CatalogSummary,
    ClockIn,
    ClosedPeriods,
    EventIn,
    EventResults,
    ExclusionIn,
    Explanation,
    FreezesIn,
    GrantIn,
    Health,
    History,
    LeaderboardList,
    LeaderboardPage,
    NotificationMessage,
    OwnPauseIn,
    OwnRepairIn,
    PauseIn,
    PointsIn,
    Problem,
    Profile,
    RarityReport,
    RepairIn,
    ReversalIn,
    RevocationIn,
    SandboxClock,
    Session,
    SessionIn,
    User,
    UserIn,
    UserStreaks,
    VisibilityIn,
)
from laurels.present.views import STREAK_DAYS
from laurels.service.laurels import INCLUDES

Json = dict[str, Any]
Answers = dict[str, Json]

OPERATION = "operation"
"""Where a handler's options hold its operation."""

SHAPES = (
    PointsIn,
    Amnesties,
    AmnestyIn,
    Amnesty,
    LeaderboardList,
    CatalogSummary,
    ClockIn,
    SandboxClock,
    ClosedPeriods,
    EventIn,
    EventResults,
    ExclusionIn,
    Explanation,
    FreezesIn,
    GrantIn,
    Health,
    History,
    LeaderboardPage,
    NotificationMessage,
    OwnPauseIn,
    OwnRepairIn,
    PauseIn,
    Problem,
    Profile,
    RarityReport,
    RepairIn,
    ReversalIn,
    RevocationIn,
    SessionIn,
    Session,
    UserStreaks,
    AdjustmentResult,
    UserIn,
    User,
    VisibilityIn,
)
REF = "#/components/schemas/{name}"
BY_KEY: list[Json] = [{"apiKey": []}]
BY_SESSION: list[Json] = [{"sessionCookie": []}, {"sessionToken": []}]
BY_BOTH = [*BY_SESSION, *BY_KEY]

TAGS = {
    "profile": "What a user sees",
    "events": "What users did",
    "users": "Who they are",
    "sessions": "Who is calling",
    "streaks": "How streaks stand, and why",
    "history": "What repairs a history: reversals, grants, pauses, amnesties",
    "leaderboards": "Who stands where",
    "moments": "What happens, as it happens",
    "catalog": "What can be earned",
    "sandbox": "The clock of a database for tests",
    "health": "Whether it runs",
}
SECURITY_SCHEMES: Json = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, for the app's back end"},
    "sessionCookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A user's session"},
    "sessionToken": {"type": "http", "scheme": "bearer", "description": "A user's session, without cookies"},
}
BODY_PROBLEMS = ("malformed", "too-slow", "too-large", "unsupported-media-type", "invalid-input")
STORE_PROBLEMS = ("overloaded", "store-unavailable", "wrong-schema")
COMES_AGAIN: Json = {
    "Retry-After": {
        "description": "After how many seconds to send it again",
        "required": True,
        "schema": {"type": "integer", "examples": [RETRY_AFTER]},
    }
}
HEADERS_BY_STATUS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    429: {
        **COMES_AGAIN,
        "RateLimit-Policy": {"required": True, "schema": {"type": "string", "examples": ['"session";q=100;w=5']}},
        "RateLimit": {"required": True, "schema": {"type": "string", "examples": ['"session";r=0;t=1']}},
    },
    503: COMES_AGAIN,
}

MAX_DAYS = 366
DAYS: Json = {
    "name": "days",
    "in": "query",
    "description": "Of how many days (or weeks) streaks say why each counts",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": STREAK_DAYS},
}
INCLUDE: Json = {
    "name": "include",
    "in": "query",
    "description": "More than the eleven fields, with commas between",
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "items": {"enum": list(INCLUDES)}},
    "example": ["next", "rank"],
}


def in_path(name: str, description: str, example: str, most: int = MAX_USER_ID) -> Json:
    """A parameter of the address."""
    schema = {"type": "string", "minLength": 1, "maxLength": most, "pattern": SAFE}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{description}, percent-encoded",
        "schema": schema,
        "example": example,
    }


USER_ID = in_path("userId", "The app's own id of the user", "ada")


def operation(
    operation_id: str,
    summary: str,
    tag: str,
    *,
    answers: Answers,
    security: Sequence[Json] = (),
    parameters: Sequence[Json] = (),
    body: Json | None = None,
) -> Json:
    """The options of a handler that tell its operation; its docstring becomes the description.

    Whoever must say who they are may come too often, so that need not be said of each operation.
    """
    told: Json = {"operationId": operation_id, "summary": summary, "tags": [tag]}
    if security and {} not in security:
        answers = answers | problems("too-many-requests")
    if security:
        told["security"] = list(security)
    if parameters:
        told["parameters"] = list(parameters)
    if body:
        told["requestBody"] = body
    return {OPERATION: {**told, "responses": answers}}


def shows(shape: type, description: str, example: Any, status: int = 200, headers: Json | None = None) -> Answers:
    """What an operation answers when all goes well, with an example."""
    content = {"application/json": {"schema": ref(shape), "examples": {"example": {"value": example}}}}
    return {str(status): {"description": description, **_if("headers", headers), "content": content}}


def shows_nothing(description: str, headers: Json | None = None) -> Answers:
    """An answer without a body."""
    return {"204": {"description": description, **_if("headers", headers)}}


def problems(*codes: str) -> Answers:
    """The problem documents that an operation may answer with, by their codes."""
    kinds = [kind for kind in ALL_KINDS if kind.code in codes]
    statuses = sorted({kind.status for kind in kinds})
    return {str(status): _problems([kind for kind in kinds if kind.status == status]) for status in statuses}


def _problems(kinds: Sequence[Kind]) -> Json:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    return {
        "description": "; ".join(kind.title for kind in kinds),
        **_if("headers", HEADERS_BY_STATUS.get(kinds[0].status)),
        "content": {MEDIA_TYPE.decode(): {"schema": ref(Problem), "examples": examples}},
    }


def _example(kind: Kind) -> Json:
    return {
        "type": PAGES + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.fix,
        "error": kind.error,
    }


def takes(schema: Json, examples: Mapping[str, Any]) -> Json:
    """A JSON body."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": shown}}}


def ref(shape: type) -> Json:
    """A reference to the schema of a shape."""
    return {"$ref": REF.format(name=shape.__name__)}


def one_of(*shapes: type) -> Json:
    """One of several shapes, told apart by their `kind`."""
    return {"oneOf": [ref(shape) for shape in shapes]}


def _if(name: str, value: Json | None) -> Json:
    return {name: value} if value else {}


@cache
def document(version: str, handlers: tuple[HTTPRouteHandler, ...]) -> bytes:
    """The whole document, as JSON; made once for all applications of a process."""
    _, schemas = msgspec.json.schema_components(SHAPES, ref_template=REF)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema["description"])
        for field in schema["properties"].values():
            if "type" in field:  # what a shape says of its JSON stands for what its types would
                field.pop("anyOf", None)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Laurels",
            "version": version,
            "summary": "Badges, points, levels, daily streaks and leaderboards",
            "description": (
                "The app sends events with an API key; Laurels decides what they earn; pages read a profile back with "
                "the user's session. Errors are problem documents (RFC 9457)."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": _paths(handlers),
        "components": {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES},
    }
    return msgspec.json.encode(whole)


def _paths(handlers: Iterable[HTTPRouteHandler]) -> Json:
    paths: Json = {}
    for handler in handlers:
        described = {"description": inspect.cleandoc(handler.fn.__doc__ or ""), **handler.opt[OPERATION]}
        for path in handler.paths:
            item = paths.setdefault(_camel_case(path), {})
            item |= {method.lower(): described for method in handler.http_methods}
    return paths


def _camel_case(path: str) -> str:
    """The framework's '{user_id:str}' as people know it: '{userId}'."""
    plain = path.replace(":str}", "}")
    return re.sub(r"_(\w)(?=\w*\})", lambda found: found[1].upper(), plain)
