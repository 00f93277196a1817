"""Reading a request: headers, cookies, the body as JSON of a known type. Every error names the field and the fix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from laurels.auth.chain import Credentials
from laurels.engine.events import MAX_EVENT_ID, check_instant, check_text
from laurels.engine.instants import read_instant
from laurels.engine.parsing import excerpt
from laurels.errors import InvalidInput
from laurels.http.problems import BadRequest, BodyTooLarge, HeadTooLarge, InvalidParameter, UnsupportedMediaType
from laurels.http.responses import Receive, Scope

T = TypeVar("T")

MAX_DIGITS = 18
"""This many digits of a Content-Length are enough to know that it is too large."""

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 50

MAX_PARAMETERS = 300
"""The most parameters in an address: 200 friends, and others that sites add to links."""

UNKNOWN_KEY = "..."
"""How a decoder's path writes a key that the type does not name: from there on, the place is unknown."""

_PATH = re.compile(r"^(?P<message>.*) - at `(?P<path>\$[^`]*)`$", re.DOTALL)
_FIELD = re.compile(r"(?:unknown|missing required) field `(?P<name>[^`]*)`?")
_ECHO = re.compile(r"^(?P<before>Object contains unknown field |Invalid (?:enum )?value )(?P<echo>.*)$", re.DOTALL)
"""Messages that repeat what was sent, which may be as long as the body."""

REPEATED = 100
"""How many characters of what was sent an answer repeats at most."""

_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]*)\]")


def shortened(sent: str) -> str:
    """An id that is repeated in an answer. One that is too long to be valid is cut, so that no answer grows with it."""
    return sent if len(sent) <= MAX_EVENT_ID else sent[:REPEATED]


def credentials(scope: Scope) -> Credentials:
    """The credentials of a request, for verifiers. Raises BadRequest for two headers that could name different callers."""
    cookies: dict[str, list[str]] = {}
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            _read_cookies(value.decode("latin-1"), cookies)
        elif name == b"authorization":
            if "authorization" in headers:
                raise BadRequest("the request has two headers 'Authorization'; send one")
            headers["authorization"] = value.decode("latin-1")
    return Credentials(cookies, headers)


def _read_cookies(header: str, cookies: dict[str, list[str]]) -> None:
    """Add a Cookie header's pairs. Browsers send those of the nearest path first."""
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            cookies.setdefault(name, []).append(value.strip('"'))


def header(scope: Scope, key: bytes) -> str | None:
    """A header's value, by its name in lower case."""
    for name, value in scope["headers"]:
        if name == key:
            return value.decode("latin-1")
    return None


def check_no_body(scope: Scope) -> None:
    """Raise BadRequest for a request with a body, at an address that takes none."""
    if header(scope, b"transfer-encoding") is not None or (header(scope, b"content-length") or "0").strip("0"):
        raise BadRequest("this address takes no body, so what it says would be ignored; see /docs for its parameters")


def path_text(raw: str, parameter: str) -> str:
    """A path segment, decoded. The router sees segments still encoded, so an id may contain a slash."""
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise InvalidParameter(parameter, "must be UTF-8, percent-encoded") from None


def instant_in(text: str) -> datetime:
    """A time in the format of RFC 3339. Raises InvalidParameter."""
    try:
        instant = read_instant("Laurels-Now", text)
        check_instant("Laurels-Now", instant)
    except InvalidInput:
        raise InvalidParameter("Laurels-Now", "must be a time such as 2026-03-01T09:00:00Z") from None
    return instant.astimezone(UTC)


def id_in_path(raw: str, parameter: str, longest: int) -> str:
    """An id in the path. Raises InvalidParameter."""
    text = path_text(raw, parameter)
    try:
        check_text(parameter, text, longest)
    except InvalidInput as error:
        raise InvalidParameter(parameter, str(error)) from None
    return text


def values_of(query: bytes, name: str) -> list[str]:
    """All values of one parameter in a query string, in order."""
    return [value for key, value in _parameters(query) if key == name]


def names_in_query(query: bytes) -> list[str]:
    """The names of all parameters in a query string, in order."""
    return [name for name, _ in _parameters(query)]


def check_number_of_parameters(query: bytes) -> None:
    """Raise HeadTooLarge for a query string with more parameters than any address has."""
    if query.count(b"&") >= MAX_PARAMETERS:
        raise HeadTooLarge(f"the address has more than {MAX_PARAMETERS} parameters; leave out those that are repeated")


@lru_cache(maxsize=16)
def _parameters(query: bytes) -> Sequence[tuple[str, str]]:
    """The names and values in a query string, parsed once for all parameters of a request. Those above the limit are left out."""
    first = b"&".join(query.split(b"&", MAX_PARAMETERS)[:MAX_PARAMETERS])
    return parse_qsl(first.decode("latin-1"), keep_blank_values=True)


def text_of(scope: Scope, name: str) -> str | None:
    """The value of a parameter in the query, the last one if it is repeated; None if it is left out."""
    values = values_of(scope["query_string"], name)
    return values[-1] if values else None


def whole_number(scope: Scope, name: str, most: int) -> int | None:
    """A whole number in the query, from 1 to `most`; None if it is left out. Raises InvalidParameter."""
    text = text_of(scope, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidParameter(name, f"must be a whole number from 1 to {most}")
    return int(text)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises UnsupportedMediaType, BodyTooLarge, BadRequest (the client disconnected)."""
    # A body without a type is refused too: a page of another site can send one, with the visitor's cookies.
    if not _is_json(header(scope, b"content-type") or ""):
        raise UnsupportedMediaType
    return await _read_all(scope, receive, limit)


async def read_form(scope: Scope, receive: Receive, limit: int) -> dict[str, str]:
    """The fields of a form that a page sent; of two with one name, the last. Raises the same errors as `read_body`."""
    content_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if content_type != FORM_TYPE:
        raise UnsupportedMediaType(f"The body must be a form: send it with 'Content-Type: {FORM_TYPE}'.")
    body = await _read_all(scope, receive, limit)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest(f"the body is not a form of at most {MAX_FIELDS} fields in UTF-8") from None
    return dict(pairs)


async def _read_all(scope: Scope, receive: Receive, limit: int) -> bytes:
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed: send it without 'Content-Encoding'.")
    announced = header(scope, b"content-length") or ""
    if announced.isascii() and announced.isdecimal() and int(announced[:MAX_DIGITS]) > limit:
        raise BodyTooLarge(
            f"the body has {excerpt(announced)} bytes, and this server accepts {limit}; send it in parts"
        )
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended before its body did")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"the body has more than {limit} bytes; send it in parts")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        return False
    charsets = [part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")]
    return all(charset == "utf-8" for charset in charsets)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body as the decoder's type. Raises BadRequest if it is not JSON, InvalidInput if it is JSON of another type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def invalid(error: msgspec.ValidationError) -> InvalidInput:
    """A decoder's error as InvalidInput, with the field as the rest of a JSON pointer ('data/plan')."""
    match = _PATH.match(str(error))
    message, path = (match["message"], match["path"]) if match else (str(error), "$")
    echo = _ECHO.match(message)
    if echo:
        message = echo["before"] + excerpt(echo["echo"])
    found = (step["name"] or step["index"] for step in _STEP.finditer(path[1:]))
    steps = list(takewhile(lambda step: step != UNKNOWN_KEY, found))
    named = _FIELD.search(message)
    if named:
        steps.append(named["name"])
    escaped = [excerpt(step).replace("~", "~0").replace("/", "~1") for step in steps]
    return InvalidInput("/".join(escaped), message)
