"""/console/sign-in and /console/sign-out: start a session with an admin key, and end it."""

from __future__ import annotations

from dataclasses import replace

from laurels.auth.keys import hash_of_key, verify_key
from laurels.auth.networks import network_of
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
from laurels.http.responses import Response
from laurels.http.security import credential, note_refusal
from laurels.http.sources import address_of, request_id, source_of
from laurels.service.audit import audit_row
from laurels.site.html import PRIVATE
from laurels.storage.contract import AuditKind

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
    """Take an admin key, and start a session."""
    visit, typed = visit_before_sign_in(request.context, request.scope), request.body
    next_path, key, context = own_path(typed.get("next")), typed.get("key", "").strip(), visit.context
    try:
        visit.check_form(typed)
        address = address_of(request.scope)
        context.sign_in_rate.take(network_of(address))
        operator = await verify_key(context.laurels.store, key, context.laurels.clock, address, "admin")
    except StaleForm as error:
        await note_refusal(request, error)
        fresh = replace(visit, secret=new_form_secret())
        return (
            _form(fresh, next_path, "The form expired. Please try again.", 403) if visit.secret else error_page(error)
        )
    except TooManyRequests as error:
        await note_refusal(request, error)
        return _form(visit, next_path, TOO_FAST, kind_of(error).status, error)
    except (Unauthorized, WrongAddress) as error:
        text = str(error)
        detail = await credential(context.laurels.store, key)
        await context.failed_sign_ins.add(address_of(request.scope), request_id(request.scope), detail)
        return _form(visit, next_path, UNKNOWN if text == str(Unauthorized()) else text, kind_of(error).status)
    await _note(replace(visit, operator=operator.name), "operator.signed_in")
    return redirect(next_path, session_cookie(visit, await context.operators.start(hash_of_key(key))))


async def _note(visit: Visit, kind: AuditKind) -> None:
    """Write into the audit and the security log what an operator did with their session."""
    laurels = visit.context.laurels
    row = audit_row(source_of(visit.scope, visit), await laurels.now(), kind)
    await laurels.store.add_audit(row)
    await laurels.core.security.note(row)


def _form(
    visit: Visit, next_path: str, error: str = "", status: int = 200, refusal: TooManyRequests | None = None
) -> Response:
    """The sign-in form, which redirects to the requested page; it never repeats the key."""
    headers = [*PRIVATE, form_cookie(visit), *(refusal.headers if refusal else ())]
    return render(visit, "sign_in.html", status=status, headers=headers, next_path=next_path, error=error)


@form(ROOT + "/sign-out", role="viewer")
async def sign_out(request: Sent) -> Response:
    """End the session of this browser."""
    ended = await end_session(request.caller)
    await _note(request.caller, "operator.signed_out")
    return redirect(SIGN_IN, ended)


ENDPOINTS = (sign_in_page, sign_in, sign_out)
