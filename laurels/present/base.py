"""What the types of all nouns share: their base classes, and field types with their limits and descriptions.

Field names are snake_case in Python and camelCase in JSON. Docstrings and descriptions become the OpenAPI document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from laurels.engine.events import MAX_EVENT_ID, MAX_NAME, MAX_USER_ID
from laurels.engine.numbers import whole

SAFE = r"^[^\u0000-\u001f\u007f-\u009f]+$"
"""Text without control characters, as a pattern for the OpenAPI document; the facade checks it."""

VISIBLE = r"[^\s\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""A name that is not empty after the facade has cleaned it."""

_encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True, rename="camel", kw_only=True):
    """What Laurels answers: a JSON object in camelCase."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object as a dict: camelCase keys, dates and times as text."""
        return cast(dict[str, Any], msgspec.to_builtins(self))

    def to_json(self) -> bytes:
        """The JSON object as UTF-8 bytes."""
        return _encode(self)


class SparseAnswer(Answer, frozen=True, omit_defaults=True):
    """An answer whose JSON leaves out fields that have their default: what did not change, or was not requested.

    A list that was requested and is empty is shown: the default is an empty tuple, which is not equal to it.
    """


class Body(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a client sends: a JSON object in camelCase, without fields that Laurels does not know."""


def whole_number(most: int, description: str) -> Meta:
    """A number from 1 to `most`. JSON does not distinguish 2 from 2.0, so the field is read as a float; see `as_whole`."""
    return Meta(description=description, extra_json_schema={"type": "integer", "minimum": 1, "maximum": most})


def as_whole(number: float) -> int | float:
    """2.0 as 2. A number such as 2.5 is returned as it is, and refused by a later check."""
    found = whole(number)
    return number if found is None else found


UserId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_USER_ID,
        description="The app's own id of the user",
        extra_json_schema={"pattern": SAFE},
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="The display name; control characters are removed",
        extra_json_schema={"pattern": VISIBLE},
    ),
]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        description="Why, for the history that operators and your app read. The user reads it if the catalog shows it",
        extra_json_schema={"pattern": SAFE},
    ),
]
Actor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="Who did it, for the history",
        extra_json_schema={"pattern": SAFE},
    ),
]
ShortName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, extra_json_schema={"pattern": SAFE})]
AdjustmentId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_EVENT_ID,
        description="Unique for this user; choose it once and retry with it",
        extra_json_schema={"pattern": SAFE},
    ),
]
Group = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME,
        description="The name of a group that the user is in; an amnesty may be for one group",
        extra_json_schema={"pattern": SAFE},
    ),
]
ZoneName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="An IANA name, such as 'Europe/Berlin'",
        extra_json_schema={"format": "iana-time-zone"},
    ),
]
Points = Annotated[int, Meta(description="Points, a whole number")]
UtcTime = Annotated[datetime, Meta(tz=True, description="RFC 3339, with an offset")]
TimeText = Annotated[str, Meta(description="RFC 3339, with an offset", extra_json_schema={"format": "date-time"})]
"""A time that a client sends. `read_instant` reads it, because the decoder would round up after the microseconds."""
