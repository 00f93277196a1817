"""/console/sign-in and /console/sign-out: start a session with an admin key or through a proxy, and end it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from laurels.auth.keys import verify_key
from laurels.auth.networks import network_of
from laurels.auth.operators import Operator
from laurels.auth.second_factors import WrongCodeError
from laurels.console.guards import (
    FORM_LIMIT,
    ConsoleForm,
    Form,
    Sent,
    error_page,
    error_response,
    form,
    own_path,
    redirect,
    render,
)
from laurels.console.session import (
    FORM_COOKIE,
    ROOT,
    SIGN_IN,
    StaleForm,
    Visit,
    end_session,
    form_cookie,
    named_by_proxy,
    new_form_secret,
    session_cookie,
    visit_before_sign_in,
    visit_of,
)
from laurels.errors import Unauthorized, WrongAddress
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import in_query
from laurels.http.problems import TooManyRequests, kind_of
from laurels.http.requests import text_of
from laurels.http.responses import Headers, Response
from laurels.http.security import credential, note_refusal
from laurels.http.sources import address_of, request_id, source_of
from laurels.service.audit import audit_row
from laurels.service.security_log import named_in
from laurels.site.html import PRIVATE
from laurels.storage.contract import AuditKind

NO_KEYS = "This server takes no admin keys. Open the console through the proxy that signs you in."
NOT_BY_PROXY = "This request did not come through the proxy, or the proxy has not signed you in."
NO_ROLE = "You have no role at this console. Ask an operator who runs this server to add you to console.proxy.names or .groups."
EXPIRED = "The form expired. Please try again."
UNKNOWN = "This key is unknown or was revoked."
TOO_FAST = "Too many attempts. Wait a few seconds, then try again."


@endpoint(
    "GET", SIGN_IN, access=PUBLIC, parameters=[in_query("next")], cross_origin=False, error_response=error_response
)
async def sign_in_page(request: Request[None, None]) -> Response:
    """Show the form; an operator who is signed in already continues to the page."""
    context, scope = request.context, request.scope
    next_path = own_path(text_of(scope, "next"))
    if (await visit_of(context, scope)).operator:
        return redirect(next_path)
    visit = visit_before_sign_in(context, scope)
    return _form(visit if visit.secret else replace(visit, secret=new_form_secret()), next_path)


@endpoint(
    "POST",
    SIGN_IN,
    access=PUBLIC,
    body=ConsoleForm(FORM_LIMIT, FORM_COOKIE),
    cross_origin=False,
    error_response=error_response,
)
async def sign_in(request: Request[None, Form]) -> Response:
    """Take an admin key, or the name that the proxy gives, and start a session."""
    visit, typed = visit_before_sign_in(request.context, request.scope), request.body
    next_path, by = own_path(typed.get("next")), "proxy" if typed.get("by") == "proxy" else "key"
    try:
        visit.check_form(typed)
        if by == "proxy":
            return await _by_proxy(visit, next_path)
        if not visit.context.operators.by_key:
            return _form(visit, next_path, NO_KEYS, 403)
        return await _by_key(visit, next_path, typed.get("key", "").strip(), typed.get("code", ""))
    except StaleForm as error:
        await note_refusal(request, error)
        fresh = replace(visit, secret=new_form_secret())
        return _form(fresh, next_path, EXPIRED, 403, at=by) if visit.secret else error_page(error)
    except TooManyRequests as error:
        await note_refusal(request, error)
        return _form(visit, next_path, TOO_FAST, kind_of(error).status, at=by, more=error.headers)


async def _by_key(visit: Visit, next_path: str, key: str, code: str) -> Response:
    """Start a session with an admin key, and a code if the key has a second factor. Raises TooManyRequests.

    A valid key is not slowed down by what others try at the same address: an attacker may be behind the same proxy. Each key
    has a rate of its own, and keys are too long to be guessed at any rate.
    """
    context, address = visit.context, address_of(visit.scope)
    try:
        row = await verify_key(context.laurels.store, key, context.laurels.clock, address, "admin")
    except (Unauthorized, WrongAddress) as error:
        text = str(error)
        await _failed(visit, await credential(context.laurels, key, "admin"))
        return _form(visit, next_path, UNKNOWN if text == str(Unauthorized()) else text, kind_of(error).status)
    try:
        context.sign_in_rate.take(row.key_hash)
        factor = await context.second_factors.check(key, code)
    except WrongCodeError as error:
        if error.counts:
            await _failed(visit, {"key": row.name, "hint": row.hint, "why": "wrong code"})
        return _form(visit, next_path, str(error), kind_of(error).status, at="code")
    token = await context.operators.start(row.key_hash, second_factor=factor is not None)
    signed_in = replace(visit, signed_in=Operator(row.name, row.role, key_hash=row.key_hash))
    return await _signed_in(signed_in, next_path, token, factor)


async def _failed(visit: Visit, detail: Mapping[str, str]) -> None:
    """Note a failed sign-in. Raises TooManyRequests for the key or operator that `detail` names, else for the address."""
    address, named = address_of(visit.scope), named_in(detail)
    try:
        visit.context.sign_in_rate.take((named, network_of(address)) if named else network_of(address))
    except TooManyRequests as error:
        error.about = detail
        raise
    await visit.context.failed_sign_ins.add(address, request_id(visit.scope), detail)


async def _by_proxy(visit: Visit, next_path: str) -> Response:
    """Start a session of the operator whom the proxy names. Raises TooManyRequests, IdentityError."""
    context, named = visit.context, named_by_proxy(visit.context, visit.scope)
    if named is None:
        context.sign_in_rate.take(network_of(address_of(visit.scope)))
        return _form(visit, next_path, NOT_BY_PROXY, 403, at="proxy")
    if not named.role:
        await _failed(visit, {"operator": named.name, "why": "no role"})
        return _form(visit, next_path, NO_ROLE, 403, at="proxy")
    context.sign_in_rate.take(named.principal)
    return await _signed_in(replace(visit, signed_in=named), next_path, await context.operators.start_by_proxy(named))


async def _signed_in(visit: Visit, next_path: str, token: str, factor: str | None = None) -> Response:
    await _note(visit, "operator.signed_in", second_factor=factor)
    return redirect(next_path, session_cookie(visit, token))


async def _note(visit: Visit, kind: AuditKind, **detail: Any) -> None:
    """Write into the audit and the security log what an operator did with their session."""
    laurels = visit.context.laurels
    row = audit_row(source_of(visit.scope, visit), await laurels.now(), kind, **detail)
    await laurels.store.add_audit(row)
    await laurels.core.security.note(row)


def _form(
    visit: Visit, next_path: str, error: str = "", status: int = 200, *, at: str = "key", more: Headers = ()
) -> Response:
    """The sign-in form, which redirects to the requested page; it never repeats the key. `at`: the part with the error."""
    headers = [*PRIVATE, form_cookie(visit), *more]
    operators, named = visit.context.operators, named_by_proxy(visit.context, visit.scope)
    return render(
        visit,
        "sign_in.html",
        status=status,
        headers=headers,
        next_path=next_path,
        error=error,
        at=at if operators.by_key else "proxy",
        by_key=operators.by_key,
        by_proxy=operators.by_proxy,
        named=named,
    )


@form(ROOT + "/sign-out", role="viewer", without_factor=True)
async def sign_out(request: Sent) -> Response:
    """End the session of this browser."""
    ended = await end_session(request.caller)
    await _note(request.caller, "operator.signed_out")
    return redirect(SIGN_IN, ended)


ENDPOINTS = (sign_in_page, sign_in, sign_out)
