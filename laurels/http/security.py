"""What a server writes into the security log about requests that it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from laurels.auth.keys import KeyKind, hash_of_key, hint_of_key, kind_of
from laurels.errors import LaurelsError, MissingScope, Unauthorized, WrongAddress
from laurels.http.endpoint import AnyRequest
from laurels.http.problems import TooManyRequests
from laurels.http.requests import credentials, header
from laurels.http.sources import address_of, request_id
from laurels.service.laurels import Laurels
from laurels.storage.contract import KeyRow


async def note_refusal(request: AnyRequest, error: LaurelsError) -> None:
    """Write a line about a request that was refused, unless its caller has caused too many in this second."""
    fields: Mapping[str, str] = {"endpoint": request.endpoint.label}
    laurels, address = request.context.laurels, address_of(request.scope)
    principal = error.principal if isinstance(error, TooManyRequests) else None
    if isinstance(error, TooManyRequests):
        fields = {**error.about, **fields}
    elif isinstance(error, (Unauthorized, MissingScope, WrongAddress)):
        fields = {**await credential(laurels, credentials(request.scope).bearer, "app"), **fields}
    if isinstance(error, MissingScope):
        fields = {**fields, "why": f"it lacks {error.scope}"}
    by = (principal, address, request_id(request.scope))
    await laurels.core.security.write(error.security_event, *by, fields, is_failure=True)


async def note_refused_origin(request: AnyRequest) -> None:
    """Write a line about a page of another origin that is not listed and asked whether it may read a response."""
    origin, asked = header(request.scope, b"origin"), header(request.scope, b"access-control-request-method")
    if origin is None or asked is None:
        return
    fields = {"endpoint": request.endpoint.path, "origin": origin}
    by = (None, address_of(request.scope), request_id(request.scope))
    await request.context.laurels.core.security.write("origin.refused", *by, fields, is_failure=True)


async def credential(laurels: Laurels, bearer: str | None, expected: KeyKind) -> Mapping[str, str]:
    """What can be said about refused credentials without repeating them: the name of a key, or how it begins, and why.

    `expected` is the kind of key that is taken there.
    """
    kind = kind_of(bearer) if bearer else None
    if not bearer or kind is None:
        return {}
    found = await laurels.store.any_key(hash_of_key(bearer))
    if found is None:
        return {"hint": hint_of_key(bearer), "why": "unknown"}
    return {"key": found.name, "hint": found.hint, "why": _why(found, laurels.clock(), is_expected=kind == expected)}


def _why(key: KeyRow, now: datetime, *, is_expected: bool) -> str:
    """Why a key was refused."""
    if key.revoked_at:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "not for this address" if is_expected else "not for this purpose"
