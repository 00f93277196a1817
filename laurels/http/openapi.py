"""What the OpenAPI document needs beyond the handlers' signatures: bodies that we read ourselves, problems, examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    License,
    OpenAPIMediaType,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)

from laurels.http.problems import ALL_KINDS, MEDIA_TYPE
from laurels.sessions.own import COOKIE
from laurels.shapes import EventIn, Problem, SessionIn, UserIn

REF = "#/components/schemas/{name}"
BY_KEY = [{"apiKey": list[str]()}]
BY_SESSION = [{"sessionCookie": list[str]()}, {"sessionToken": list[str]()}]

EVENT_EXAMPLE = {
    "userId": "ada",
    "id": "msg-42",
    "type": "message.sent",
    "occurredAt": "2026-03-01T09:00:00Z",
    "quantity": 1,
}
"""Shown for one event; its time must lie within the late window of whoever tries it, so `tryable` leaves it out."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problem documents that an operation may answer with."""
    specs: dict[int, ResponseSpec] = {}
    for status in statuses:
        kinds = [kind for kind in ALL_KINDS if kind.status == status]
        specs[status] = ResponseSpec(
            Problem,
            description="; ".join(kind.title for kind in kinds),
            media_type=MEDIA_TYPE.decode(),
            generate_examples=False,
            examples=[
                Example(
                    id=kind.code,
                    summary=kind.title,
                    value={
                        "type": f"/problems/{kind.code}",
                        "title": kind.title,
                        "status": kind.status,
                        "detail": kind.mend,
                        "error": kind.error,
                    },
                )
                for kind in kinds
            ],
        )
    return specs


def shows(shape: type, description: str, example: Any, status: int = 200) -> dict[int, ResponseSpec]:
    """What an operation answers when all goes well, with an example."""
    return {
        status: ResponseSpec(
            shape, description=description, generate_examples=False, examples=[Example(id="example", value=example)]
        )
    }


def body(schema: Reference | Schema, examples: Mapping[str, Any]) -> type[Operation]:
    """The operation of a handler that reads its JSON body itself."""
    shown = {name: Example(value=value) for name, value in examples.items()}
    content = {"application/json": OpenAPIMediaType(schema=schema, examples=shown)}  # type: ignore[arg-type]

    @dataclass
    class OperationWithBody(Operation):
        def __post_init__(self) -> None:
            self.request_body = RequestBody(content=content, required=True)

    return OperationWithBody


def ref(shape: type) -> Reference:
    """A reference to the schema of a body's shape."""
    return Reference(ref=REF.format(name=shape.__name__))


def config(version: str) -> OpenAPIConfig:
    """The document's frame, and the two places where it is served: /docs for people, /docs/openapi.json for programs."""
    return OpenAPIConfig(
        title="Laurels",
        version=version,
        summary="Badges, points, levels, daily streaks and leaderboards",
        description=(
            "The app sends events with an API key; Laurels decides what they earn; pages read a profile back with the "
            "user's session. Errors are problem documents (RFC 9457)."
        ),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        tags=[
            Tag(name="profile", description="What a user sees"),
            Tag(name="events", description="What users did"),
            Tag(name="users", description="Who they are"),
            Tag(name="sessions", description="Who is calling"),
            Tag(name="catalog", description="What can be earned"),
            Tag(name="health", description="Whether it runs"),
        ],
        components=Components(
            schemas=_body_schemas(),
            security_schemes={
                "apiKey": SecurityScheme(
                    type="http", scheme="bearer", description="An API key, for the app's back end"
                ),
                "sessionCookie": SecurityScheme(
                    type="apiKey", name=COOKIE, security_scheme_in="cookie", description="A user's session"
                ),
                "sessionToken": SecurityScheme(
                    type="http", scheme="bearer", description="A user's session, without cookies"
                ),
            },
        ),
        path="/docs",
        use_handler_docstrings=True,
        render_plugins=[
            SwaggerRenderPlugin(
                js_url="/docs/assets/swagger-ui-bundle.js",
                css_url="/docs/assets/swagger-ui.css",
                standalone_preset_js_url="/docs/assets/swagger-ui-standalone-preset.js",
                favicon="<link rel='icon' href='data:,'>",
                path="/",
            ),
            JsonRenderPlugin(path="/openapi.json"),
        ],
    )


def _body_schemas() -> dict[str, Schema]:
    """The schemas of the bodies that handlers read themselves, as msgspec tells them."""
    _, schemas = msgspec.json.schema_components((EventIn, UserIn, SessionIn), ref_template=REF)
    return schemas  # type: ignore[return-value]  # plain dictionaries serialise as they are
