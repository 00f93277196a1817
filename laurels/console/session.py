"""Who is signed in to the console: one signed cookie, and the token that ties each form to it.

The cookie holds the hash of an admin key and the time of the sign-in, signed with the database's own secret. No server
stores sessions, so any process can answer. Each request checks its age, its key, and that it was not signed out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer

from laurels import errors
from laurels.engine.values import plain
from laurels.http.context import Context
from laurels.http.requests import credentials, header
from laurels.http.responses import Scope

COOKIE = "laurels-console"
FORM_COOKIE = "laurels-console-form"
"""Ties the sign-in form to a browser that has no session yet."""

ROOT = "/console"
SIGN_IN = ROOT + "/sign-in"
LIFETIME = timedelta(hours=12)
TOKEN_FIELD = "token"  # noqa: S105  # a field's name

Header = tuple[bytes, bytes]


class StaleForm(errors.LaurelsError):
    """This form has expired or belongs to another session."""


class SignedOut(errors.LaurelsError):
    """You are signed out, so nothing changed."""


@plain
class Visit:
    """A browser at the console. `operator` is the name of its admin key, used as the actor; '' before the sign-in.

    `nonce` identifies the session; forms and messages carry it, signed.
    """

    context: Context
    scope: Scope
    secret: bytes
    nonce: str
    operator: str = ""

    @property
    def token(self) -> str:
        """The token in each form of this session."""
        return _signer(self.secret, "form").dumps(self.nonce)

    def check_form(self, form: Mapping[str, str]) -> None:
        """Raise StaleForm for a form that this session did not show or that another site sent."""
        if not comes_from_us(self.scope):
            raise StaleForm("The form was sent from another site.")
        if not self.nonce or _read(self.secret, "form", form.get(TOKEN_FIELD, "")) != self.nonce:
            raise StaleForm

    def message(self, about: str, lines: Sequence[str]) -> str:
        """A message to show on the page a browser is redirected to, as text for its address."""
        return _signer(self.secret, "message").dumps([self.nonce, about, list(lines)])

    def read_message(self, about: str, text: str | None) -> Sequence[str]:
        """The lines of `message`; none if it was made for another session or page."""
        match _read(self.secret, "message", text or ""):
            case [self.nonce, page, [*lines]] if page == about and self.nonce:
                return lines
            case _:
                return ()


async def visit_of(context: Context, scope: Scope) -> Visit:
    """The visiting operator, or a visit without one if no valid session is found."""
    secret = await context.laurels.store.secret()
    signed_out = Visit(context, scope, secret, "")
    match _read(secret, "session", credentials(scope).cookies.get(COOKIE, "")):
        case [str(nonce), str(key_hash), int(issued)] if _lives(context, issued):
            name = await context.laurels.store.key_name(bytes.fromhex(key_hash))
            if name is None or await context.laurels.store.is_signed_out(_hash(nonce)):
                return signed_out
            return Visit(context, scope, secret, nonce, name)
        case _:
            return signed_out


async def visit_before_sign_in(context: Context, scope: Scope) -> Visit:
    """A browser that is about to sign in; without a nonce if it has not seen the form."""
    secret = await context.laurels.store.secret()
    match _read(secret, "sign-in", credentials(scope).cookies.get(FORM_COOKIE, "")):
        case [str(nonce), int(issued)] if _lives(context, issued):
            return Visit(context, scope, secret, nonce)
        case _:
            return Visit(context, scope, secret, "")


def new_nonce() -> str:
    """A random id for a session or an adjustment."""
    return secrets.token_hex(8)


def session_cookie(visit: Visit, key_hash: bytes) -> Header:
    """The cookie of a new session, with a new nonce against session fixation."""
    value = _signer(visit.secret, "session").dumps([new_nonce(), key_hash.hex(), _now(visit.context)])
    return _cookie(visit.scope, COOKIE, value, ROOT, LIFETIME)


def form_cookie(visit: Visit) -> Header:
    """The cookie of a browser that is shown the sign-in form."""
    value = _signer(visit.secret, "sign-in").dumps([visit.nonce, _now(visit.context)])
    return _cookie(visit.scope, FORM_COOKIE, value, SIGN_IN, LIFETIME)


async def end_session(visit: Visit) -> Header:
    """End a session for every process, and delete its cookie."""
    now = visit.context.laurels.clock()
    await visit.context.laurels.store.sign_out(_hash(visit.nonce), now + LIFETIME, now)
    return _cookie(visit.scope, COOKIE, "", ROOT, timedelta())


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


def _lives(context: Context, issued: int) -> bool:
    return 0 <= _now(context) - issued < LIFETIME.total_seconds()


def _now(context: Context) -> int:
    """The real clock, also in a sandbox: moving the sandbox's clock signs no operator out."""
    return int((context.laurels.clock() - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def _cookie(scope: Scope, name: str, value: str, path: str, lifetime: timedelta) -> Header:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    age = int(lifetime.total_seconds())
    text = f"{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode()


def _hash(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode()).digest()


def _signer(secret: bytes, use: str) -> URLSafeSerializer:
    """A signer for one use; a signature made for another use is invalid."""
    return URLSafeSerializer(secret, f"laurels console {use}", signer_kwargs={"digest_method": hashlib.sha256})


def _read(secret: bytes, use: str, text: str) -> Any:
    try:
        return _signer(secret, use).loads(text)
    except BadData:
        return None
