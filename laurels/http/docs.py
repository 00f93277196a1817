"""/docs for people, /docs/openapi.json for programs, and a page for each problem `type`. None needs the internet."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib import resources

from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import name_in_path
from laurels.http.problems import ALL_KINDS, PAGES, NoSuchPage
from laurels.http.responses import HTML, Response

DOCUMENT = "/docs/openapi.json"
ASSETS = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
}

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


@endpoint("GET", "/docs", access=PUBLIC, uses_store=False)
async def docs_page(_: Request[None, None]) -> Response:
    """Show all endpoints, with examples that can be tried."""
    return Response(200, [HTML, (b"content-security-policy", POLICY.encode())], PAGE.encode())


@endpoint("GET", "/docs/assets/{name}", access=PUBLIC, parameters=[name_in_path("name")], uses_store=False)
async def docs_asset(request: Request[None, None]) -> Response:
    """Serve a file of Swagger UI, from the package that contains it."""
    name = request.path["name"]
    if name not in ASSETS:
        raise NoSuchPage
    file = resources.files("swagger_ui").joinpath("static", name)
    return Response(200, [(b"content-type", ASSETS[name]), A_DAY], file.read_bytes())


@endpoint("GET", DOCUMENT, access=PUBLIC, uses_store=False)
async def openapi_document(request: Request[None, None]) -> Response:
    """Serve the OpenAPI document."""
    return Response(200, [(b"content-type", b"application/vnd.oai.openapi+json")], request.context.document)


@endpoint("GET", PAGES + "{code}", access=PUBLIC, parameters=[name_in_path("code")], uses_store=False)
async def problem_page(request: Request[None, None]) -> Response:
    """Say what a problem type means and what to do about it."""
    for kind in ALL_KINDS:
        if kind.code == request.path["code"]:
            text = f"{kind.title}\n\nStatus {kind.status}. {kind.fix}\n"
            return Response(200, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())
    raise NoSuchPage


ENDPOINTS = (docs_page, docs_asset, openapi_document, problem_page)
