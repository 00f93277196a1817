"""The OpenAPI 3.1 document, made from the declarations of the endpoints; msgspec makes the schemas of their types."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from laurels.auth.scopes import ABOUT as SCOPES
from laurels.auth.sessions import COOKIE
from laurels.http.bodies import REF, ref
from laurels.http.endpoint import Endpoint, Result
from laurels.http.parameters import Json
from laurels.http.problems import ALL_KINDS, MEDIA_TYPE, PAGES, RETRY_AFTER, Kind
from laurels.present.problems import Problem
from laurels.settings import Settings

TAGS = {
    "profile": "What a user sees: badges, points, level, streak and rank",
    "events": "What users did",
    "users": "Users, for the app's back end",
    "sessions": "Signing users in and out",
    "streaks": "Streaks, and why a day or a badge counts",
    "history": "Changes made by hand: reversals, adjustments and amnesties",
    "leaderboards": "Leaderboards and their periods",
    "notifications": "Live notifications",
    "catalog": "What can be earned",
    "sandbox": "The clock of a database for tests",
    "health": "Health checks",
}
SECURITY_SCHEMES: Json = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, for the app's back end. Each operation names the scope that the key needs:\n\n"
        + "\n".join(f"- `{scope}`: {about}" for scope, about in SCOPES.items()),
    },
    "sessionCookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A user's session"},
    "sessionToken": {"type": "http", "scheme": "bearer", "description": "A user's session, without cookies"},
}
RETRY_LATER: Json = {
    "Retry-After": {
        "description": "The number of seconds after which to send it again",
        "required": True,
        "schema": {"type": "integer", "examples": [RETRY_AFTER]},
    }
}
HEADERS_BY_STATUS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    429: {
        **RETRY_LATER,
        "RateLimit-Policy": {"required": True, "schema": {"type": "string", "examples": ['"session";q=100;w=5']}},
        "RateLimit": {"required": True, "schema": {"type": "string", "examples": ['"session";r=0;t=1']}},
    },
    503: RETRY_LATER,
}


@lru_cache(maxsize=8)
def document(version: str, endpoints: tuple[Endpoint, ...], settings: Settings) -> bytes:
    """The whole document, as JSON. Endpoints without an operation are left out."""
    shown = [endpoint for endpoint in endpoints if endpoint.operation]
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Laurels",
                "version": version,
                "summary": "Badges, points, levels, daily streaks and leaderboards",
                "description": (
                    "The app sends events with an API key; Laurels decides what they earn; pages read a profile with the "
                    "user's session. Errors are problem documents (RFC 9457)."
                ),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
            "paths": _paths(shown, settings),
            "components": {"schemas": _schemas(shown), "securitySchemes": SECURITY_SCHEMES},
        }
    )


def _paths(endpoints: Iterable[Endpoint], settings: Settings) -> Json:
    paths: Json = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, settings)
    return paths


def _operation(endpoint: Endpoint, settings: Settings) -> Json:
    own, result = endpoint.operation, endpoint.result
    if own is None or result is None:
        raise ValueError(f"{endpoint.label} needs an operation and a result to be in the document")
    responses: Json = {str(result.status): _success(result)}
    return {
        "operationId": own.id,
        "summary": own.summary,
        "description": inspect.cleandoc(endpoint.handler.__doc__ or ""),
        "tags": [own.tag],
        **_if("security", list(endpoint.access.security)),
        **_if("parameters", [parameter.described() for parameter in endpoint.parameters]),
        **_if(
            "requestBody",
            endpoint.body.described(settings, endpoint.body_limit(settings.limits)) if endpoint.body else None,
        ),
        "responses": responses | _problems(endpoint.all_problems),
    }


def _success(result: Result) -> Json:
    response: Json = {"description": result.description, **_if("headers", result.documented)}
    if result.type is not None:
        examples = {"example": {"value": result.example}}
        response["content"] = {result.media_type: {"schema": ref(result.type), "examples": examples}}
    return response


def _problems(codes: Sequence[str]) -> Json:
    """The responses with problem documents, by status."""
    unknown = {*codes} - {kind.code for kind in ALL_KINDS}
    if unknown:
        raise ValueError(f"there is no problem {', '.join(sorted(unknown))}")
    kinds = [kind for kind in ALL_KINDS if kind.code in codes]
    statuses = sorted({kind.status for kind in kinds})
    return {str(status): _problem([kind for kind in kinds if kind.status == status]) for status in statuses}


def _problem(kinds: Sequence[Kind]) -> Json:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    return {
        "description": "; ".join(kind.title for kind in kinds),
        **_if("headers", HEADERS_BY_STATUS.get(kinds[0].status)),
        "content": {MEDIA_TYPE: {"schema": ref(Problem), "examples": examples}},
    }


def _example(kind: Kind) -> Json:
    return {
        "type": PAGES + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.fix,
        "error": kind.error,
    }


def _schemas(endpoints: Iterable[Endpoint]) -> Json:
    types: set[type] = {Problem}
    for one in endpoints:
        types.update(one.body.types if one.body else ())
        types.update([one.result.type] if one.result and one.result.type else ())
    _, schemas = msgspec.json.schema_components(sorted(types, key=lambda one: one.__name__), ref_template=REF)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema["description"])
        for field in schema["properties"].values():
            if "type" in field:  # what a struct states of its JSON replaces what its types would give
                field.pop("anyOf", None)
    return schemas


def _if(name: str, value: Any) -> Json:
    return {name: value} if value else {}
