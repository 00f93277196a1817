"""Parameters of the address and of headers: their entries in the OpenAPI document, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.instants import read_instant
from laurels.errors import InvalidInput
from laurels.http.languages import PARAMETER
from laurels.http.problems import InvalidParameter
from laurels.http.requests import id_in_path, path_text, text_of, whole_number
from laurels.http.responses import Scope
from laurels.present.base import SAFE
from laurels.service.admin import MAX_REASON

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter as the OpenAPI document describes it. `more` are further members of its description."""

    name: str
    place: Literal["path", "query", "header"] = "query"
    description: str
    schema: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def described(self) -> Json:
        """The parameter object of the document."""
        start: Json = {"name": self.name, "in": self.place}
        if self.place == "path":
            start["required"] = True
        return {**start, "description": self.description, "schema": dict(self.schema), **self.more}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParameter(Parameter):
    """A segment of the path. `longest` is the most characters of an id; None for a name that is only looked up."""

    longest: int | None = None

    def read(self, raw: str) -> str:
        """The text of a segment that is still percent-encoded. Raises InvalidParameter."""
        return path_text(raw, self.name) if self.longest is None else id_in_path(raw, self.name, self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNumber(Parameter):
    """A number in the query, from 1 to `most`."""

    most: int

    def read(self, scope: Scope, most: int | None = None) -> int | None:
        """The number; None if it is left out. `most` narrows the range. Raises InvalidParameter."""
        return whole_number(scope, self.name, self.most if most is None else most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant(Parameter):
    """A time in the query."""

    def read(self, scope: Scope) -> datetime | None:
        """The time; None if it is left out. A plus that was not encoded arrives as a space. Raises InvalidParameter."""
        sent = text_of(scope, self.name)
        try:
            return None if sent is None else read_instant(self.name, sent.replace(" ", "+"))
        except InvalidInput as error:
            raise InvalidParameter(self.name, str(error)) from None


def instant(name: str, description: str) -> Instant:
    """A time in the query, as RFC 3339 with an offset."""
    schema: Json = {"type": "string", "format": "date-time"}
    return Instant(name=name, description=description, schema=schema)


def in_path(name: str, description: str = "", example: str = "", longest: int | None = MAX_USER_ID) -> PathParameter:
    """An id in the path."""
    return PathParameter(
        name=name,
        place="path",
        description=f"{description}, percent-encoded",
        schema={"type": "string", "minLength": 1, "maxLength": longest, "pattern": SAFE},
        more={"example": example},
        longest=longest,
    )


def name_in_path(name: str) -> PathParameter:
    """A name in the path that is looked up; one that is not found is a page that does not exist."""
    return in_path(name, longest=None)


def number(name: str, description: str, most: int, default: int | None = None) -> WholeNumber:
    """A whole number in the query, from 1 on."""
    schema: Json = {"type": "integer", "minimum": 1, "maximum": most}
    if default is not None:
        schema["default"] = default
    return WholeNumber(name=name, description=description, schema=schema, most=most)


def text(
    name: str, description: str, longest: int, default: str | None = None, example: str | None = None
) -> Parameter:
    """A text in the query."""
    schema: Json = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": SAFE}
    if default is not None:
        schema["default"] = default
    return Parameter(name=name, description=description, schema=schema, more={"example": example} if example else {})


def in_query(name: str, description: str = "") -> Parameter:
    """A text in the query of a page."""
    return Parameter(name=name, description=description, schema={"type": "string"})


REASON = text("reason", "Why, for the audit and the history", MAX_REASON, example="a mistake")
"""Of what is undone: a DELETE has no body."""


def reason_in(scope: Scope) -> str | None:
    """The reason in the address; None if it is left out. Raises InvalidParameter."""
    reason = text_of(scope, REASON.name)
    try:
        if reason is not None:
            check_text(REASON.name, reason, MAX_REASON)
    except InvalidInput as error:
        raise InvalidParameter(REASON.name, str(error)) from None
    return reason


LANG = in_query(PARAMETER, "The language of the page")
IN_LANGUAGE = Parameter(
    name=PARAMETER,
    description="The language of the catalog's texts, where it has several; without it, what Accept-Language prefers",
    schema={"type": "string"},
    more={"example": "de"},
)
PAGE_PARAMETERS = (LANG,)
"""Of every public page."""

USER_ID = in_path("userId", "The app's own id of the user", "ada")
