"""Pages as responses: the templates of site, console and demo, and what a browser may load for them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache, partial
from typing import Any, cast

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from laurels.http.endpoint import AnyRequest
from laurels.http.problems import problem_response
from laurels.http.requests import header
from laurels.http.responses import HTML, Headers, Response, Scope
from laurels.site import static
from laurels.site.texts import TEXTS, asked_language, grouped, language_of

PATHS = ("/profile", "/leaderboards", "/badges")
"""The pages in the navigation; each has its name in the texts."""

PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie, Accept-Language")]
AWAY = 500
"""The first status of an error on our side."""

MISSING = (404, 422)
"""The statuses of an unknown address, and of an invalid one."""

STYLE = "page.css"
"""The style of all public pages, inlined in each, so that the first paint waits only for the script."""


@cache
def templates() -> Environment:
    """The templates; every value is escaped, and an undefined name is an error."""
    environment = Environment(
        loader=_loader(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = cast(dict[str, Any], environment.globals)
    known |= {"static": static.address, "page_style": page_style()}
    return environment


def _loader() -> BaseLoader:
    """Templates of the site by their file name, those of another package as 'console/users.html'."""
    site, *others = (PackageLoader("laurels", f"{owner}/templates") for owner in static.OWNERS)
    return ChoiceLoader([site, PrefixLoader(dict(zip(static.OWNERS[1:], others, strict=True)))])


@cache
def page_style() -> str:
    """The text of STYLE."""
    return static.files()[STYLE].body.decode()


@cache
def policy() -> bytes:
    """What a page may load: our own files and its one inline style; no other origin, no inline script."""
    digest = b64encode(hashlib.sha256(page_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-{digest}'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ).encode()


def page(template: str, *, status: int = 200, headers: Headers = PRIVATE, **context: Any) -> Response:
    """A page as a response."""
    text = templates().get_template(template).render(context)
    return Response(status, [HTML, (b"content-security-policy", policy()), *headers], text.encode())


def site_page(request: AnyRequest, template: str, *, status: int = 200, here: str = "", **context: Any) -> Response:
    """A page of the public site, with header and navigation, in the visitor's language. `here` is its path in the navigation.

    Templates find their texts in `t`, format numbers with `number`, and append `lang_query` to every address within the
    site, so that a requested language is preserved.
    """
    scope = request.scope
    language, lang = language_of(scope), asked_language(scope)
    site: dict[str, Any] = {
        "lang": language,
        "t": TEXTS[language],
        "number": partial(grouped, language=language),
        "languages": {code: texts["language"] for code, texts in TEXTS.items()},
        "lang_query": f"?lang={lang}" if lang else "",
        "site": "Laurels",
        "here": here,
        "paths": ("/playground", *PATHS) if request.context.playground else PATHS,
    }
    return page(template, status=status, **site, **context)


def reads_pages(scope: Scope) -> bool:
    """Whether a browser asks for a page, rather than a program that reads problem documents."""
    return not scope["path"].startswith("/api/") and "text/html" in (header(scope, b"accept") or "")


def error_response(request: AnyRequest, error: Exception) -> Response:
    """An error as a problem document; as a page if a browser asked for one that is missing or unavailable."""
    response = problem_response(error)
    shown = response.status in MISSING or response.status >= AWAY
    return trouble_page(request, response) if shown and reads_pages(request.scope) else response


def trouble_page(request: AnyRequest, problem: Response) -> Response:
    """The page that a browser shows for this problem: not found, or try again later."""
    trouble = "away" if problem.status >= AWAY else "missing"
    headers = [*PRIVATE, *(pair for pair in problem.headers if pair[0] == b"retry-after")]
    return site_page(request, "trouble.html", status=problem.status, headers=headers, trouble=trouble)
