"""The door of the console: who may see a page and send a form, and what is shown where something goes wrong."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar.response import Response

from laurels.console.session import ROOT, SIGN_IN, TOKEN_FIELD, SignedOut, StaleForm, Visit, visit_of
from laurels.errors import InvalidInput, NotASandbox, Unauthorized, UserNotFound
from laurels.http.answers import Answer, Headers
from laurels.http.context import HttpRequest, context_of
from laurels.http.problems import InvalidParameter, Kind, answer_for, kind_of
from laurels.http.requests import read_form
from laurels.site.html import PRIVATE, page

FORM_LIMIT = 64 * 1024
"""How many bytes a form of the console may have."""

OWN_PATH = re.compile(r"/console(?:[/?][\w\-.~%/?=&+:@!$'()*,;]*)?", re.ASCII)
"""Where somebody may be sent who has signed in: the console, and nowhere else."""

LEADS_OUT = re.compile(r"//|/(?:\.|%2e)", re.ASCII | re.IGNORECASE)
"""What a browser would read as another host, or as a step upwards."""

FORBIDDEN = 403
KEPT_HEADERS = (b"retry-after", b"allow")

Form = Mapping[str, str]
Make = Callable[[Visit], Awaitable[Answer]]
Do = Callable[[Visit, Form], Awaitable[Answer]]


async def shown(request: HttpRequest, make: Make) -> Response[bytes]:
    """A page for operators; everybody else is sent to sign in."""

    async def answer(visit: Visit) -> Answer:
        return await make(visit) if visit.operator else redirect(sign_in_for(request))

    return (await _guarded(request, answer)).response()


async def done(request: HttpRequest, do: Do) -> Response[bytes]:
    """What an operator does with a form that this session was shown."""

    async def answer(visit: Visit) -> Answer:
        form = await read_form(request.scope, request.receive, FORM_LIMIT)
        if not visit.operator:
            raise SignedOut
        visit.check_form(form)
        return await do(visit, form)

    return (await _guarded(request, answer)).response()


async def _guarded(request: HttpRequest, make: Make) -> Answer:
    """The answer, or a page that says what went wrong and what to do."""
    visit = None
    try:
        visit = await visit_of(context_of(request), request.scope)
        return await make(visit)
    except Exception as error:  # noqa: BLE001  # whatever it is, a person is told
        return error_page(error, visit)


def render(visit: Visit | None, template: str, *, status: int = 200, headers: Headers = PRIVATE, **more: Any) -> Answer:
    """A page of the console. Every one knows who is signed in, and what its forms must carry."""
    return page(
        f"console/{template}",
        status=status,
        headers=headers,
        lang="en",
        operator=visit.operator if visit else "",
        token=visit.token if visit and visit.nonce else "",
        token_field=TOKEN_FIELD,
        user_at=user_at,
        as_json=as_json,
        **more,
    )


def error_page(error: Exception, visit: Visit | None = None) -> Answer:
    """An error as a page: what happened, and the mend."""
    status, headers, title, fix = _told(error)
    said = "" if status == INTERNAL else str(error)
    return render(visit, "error.html", status=status, headers=[*PRIVATE, *headers], title=title, said=said, fix=fix)


INTERNAL = 500


def _told(error: Exception) -> tuple[int, Headers, str, str]:
    """Status, headers, title and mend of an error."""
    own = OWN_KINDS.get(type(error))
    if own:
        return own.status, [], own.title, own.fix
    answer = answer_for(error)  # which also writes to the log what an operator of the server must know
    kept = [pair for pair in answer.headers if pair[0] in KEPT_HEADERS]
    kind = kind_of(error)
    title, fix = (kind.title, kind.fix) if kind.status == answer.status else ("There is nothing here", "")
    return answer.status, kept, title, FIXES.get(type(error), fix)


OWN_KINDS: dict[type[Exception], Kind] = {
    StaleForm: Kind(
        "stale-form",
        FORBIDDEN,
        "Nothing was done: this form is stale",
        "Stale form",
        "Go back, load the page anew, and send it again. A form is good for the session that opened it, and no other.",
    ),
    SignedOut: Kind(
        "signed-out",
        FORBIDDEN,
        "Nothing was done: you are signed out",
        "Signed out",
        "Sign in, and do it again. A session ends after 12 hours, and at once when its key is revoked.",
    ),
}

FIXES: dict[type[Exception], str] = {
    UserNotFound: "Look for the user by name, or by the beginning of the id.",
    Unauthorized: "Sign in with an admin key.",
    InvalidParameter: "Mend the address, or look for the user.",
    NotASandbox: "Leave the header Laurels-Now out.",
}
"""What an operator should do, where it is another thing than what a program should."""


def field_of(error: Exception | None, fields: Collection[str]) -> str:
    """At which of a form's fields an error is shown; '' where it concerns none of them, and is shown above."""
    return error.field if isinstance(error, InvalidInput) and error.field in fields else ""


def redirect(to: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Go on to another page of the console, with a GET."""
    assert OWN_PATH.fullmatch(to), to
    return Answer(303, [*PRIVATE, (b"content-type", b"text/html"), (b"location", to.encode("ascii")), *headers], b"")


def own_path(wanted: str | None) -> str:
    """Where to go on: as wanted, if that is a page of the console."""
    return wanted if wanted and OWN_PATH.fullmatch(wanted) and not LEADS_OUT.search(wanted) else ROOT


def sign_in_for(request: HttpRequest) -> str:
    """The sign-in page that leads back to what was asked for."""
    scope = request.scope
    query = scope["query_string"].decode("latin-1")
    wanted = own_path(scope["path"] + (f"?{query}" if query else ""))
    return SIGN_IN if wanted == ROOT else f"{SIGN_IN}?{urlencode({'next': wanted})}"


def user_at(user_id: str, *under: str, **query: str | int) -> str:
    """The address of a user's page, or of a page under it; an id may hold anything."""
    path = "/".join([f"{ROOT}/users", quote(user_id, safe=""), *under])
    return f"{path}?{urlencode(query)}" if query else path


def as_json(data: object) -> str:
    """The data of an event, to be read by people."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
