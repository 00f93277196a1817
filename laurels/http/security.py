"""What a server writes into the security log about requests that it refuses."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.auth.keys import hash_of_key, hint_of_key, kind_of
from laurels.errors import LaurelsError, MissingScope, Unauthorized, WrongAddress
from laurels.http.endpoint import AnyRequest
from laurels.http.problems import TooManyRequests
from laurels.http.requests import credentials, header
from laurels.http.sources import address_of, request_id
from laurels.storage.contract import Store


async def note_refusal(request: AnyRequest, error: LaurelsError) -> None:
    """Write a line about a request that was refused, unless its caller has caused too many in this second."""
    event = error.security_event
    fields = {"endpoint": request.endpoint.label}
    log, address = request.context.laurels.core.security, address_of(request.scope)
    principal = error.principal if isinstance(error, TooManyRequests) else None
    if not log.has_room(event, address or ""):
        return
    if isinstance(error, MissingScope):
        fields["why"] = f"it lacks {error.scope}"
    if isinstance(error, (Unauthorized, MissingScope, WrongAddress)):
        fields = {**await credential(request.context.laurels.store, credentials(request.scope).bearer), **fields}
    by = (principal, address, request_id(request.scope))
    await log.write(event, *by, fields, is_failure=True, counted=True)


async def note_refused_origin(request: AnyRequest) -> None:
    """Write a line about a page of another origin that is not listed and asked whether it may read a response."""
    origin, asked = header(request.scope, b"origin"), header(request.scope, b"access-control-request-method")
    if origin is None or asked is None:
        return
    fields = {"endpoint": request.endpoint.path, "origin": origin}
    by = (None, address_of(request.scope), request_id(request.scope))
    await request.context.laurels.core.security.write("origin.refused", *by, fields, is_failure=True)


async def credential(store: Store, bearer: str | None) -> Mapping[str, str]:
    """What can be said about the credentials without repeating them: the name of a key, or how it begins."""
    if not bearer or kind_of(bearer) is None:
        return {}
    found = next((key for key in await store.keys() if key.key_hash == hash_of_key(bearer)), None)
    if found is None:
        return {"key": "unknown", "hint": hint_of_key(bearer)}
    return {"key": found.name, "hint": found.hint, "why": "revoked" if found.revoked_at else "not for this address"}
