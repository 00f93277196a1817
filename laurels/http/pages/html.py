"""Pages as answers: the templates of `web/templates`, and what a browser may load for them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from importlib import resources
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from laurels.http.answers import Answer, Headers
from laurels.http.pages import static

PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie, Accept-Language")]
STYLE = "page.css"
"""The style of all public pages. It stands in each document, so that nothing but the script is waited for."""


@cache
def templates() -> Environment:
    """The templates; whatever they show is escaped, and a name that nobody gave is an error."""
    environment = Environment(
        loader=PackageLoader("laurels.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = cast(dict[str, Any], environment.globals)
    known |= {"static": static.address, "page_style": page_style()}
    return environment


@cache
def page_style() -> str:
    """The text of STYLE."""
    return resources.files("laurels.web").joinpath("static", STYLE).read_text("utf-8")


@cache
def policy() -> bytes:
    """What a page may load: our own files, and the one style that stands in it. Nothing from elsewhere, no script in a page."""
    digest = b64encode(hashlib.sha256(page_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-{digest}'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ).encode()


def page(template: str, *, status: int = 200, headers: Headers = PRIVATE, **context: Any) -> Answer:
    """A page for people."""
    text = templates().get_template(template).render(context)
    guards = [
        (b"content-security-policy", policy()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    ]
    return Answer(status, [(b"content-type", b"text/html"), *guards, *headers], text.encode())
