"""Request bodies: how each is read and decoded, its entry in the OpenAPI document, and the problems it can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, Union

import msgspec

from laurels.http.context import Context
from laurels.http.parameters import Json
from laurels.http.requests import decode, read_body, read_form
from laurels.http.responses import Receive, Scope
from laurels.settings import Settings

B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)

REF = "#/components/schemas/{name}"
PROBLEMS = ("malformed", "too-slow", "too-large", "unsupported-media-type", "invalid-input")


class Body(Protocol[B_co]):
    """One kind of body. `types` are the structs for which the document needs a schema."""

    @property
    def types(self) -> Sequence[type]:
        """See the class."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """The codes of the problems that reading it can raise."""
        ...

    async def read(self, context: Context, scope: Scope, receive: Receive, limit: int) -> B_co:
        """Read at most `limit` bytes, and decode it. Raises BadRequest, BodyTooLarge, UnsupportedMediaType, InvalidInput."""
        ...

    def described(self, settings: Settings, limit: int) -> Json:
        """The request body of the document, with this limit and those of the settings."""
        ...


class JsonBody(Generic[B]):
    """A body in JSON: one struct, or one of several, selected by `kind`."""

    problems = PROBLEMS

    def __init__(self, types: Sequence[type[B]], examples: Mapping[str, Any]) -> None:
        self.types: Sequence[type[B]] = types
        self.examples = examples
        one_of: Any = Union[tuple(types)]  # noqa: UP007  # made from a list
        self._decoder: msgspec.json.Decoder[B] = msgspec.json.Decoder(one_of)

    async def read(self, context: Context, scope: Scope, receive: Receive, limit: int) -> B:  # noqa: ARG002
        """See Body."""
        return decode(self._decoder, await read_body(scope, receive, limit))

    def described(self, settings: Settings, limit: int) -> Json:  # noqa: ARG002
        """See Body."""
        refs = [ref(one) for one in self.types]
        return json_body(refs[0] if len(refs) == 1 else {"oneOf": refs}, self.examples, limit)


class FormBody:
    """The fields of a form that a page sent, at most `limit` bytes. No form is in the document."""

    types: Sequence[type] = ()
    problems = PROBLEMS

    def __init__(self, limit: int) -> None:
        self.limit = limit

    async def read(self, context: Context, scope: Scope, receive: Receive, limit: int) -> Mapping[str, str]:  # noqa: ARG002
        """See Body."""
        return await read_form(scope, receive, min(limit, self.limit))

    def described(self, settings: Settings, limit: int) -> Json:  # noqa: ARG002
        """See Body."""
        return {}


def json_body(schema: Json, examples: Mapping[str, Any], limit: int) -> Json:
    """A required body in JSON, as the document describes it."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "description": f"At most {limit:,} bytes",
        "required": True,
        "content": {"application/json": {"schema": schema, "examples": shown}},
    }


def ref(shape: type) -> Json:
    """A reference to the schema of a type."""
    return {"$ref": REF.format(name=shape.__name__)}
