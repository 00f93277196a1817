"""/console/sign-in and /console/sign-out: an admin key for a session, and its end."""

from __future__ import annotations

from dataclasses import replace

from litestar import get, post
from litestar.response import Response

from laurels.auth.keys import hash_of_key, name_of_key
from laurels.console.guards import (
    FORM_LIMIT,
    Form,
    done,
    error_page,
    own_path,
    redirect,
    render,
)
from laurels.console.session import (
    ROOT,
    SIGN_IN,
    StaleForm,
    Visit,
    end_session,
    form_cookie,
    new_nonce,
    session_cookie,
    visit_before_sign_in,
    visit_of,
)
from laurels.errors import Unauthorized
from laurels.http.answers import Answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.problems import TooManyRequests, kind_of
from laurels.http.requests import read_form, text_of
from laurels.site.html import PRIVATE

UNKNOWN = "This key is unknown, or it was revoked."
TOO_FAST = "Too many attempts: wait a few seconds, then try again."


@get(SIGN_IN)
async def sign_in_page(request: HttpRequest) -> Response[bytes]:
    """Show the form; who is signed in already goes on."""
    context, scope = context_of(request), request.scope
    try:
        wanted = own_path(text_of(scope, "next"))
        if (await visit_of(context, scope)).operator:
            return redirect(wanted).response()
        visit = await visit_before_sign_in(context, scope)
        return _form(visit if visit.nonce else replace(visit, nonce=new_nonce()), wanted).response()
    except Exception as error:  # noqa: BLE001  # whatever it is, a person is told
        return error_page(error).response()


@post(SIGN_IN, status_code=200)
async def sign_in(request: HttpRequest) -> Response[bytes]:
    """Take an admin key, and begin a session."""
    context, scope = context_of(request), request.scope
    try:
        form = await read_form(scope, request.receive, FORM_LIMIT)
        visit = await visit_before_sign_in(context, scope)
        return (await _signed_in(visit, form)).response()
    except Exception as error:  # noqa: BLE001  # whatever it is, a person is told
        return error_page(error).response()


async def _signed_in(visit: Visit, form: Form) -> Answer:
    wanted, key, context = own_path(form.get("next")), form.get("key", "").strip(), visit.context
    try:
        visit.check_form(form)
        context.sign_in_rate.take((visit.scope.get("client") or ("",))[0])
        await name_of_key(context.laurels.store, key, "admin")
    except StaleForm as error:
        fresh = replace(visit, nonce=new_nonce())
        return (
            _form(fresh, wanted, "The form was too old. Please try again.", 403) if visit.nonce else error_page(error)
        )
    except TooManyRequests as error:
        return _form(visit, wanted, TOO_FAST, kind_of(error).status, error)
    except Unauthorized as error:
        said = str(error)
        return _form(visit, wanted, UNKNOWN if said == str(Unauthorized()) else said, kind_of(error).status)
    return redirect(wanted, session_cookie(visit, hash_of_key(key)))


def _form(
    visit: Visit, wanted: str, error: str = "", status: int = 200, refusal: TooManyRequests | None = None
) -> Answer:
    """The sign-in form, which leads to the wanted page; never with what was typed."""
    headers = [*PRIVATE, form_cookie(visit), *(refusal.headers if refusal else [])]
    return render(visit, "sign_in.html", status=status, headers=headers, wanted=wanted, error=error)


@post(ROOT + "/sign-out", status_code=200)
async def sign_out(request: HttpRequest) -> Response[bytes]:
    """End the session of this browser."""

    async def end(visit: Visit, _: Form) -> Answer:
        return redirect(SIGN_IN, await end_session(visit))

    return await done(request, end)


HANDLERS = (sign_in_page, sign_in, sign_out)
