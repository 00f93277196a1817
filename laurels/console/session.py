"""Who is signed in to the console: one cookie with a random token, and the code that ties each form to it.

The token is that of a stored session (auth/operators.py). The code of a form and the signature of a message are made from the
token, not from anything in the database: a reader of the database can forge neither.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer

from laurels import errors
from laurels.auth.operators import Operator
from laurels.engine.values import plain
from laurels.http.context import Context
from laurels.http.cookies import HOST_ONLY, is_secure, set_cookie
from laurels.http.requests import credentials, header
from laurels.http.responses import Scope
from laurels.http.sources import address_of, peer_of, source_of
from laurels.service.admin import Admin
from laurels.storage.contract import LIBRARY, Principal

COOKIE = "laurels-console"
FORM_COOKIE = "laurels-console-form"
"""Ties the sign-in form to a browser that has no session yet."""

FORM_SECRET = re.compile(r"[\w-]{32}", re.ASCII)

NEEDS_HTTPS = (
    "The browser sent no cookie: it stores none that is marked Secure from a page that came over http. Open the console over "
    "https. If there is none, set auth.cookie_secure to 'never'."
)

ROOT = "/console"
SIGN_IN = ROOT + "/sign-in"
SECOND_FACTOR = ROOT + "/second-factor"
FORM_SECONDS = 12 * 3600
"""How long the form to sign in is valid."""

TOKEN_FIELD = "token"  # noqa: S105  # a field's name

Header = tuple[bytes, bytes]


class StaleForm(errors.LaurelsError):
    """This form has expired or belongs to another session."""

    security_event = "form.refused"


class SignedOut(errors.LaurelsError):
    """You are signed out, so nothing changed."""


@plain
class Visit:
    """A browser at the console.

    secret     the random text in its cookie, which its forms and messages are tied to; '' without one
    signed_in  the operator; None before the sign-in
    """

    context: Context
    scope: Scope
    secret: str
    signed_in: Operator | None = None

    @property
    def operator(self) -> str:
        """The operator's name, used as the actor; '' before the sign-in."""
        return self.signed_in.name if self.signed_in else ""

    @property
    def role(self) -> str:
        """What the operator may do; '' for nothing."""
        return self.signed_in.role if self.signed_in else ""

    @property
    def principal(self) -> Principal:
        """The operator, as stored with what they change."""
        return self.signed_in.principal if self.signed_in else LIBRARY.principal

    @property
    def admin(self) -> Admin:
        """Changes by this operator."""
        return Admin(self.context.laurels, source_of(self.scope, self))

    @property
    def token(self) -> str:
        """The code in each form of this browser; '' if it has no cookie."""
        return hmac.digest(self.secret.encode(), b"form", hashlib.sha256).hex() if self.secret else ""

    def check_form(self, form: Mapping[str, str]) -> None:
        """Raise StaleForm for a form that this browser was not shown or that another site sent."""
        check_sender(self.context, self.scope, has_cookie=bool(self.secret))
        if not hmac.compare_digest(form.get(TOKEN_FIELD, "").encode(), self.token.encode()):
            raise StaleForm

    def message(self, about: str, lines: Sequence[str]) -> str:
        """A message to show on the page a browser is redirected to, as text for its address."""
        return _signer(self.secret).dumps([about, list(lines)])

    def read_message(self, about: str, text: str | None) -> Sequence[str]:
        """The lines of `message`; none if it was made for another session or page."""
        match _read(self.secret, text or ""):
            case [page, [*lines]] if page == about and self.secret:
                return lines
            case _:
                return ()


async def visit_of(context: Context, scope: Scope) -> Visit:
    """The visiting operator, or a visit without one if no valid session is found."""
    tokens = cookies_of(context, scope, COOKIE)
    found = await context.operators.signed_in(tokens, address_of(scope), named_by_proxy(context, scope))
    return Visit(context, scope, *found) if found else Visit(context, scope, "")


def named_by_proxy(context: Context, scope: Scope) -> Operator | None:
    """The operator whom the proxy names in this request; None if no proxy signs operators in. Raises IdentityError."""
    proxy = context.operators.by_proxy
    return proxy.operator(scope["headers"], peer_of(scope)) if proxy else None


def visit_before_sign_in(context: Context, scope: Scope) -> Visit:
    """A browser that is about to sign in; without a secret if it has not seen the form."""
    sent = filter(FORM_SECRET.fullmatch, cookies_of(context, scope, FORM_COOKIE))
    return Visit(context, scope, next(sent, ""))


def new_nonce() -> str:
    """A random id for an adjustment or an amnesty."""
    return secrets.token_hex(8)


def new_form_secret() -> str:
    """The random text for the cookie of a browser that is shown the form to sign in."""
    return secrets.token_urlsafe(24)


def session_cookie(visit: Visit, token: str) -> Header:
    """The cookie of a new session."""
    seconds = int(visit.context.operators.lifetime.total_seconds())
    return _cookie(visit, COOKIE, token, ROOT, seconds)


def form_cookie(visit: Visit) -> Header:
    """The cookie of a browser that is shown the sign-in form."""
    return _cookie(visit, FORM_COOKIE, visit.secret, SIGN_IN, FORM_SECONDS)


async def end_session(visit: Visit) -> Header:
    """End a session for every process, and delete its cookie."""
    await visit.context.operators.end(visit.secret)
    return _cookie(visit, COOKIE, "", ROOT, 0)


def check_sender(context: Context, scope: Scope, *, has_cookie: bool) -> None:
    """Raise StaleForm for a form that another site sent, or a browser without the cookie that it was shown with."""
    if not comes_from_us(scope):
        raise StaleForm("The form was sent from another site.")
    if not has_cookie and scope.get("scheme") != "https" and is_secure(context.settings, scope):
        raise StaleForm(NEEDS_HTTPS)
    if not has_cookie:
        raise StaleForm


def comes_from_us(scope: Scope) -> bool:
    """Whether one of our own pages sent this, according to the browser; other clients send neither header.

    Sec-Fetch-Site decides if present, because it is right even with a proxy in between; otherwise the origin must be our host.
    """
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
    if site is not None:
        return site == "same-origin"
    if origin is None:
        return True
    return urlsplit(origin).netloc.lower() == (header(scope, b"host") or "").lower() != ""


def _cookie(visit: Visit, name: str, value: str, path: str, seconds: int) -> Header:
    """A cookie for the console alone. If it is secure, no other host of the domain can set one of its name."""
    secure = is_secure(visit.context.settings, visit.scope)
    name, path = (HOST_ONLY + name, "/") if secure else (name, path)
    return set_cookie(name, value, path=path, seconds=seconds, same_site="Strict", secure=secure)


def cookies_of(context: Context, scope: Scope, name: str) -> Sequence[str]:
    """All values of a cookie that `_cookie` sets."""
    prefix = HOST_ONLY if is_secure(context.settings, scope) else ""
    return credentials(scope).cookies.get(prefix + name, ())


def _signer(secret: str) -> URLSafeSerializer:
    """A signer for the messages of one browser."""
    return URLSafeSerializer(secret, "laurels console message", signer_kwargs={"digest_method": hashlib.sha256})


def _read(secret: str, text: str) -> Any:
    try:
        return _signer(secret).loads(text)
    except BadData:
        return None
