"""/console/second-factor: an operator with a key adds an app that shows codes, and gets recovery codes."""

from __future__ import annotations

from io import BytesIO

import segno

from laurels.auth.keys import hash_of_key
from laurels.auth.operators import Operator, hash_of_token
from laurels.auth.second_factors import left_of, link, new_secret
from laurels.console.guards import Sent, Shown, field_of, form, page, render
from laurels.console.session import SECOND_FACTOR, Visit
from laurels.errors import InvalidInput
from laurels.http.hosts import name_in
from laurels.http.parameters import in_query
from laurels.http.problems import kind_of
from laurels.http.requests import header
from laurels.http.responses import Response
from laurels.http.sources import source_of

NO_KEY = "You signed in through the proxy, which can ask for a second factor itself."
OTHER_KEY = "This is not the key with which you signed in."


@page(SECOND_FACTOR, in_query("next"), role="viewer", without_factor=True)
async def second_factor(request: Shown) -> Response:
    """Show whether there is a second factor, or a new secret for one."""
    visit = request.caller
    if _operator(visit).kind == "proxy":
        return render(visit, "second_factor.html", by_proxy=NO_KEY)
    factor = await visit.context.laurels.store.second_factor(_operator(visit).key_hash)
    if factor is None:
        return _new(visit, new_secret())
    return render(visit, "second_factor.html", since=factor.created_at, left=left_of(factor))


@form(SECOND_FACTOR, role="viewer", without_factor=True)
async def add_second_factor(request: Sent) -> Response:
    """Store the second factor once the app has shown a right code, and show the recovery codes, this once."""
    visit, typed = request.caller, request.body
    operator, secret, key = _operator(visit), typed.get("secret", ""), typed.get("key", "").strip()
    visit.context.sign_in_rate.take(("second factor", visit.principal))
    try:
        _check_key(operator, key)
        codes = await visit.context.second_factors.add(
            key, secret, typed.get("code", ""), hash_of_token(visit.secret), source_of(visit.scope, visit)
        )
    except InvalidInput as error:
        return _new(visit, new_secret() if error.field in ("secret", "by") else secret, error)
    return render(visit, "second_factor.html", codes=codes)


def _check_key(operator: Operator, key: str) -> None:
    """Raise InvalidInput unless this is the key with which the operator signed in."""
    if operator.kind == "proxy":
        raise InvalidInput("by", NO_KEY)
    if hash_of_key(key) != operator.key_hash:
        raise InvalidInput("key", OTHER_KEY)


def _operator(visit: Visit) -> Operator:
    """The operator; a page is shown to no one else."""
    if visit.signed_in is None:
        raise TypeError("no operator")
    return visit.signed_in


def _new(visit: Visit, secret: str, error: InvalidInput | None = None) -> Response:
    """A secret as a QR code, a link and a text, and the form to confirm it."""
    address = link(secret, visit.operator, name_in(header(visit.scope, b"host") or ""))
    return render(
        visit,
        "second_factor.html",
        status=kind_of(error).status if error else 200,
        secret=secret,
        link=address,
        picture=_picture(address),
        is_required=_operator(visit).lacks_factor,
        error=str(error) if error else "",
        at=field_of(error, ("key", "code")),
    )


def _picture(address: str) -> str:
    """A QR code as SVG, dark on light in every theme. It has only numbers in it, no text."""
    out = BytesIO()
    segno.make_qr(address, error="m").save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        svgclass=None,
        lineclass=None,
        light="#fff",
        border=4,
    )
    return out.getvalue().decode()


ENDPOINTS = (second_factor, add_second_factor)
