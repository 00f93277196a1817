"""/docs for people, /docs/openapi.json for programs, and the page behind each problem's `type`. None needs the internet."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib import resources

from litestar import get
from litestar.params import FromPath
from litestar.response import Response

from laurels.http.answers import Answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.problems import ALL_KINDS, PAGES, NoSuchPage

DOCUMENT = "/docs/openapi.json"
ASSETS = {"swagger-ui.css": b"text/css", "swagger-ui-bundle.js": b"text/javascript"}

START = f'SwaggerUIBundle({{url: "{DOCUMENT}", dom_id: "#docs", deepLinking: true, validatorUrl: null}})'
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Laurels</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>{START}</script>
</body>
</html>
"""
HASH = b64encode(hashlib.sha256(START.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{HASH}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What the browser is allowed to load for the page: nothing from elsewhere."""

A_DAY = (b"cache-control", b"public, max-age=86400")


@get("/docs")
async def docs_page() -> Response[bytes]:
    """Show all addresses, with examples that can be tried."""
    headers = [(b"content-type", b"text/html"), (b"content-security-policy", POLICY.encode())]
    return Answer(200, headers, PAGE.encode()).response()


@get("/docs/assets/{name:str}")
async def docs_asset(name: FromPath[str]) -> Response[bytes]:
    """Serve what the page needs, from the package that brings it."""
    if name not in ASSETS:
        raise NoSuchPage
    file = resources.files("swagger_ui").joinpath("static", name)
    return Answer(200, [(b"content-type", ASSETS[name]), A_DAY], file.read_bytes()).response()


@get(DOCUMENT)
async def openapi_document(request: HttpRequest) -> Response[bytes]:
    """Serve the OpenAPI document."""
    headers = [(b"content-type", b"application/vnd.oai.openapi+json")]
    return Answer(200, headers, context_of(request).document).response()


@get(PAGES + "{code:str}")
async def problem_page(code: FromPath[str]) -> Response[bytes]:
    """Say what a problem type means and what to do about it."""
    for kind in ALL_KINDS:
        if kind.code == code:
            text = f"{kind.title}\n\nStatus {kind.status}. {kind.fix}\n"
            return Answer(200, [(b"content-type", b"text/plain")], text.encode()).response()
    raise NoSuchPage
