"""Who may see a page of the console and send its forms, and what is shown when something goes wrong."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from laurels import errors
from laurels.auth.identities import IdentityError
from laurels.auth.roles import Role, may
from laurels.console.session import (
    COOKIE,
    ROOT,
    SECOND_FACTOR,
    SIGN_IN,
    TOKEN_FIELD,
    SignedOut,
    StaleForm,
    Visit,
    check_sender,
    cookies_of,
    visit_of,
)
from laurels.errors import InvalidInput, NotASandbox, Unauthorized, UserNotFound
from laurels.http.access import Access
from laurels.http.bodies import FormBody
from laurels.http.context import Context
from laurels.http.endpoint import AnyRequest, Endpoint, Request, endpoint
from laurels.http.parameters import Parameter
from laurels.http.problems import InvalidParameter, Kind, kind_of, problem_response
from laurels.http.responses import HTML, Headers, Receive, Response, Scope
from laurels.present.principals import who
from laurels.site.html import PRIVATE, templates
from laurels.site.html import page as html_page

FORM_LIMIT = 64 * 1024
"""The largest form of the console, in bytes."""

OWN_PATH = re.compile(r"/console(?:[/?][\w\-.~%/?=&+:@!$'()*,;]*)?", re.ASCII)
"""Where the sign-in may redirect to: the console only."""

LEADS_OUT = re.compile(r"//|/(?:\.|%2e)", re.ASCII | re.IGNORECASE)
"""Paths that a browser reads as another host or as a parent directory."""

BAD_REQUEST = 400
FORBIDDEN = 403
SHOWN_HEADERS = (b"retry-after",)

Form = Mapping[str, str]
Shown = Request[Visit, None]
"""A request for a page, by an operator."""

Sent = Request[Visit, Form]
"""A form that an operator sent, and that the same session was shown."""


class MissingRole(errors.LaurelsError):
    """Your role may not do this."""

    security_event = "request.forbidden"

    def __init__(self, visit: Visit, needed: Role) -> None:
        """`visit` is shown the error in the frame of the console."""
        super().__init__(f"You are {visit.role or 'without a role'}; this needs the role {needed}.")
        self.visit = visit


class LacksFactor(errors.LaurelsError):
    """Your role needs a second factor, and your key has none."""

    def __init__(self, visit: Visit) -> None:
        """`visit` is shown the error in the frame of the console."""
        super().__init__()
        self.visit = visit


async def _operator(context: Context, scope: Scope, needs: Role, *, without_factor: bool) -> Visit:
    visit = await visit_of(context, scope)
    if not visit.signed_in:
        raise SignedOut
    if visit.signed_in.lacks_factor and not without_factor:
        raise LacksFactor(visit)
    if not may(visit.role, needs):
        raise MissingRole(visit, needs)
    return visit


def operator(role: Role, *, without_factor: bool = False) -> Access[Visit]:
    """An operator who is signed in and has at least this role, and a second factor if the role needs one."""
    return Access(partial(_operator, needs=role, without_factor=without_factor))


class ConsoleForm(FormBody):
    """A form of the console. One that another site sent, or a browser without the cookie, is refused before it is read."""

    def __init__(self, limit: int, cookie: str) -> None:
        super().__init__(limit)
        self._cookie = cookie

    async def read(self, context: Context, scope: Scope, receive: Receive, limit: int) -> Form:
        """See Body. Raises StaleForm, too."""
        check_sender(context, scope, has_cookie=bool(cookies_of(context, scope, self._cookie)))
        return await super().read(context, scope, receive, limit)


def page(
    path: str, *parameters: Parameter, role: Role = "viewer", without_factor: bool = False
) -> Callable[[Callable[[Shown], Awaitable[Response]]], Endpoint]:
    """Declare a page for operators with this role; a browser that is signed out is sent to the sign-in page.

    `without_factor`: also for one whose key must have a second factor and has none.
    """
    access = operator(role, without_factor=without_factor)
    return endpoint(
        "GET",
        path,
        access=access,
        parameters=parameters,
        in_languages=True,
        cross_origin=False,
        error_response=error_response,
    )


def form(
    path: str, *parameters: Parameter, role: Role, without_factor: bool = False, limit: int = FORM_LIMIT
) -> Callable[[Callable[[Sent], Awaitable[Response]]], Endpoint]:
    """Declare what an operator with this role does with a form that this session was shown. `without_factor`: see `page`.

    `limit` is the largest form, in bytes.
    """

    def declare(handler: Callable[[Sent], Awaitable[Response]]) -> Endpoint:
        async def checked(request: Sent) -> Response:
            request.caller.check_form(request.body)
            return await handler(request)

        checked.__doc__ = handler.__doc__
        return endpoint(
            "POST",
            path,
            access=operator(role, without_factor=without_factor),
            parameters=parameters,
            in_languages=True,
            body=ConsoleForm(limit, COOKIE),
            cross_origin=False,
            error_response=error_response,
        )(checked)

    return declare


def error_response(request: AnyRequest, error: Exception) -> Response:
    """The sign-in page for a page that was asked for without a session; for anything else, what went wrong."""
    if isinstance(error, SignedOut) and request.endpoint.method == "GET":
        return redirect(sign_in_for(request.scope))
    if isinstance(error, LacksFactor) and request.endpoint.method == "GET":
        return redirect(SECOND_FACTOR)
    return error_page(error, error.visit if isinstance(error, (MissingRole, LacksFactor)) else request.caller)


def render(
    visit: Visit | None, template: str, *, status: int = 200, headers: Headers = PRIVATE, **more: Any
) -> Response:
    """A page of the console, with the operator's name and the token for its forms."""
    return html_page(f"console/{template}", status=status, headers=headers, **_values(visit), **more)


def fragment(visit: Visit, template: str, **more: Any) -> str:
    """A part of a page of the console, as HTML."""
    return templates().get_template(f"console/{template}").render({**_values(visit), **more})


def _values(visit: Visit | None) -> dict[str, Any]:
    """What every template may use."""
    return {
        "lang": "en",
        "operator": visit.operator if visit else "",
        "has_key": visit is not None and visit.signed_in is not None and visit.signed_in.kind == "operator",
        "catalog_difference": visit.context.laurels.rules.difference if visit else "",
        "may": partial(may, visit.role if visit else ""),
        "token": visit.token if visit else "",
        "token_field": TOKEN_FIELD,
        "user_at": user_at,
        "who": who,
        "as_json": as_json,
    }


def error_page(error: Exception, visit: Visit | None = None) -> Response:
    """An error as a page: what happened, and how to fix it."""
    status, headers, title, fix = _described(error)
    detail = "" if status == INTERNAL else str(error)
    return render(visit, "error.html", status=status, headers=[*PRIVATE, *headers], title=title, detail=detail, fix=fix)


def problem_in_words(error: Exception) -> tuple[int, str, str]:
    """The status, the title and the fix of an error, for a page that has begun."""
    status, _, title, fix = _described(error)
    return status, title, fix


INTERNAL = 500


def _described(error: Exception) -> tuple[int, Headers, str, str]:
    """Status, headers, title and fix of an error."""
    own = OWN_KINDS.get(type(error))
    if own:
        return own.status, [], own.title, own.fix
    response = problem_response(error)  # also writes to the log what an operator of the server must know
    headers = [pair for pair in response.headers if pair[0] in SHOWN_HEADERS]
    kind = kind_of(error)
    return response.status, headers, kind.title, FIXES.get(type(error), kind.fix)


OWN_KINDS: dict[type[Exception], Kind] = {
    IdentityError: Kind(
        "invalid-identity",
        BAD_REQUEST,
        "Nothing changed: the proxy's header cannot be read",
        "Invalid identity",
        "Have the proxy set its header once, to the operator's name, in place of any that a client sends.",
    ),
    MissingRole: Kind(
        "missing-role",
        FORBIDDEN,
        "Nothing changed: your role may not do this",
        "Missing role",
        "Ask an operator with that role, or for the role: laurels key create --admin --role ROLE, or "
        "console.proxy.names and .groups in the settings if a proxy signs you in",
    ),
    LacksFactor: Kind(
        "lacks-factor",
        FORBIDDEN,
        "Nothing changed: your key has no second factor",
        "No second factor",
        "Set it up at /console/second-factor, then send the form again.",
    ),
    StaleForm: Kind(
        "stale-form",
        FORBIDDEN,
        "Nothing changed: this form has expired",
        "Stale form",
        "Go back, reload the page and send the form again. A form is valid only in the session that opened it.",
    ),
    SignedOut: Kind(
        "signed-out",
        FORBIDDEN,
        "Nothing changed: you are signed out",
        "Signed out",
        "Sign in and try again. A session ends when it is not used, some hours after the sign-in, and when its key is revoked.",
    ),
}

FIXES: dict[type[Exception], str] = {
    UserNotFound: "Search for the user by name or ID.",
    Unauthorized: "Sign in with an admin key.",
    InvalidParameter: "Fix the address, or search for the user.",
    NotASandbox: "Remove the Laurels-Now header.",
}
"""Fixes for operators, if they differ from those for programs."""


def field_of(error: Exception | None, fields: Collection[str]) -> str:
    """The form field at which an error is shown; '' if it belongs to none and is shown above the form."""
    return error.field if isinstance(error, InvalidInput) and error.field in fields else ""


def redirect(to: str, *headers: tuple[bytes, bytes]) -> Response:
    """Redirect to another page of the console, with a GET."""
    if not OWN_PATH.fullmatch(to):
        raise ValueError(f"'{to}' is not a page of the console")
    return Response(303, [*PRIVATE, HTML, (b"location", to.encode("ascii")), *headers])


def own_path(path: str | None) -> str:
    """The requested path if it is a page of the console, else its start page."""
    return path if path and OWN_PATH.fullmatch(path) and not LEADS_OUT.search(path) else ROOT


def sign_in_for(scope: Scope) -> str:
    """The sign-in page that redirects back to the requested page."""
    query = scope["query_string"].decode("latin-1")
    path = own_path(scope["path"] + (f"?{query}" if query else ""))
    return SIGN_IN if path == ROOT else f"{SIGN_IN}?{urlencode({'next': path})}"


def user_at(user_id: str, *under: str, **query: str | int) -> str:
    """The address of a user's page, or of a page below it; the id is quoted."""
    path = "/".join([f"{ROOT}/users", quote(user_id, safe=""), *under])
    return f"{path}?{urlencode(query)}" if query else path


def as_json(data: object) -> str:
    """The data of an event as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
