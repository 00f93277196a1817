"""The language of a reader: what a request asks for, and what its response says of it.

Only catalogs with texts in several languages have this: responses of the others are the same for all readers.
"""

from __future__ import annotations

from functools import lru_cache

from laurels.http.requests import header, values_of
from laurels.http.responses import Headers, Scope

MOST_RANGES = 20
"""How many of a browser's accepted languages are considered."""

PARAMETER = "lang"
"""The name of the parameter that asks for a language. It wins over the header."""

VARY = b"vary"


def wanted_languages(scope: Scope) -> tuple[str, ...]:
    """The languages that a request asks for, the preferred one first: `?lang=`, then those that the browser accepts."""
    asked = values_of(scope["query_string"], PARAMETER)[-1:] if scope["query_string"] else []
    return (*asked, *accepted_languages(header(scope, b"accept-language") or ""))


@lru_cache(maxsize=256)
def accepted_languages(value: str) -> tuple[str, ...]:
    """The languages in an Accept-Language header, the preferred one first; those of one weight as they are listed."""
    weighted = [_weighted(part) for part in value.split(",")[:MOST_RANGES]]
    return tuple(
        tag for weight, tag in sorted(weighted, key=lambda one: -one[0]) if weight > 0 and tag not in ("", "*")
    )


def _weighted(part: str) -> tuple[float, str]:
    """The weight and language of one part: (0.7, 'de-AT') from 'de-AT;q=0.7'."""
    tag, _, parameter = part.partition(";")
    try:
        weight = float(parameter.partition("=")[2]) if parameter.strip() else 1.0
    except ValueError:
        weight = 0.0
    return (weight if 0 < weight <= 1 else 0.0), tag.strip()


def marked(headers: Headers, language: str) -> Headers:
    """The headers of a response in a language, which caches must keep apart from those in others."""
    varies = [value for name, value in headers if name == VARY]
    other = [pair for pair in headers if pair[0] != VARY]
    vary = b", ".join([*varies, b"Accept-Language"])
    return [*other, (VARY, vary), (b"content-language", language.encode())]
