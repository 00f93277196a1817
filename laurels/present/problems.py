"""Problem documents: how an error is answered over HTTP."""

from __future__ import annotations

from msgspec import Struct

from laurels.present.base import SparseAnswer, UtcTime


class FieldError(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One wrong field and how to fix it: a JSON pointer into the body, or a parameter of the address."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(SparseAnswer, frozen=True):
    """An error as RFC 9457 defines it. `error` is its short text; `errors` points at the fields to fix."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    errors: list[FieldError] | None = None
    retry_at: UtcTime | None = None
    earliest: UtcTime | None = None
