"""Whatever comes in: a problem, or a rejected item; never a 500, never a hang, and the books stay right."""

from __future__ import annotations

import gzip
import json
import random
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from tests.support import KINDS, check_ledgers, new_database
from tests.support.app import CATALOG, COOKIE, EVENTS, PROFILE, SESSIONS, USERS, App, event, open_app

pytestmark = pytest.mark.anyio

SECONDS = 20
DEEP = 100_000
GOOD = event("ada", "message.sent", "good", quantity=100)

NUMBERS = [
    "0",
    "-1",
    "1.5",
    "1e400",
    "-1e400",
    "1e-400",
    "1e308",
    str(2**53),
    str(2**63),
    str(2**64),
    str(-(2**63) - 1),
    "9" * 400,
    "9" * 5000,
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "01",
    "+1",
    "1.",
    ".5",
    "-",
    "true",
    "null",
    '"1"',
    "[]",
    "{}",
]
TEXTS = [
    r'"\ud800"',
    r'"\udc00\ud800"',
    r'"\ud83d"',
    '"\ud800"',
    r'"\u0000"',
    '"\x00"',
    '"\x1f"',
    r'"\u001b[31m"',
    '"\x7f"',
    '"\x85"',
    '"\u2028"',
    '"\ufeff"',
    '"\uffff"',
    r'"\x41"',
    '"unfinished',
    "''",
    '""',
    '"' + "x" * 201 + '"',
    '"' + "x" * 1_000_000 + '"',
    "5",
    "null",
    "{}",
    '"laurels:login:2026-01-05"',
]
FIELDS = ["userId", "id", "type", "occurredAt", "quantity", "data"]


@pytest.fixture(params=KINDS)
async def sturdy(request: pytest.FixtureRequest) -> AsyncIterator[App]:
    """A server on each kind of engine, which must be as sound after the test as before it."""
    with new_database(request.param) as database:
        async with open_app(database=database) as home, sound(home):
            yield home


@asynccontextmanager
async def sound(home: App) -> AsyncIterator[None]:
    """Serves afterwards as before."""
    await home.record(event("ada", "agent.created", quantity=3))
    yield
    assert (await home.client.get("/readyz")).status_code == 200
    answer = await home.send(event("witness", "message.sent", quantity=100))
    assert answer.json()["recorded"] == 1
    await check_ledgers(home.laurels.store)


def text_of(fields: dict[str, str]) -> bytes:
    """An object of JSON texts that need not be JSON. Lone surrogates go as their raw bytes."""
    inside = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    return f"{{{inside}}}".encode("utf-8", "surrogatepass")


def with_field(name: str, value: str) -> bytes:
    plain = {"userId": '"ada"', "id": '"fuzzed"', "type": '"message.sent"'}
    return text_of({**plain, name: value})


async def refused(answer: httpx2.Response) -> None:
    """A 4xx, or a 200 whose every item was rejected. The client's own hook has checked the problem."""
    if answer.status_code == 200:
        assert (answer.json()["recorded"], answer.json()["duplicates"]) == (0, 0)
    else:
        assert 400 <= answer.status_code < 500, answer.text


async def not_broken(answer: httpx2.Response) -> None:
    assert answer.status_code < 500, answer.text


async def send(home: App, body: bytes, **headers: str) -> httpx2.Response:
    with anyio.fail_after(SECONDS):
        return await home.send_raw(body, headers)


# ---- one field at a time ----------------------------------------------------------------------


@pytest.mark.parametrize("value", NUMBERS, ids=lambda text: text[:20])
async def test_a_quantity_that_is_none_is_refused(sturdy: App, value: str) -> None:
    await refused(await send(sturdy, with_field("quantity", value)))
    await refused(await send(sturdy, b"[" + with_field("quantity", value) + b"]"))


@pytest.mark.parametrize("field", ["userId", "id", "type", "occurredAt"])
async def test_texts_of_all_sorts_break_nothing(sturdy: App, field: str) -> None:
    for value in TEXTS + NUMBERS:
        await not_broken(await send(sturdy, with_field(field, value)))
        await not_broken(await send(sturdy, b"[" + with_field(field, value) + b"]"))


async def test_a_broken_item_takes_no_other_with_it(sturdy: App) -> None:
    """Each item is broken in its own way, though all of it is JSON."""
    broken = [
        with_field(field, value)
        for field in FIELDS
        for value in ("1e400", "9" * 5000, '"\xff"', "[]", "[[[]]]", '"' + "x" * 20_000 + '"')
    ]
    raw = b"[" + b",".join([*broken, json.dumps(GOOD).encode()]).replace(b"\xc3\xbf", b"\xff") + b"]"

    answer = await send(sturdy, raw)

    results = answer.json()["results"]
    assert len(results) == len(broken) + 1
    assert results[-1]["status"] == "recorded"
    assert {result["status"] for result in results[:-1]} == {"rejected"}


@pytest.mark.parametrize("value", NUMBERS + TEXTS, ids=lambda text: ascii(text)[:20])
async def test_data_of_all_sorts_breaks_nothing(sturdy: App, value: str) -> None:
    for data in (value, f'{{"x": {value}}}', f'{{"x": [{value}, {{"y": {value}}}]}}', f"{{{value}: 1}}"):
        await not_broken(await send(sturdy, with_field("data", data)))
        await not_broken(await send(sturdy, b"[" + with_field("data", data) + b"]"))


@pytest.mark.parametrize("depth", [DEEP, 900, 400])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")], ids=["[", "{", "[{"])
async def test_deep_nesting_is_refused(sturdy: App, opening: str, closing: str, depth: int) -> None:
    nested = opening * depth + "1" + closing * depth

    for field in FIELDS:
        for body in (with_field(field, nested), b"[" + with_field(field, nested) + b"]"):
            await refused(await send(sturdy, body))


# ---- whole bodies -----------------------------------------------------------------------------

PLAIN = json.dumps(event("ada", "message.sent", "fuzzed")).encode()
BODIES = {
    "nothing": b"",
    "space": b" \n\t ",
    "100,000 brackets": b"[" * DEEP,
    "100,000 pairs of brackets": b"[" * DEEP + b"]" * DEEP,
    "100,000 objects": b'{"a":' * DEEP,
    "an array of brackets": b"[" + b"[" * DEEP + b"]" * DEEP + b"]",
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "UTF-16 without a mark": PLAIN.decode().encode("utf-16-le"),
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "latin-1": PLAIN.replace(b"ada", b"\xe4da"),
    "gzip": gzip.compress(PLAIN),
    "two documents": PLAIN + PLAIN,
    "lines of JSON": PLAIN + b"\n" + PLAIN,
    "a comment": b"/* hello */" + PLAIN,
    "a trailing comma": b"[" + PLAIN + b",]",
    "NUL bytes": b"\x00" * 1000,
    "a NUL byte after it": PLAIN + b"\x00",
    "a form": b"userId=ada&id=1&type=message.sent",
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "10 MB of spaces": b" " * 10_000_000,
    "10 MB of brackets": b"[" * 10_000_000,
    "10 MB of one text": b'"' + b"x" * 10_000_000 + b'"',
    "4 MB of nulls": b"[" + b"null," * 800_000 + b"null]",
    "4 MB of zeros": b'{"data": {"x": [' + b"0," * 1_900_000 + b"0]}}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_not_an_event_is_refused(sturdy: App, body: bytes) -> None:
    await refused(await send(sturdy, body))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_not_a_user_or_session_is_refused(sturdy: App, body: bytes) -> None:
    headers = {**sturdy.by_key, "content-type": "application/json"}
    for method, path in (("PUT", f"{USERS}/ada"), ("POST", SESSIONS)):
        with anyio.fail_after(SECONDS):
            answer = await sturdy.client.request(method, path, content=body, headers=headers)

        assert 400 <= answer.status_code < 500


async def test_the_last_of_two_equal_json_keys_counts(sturdy: App) -> None:
    answer = await send(sturdy, b'{"userId": "eve", "userId": "ada", "id": "a", "id": "b", "type": "t"}')

    assert [(one["userId"], one["id"]) for one in answer.json()["results"]] == [("ada", "b")]


async def test_bytes_at_random_break_nothing(sturdy: App) -> None:
    dice = random.Random(3)
    seeds = [PLAIN, b"[" + PLAIN + b"," + PLAIN + b"]", json.dumps(event("ada", data={"a": [1, "x", None]})).encode()]
    for _ in range(600):
        body = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 6)):
            place = dice.randrange(len(body))
            match dice.randrange(4):
                case 0:
                    body[place] = dice.randrange(256)
                case 1:
                    del body[place : place + dice.randrange(1, 8)]
                case 2:
                    body[place:place] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 4)))
                case _:
                    body[place:place] = dice.choice([b"[", b"]", b"{", b"}", b'"', b",", b"\\", b"\\ud800", b"1e999"])
            if not body:
                break
        await not_broken(await send(sturdy, bytes(body)))


# ---- methods, addresses, headers --------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [PROFILE, EVENTS, SESSIONS, CATALOG, f"{USERS}/ada", f"{USERS}/ada/history", "/livez", "/docs"]
)
async def test_methods_of_all_sorts_break_nothing(sturdy: App, path: str) -> None:
    for method in ("PATCH", "TRACE", "CONNECT", "PROPFIND", "G" * 1000, "X-Y"):
        answer = await sturdy.client.request(method, path, headers=sturdy.by_key)

        assert answer.status_code in {405, 404}, method


PATHS = [
    "/%00",
    "/%ff",
    "//",
    "///api/gamification/profile",
    "/api//gamification/catalog",
    "/api/gamification/../gamification/profile",
    "/api/gamification/%2e%2e/profile",
    "/api/gamification/profile%00",
    "/api/gamification/profile/..",
    "/api/gamification/profile;a=b",
    "/api/gamification/profile%2f",
    "/api/gamification/users/%",
    "/api/gamification/users/%zz",
    "/api/gamification/users/%00/profile",
    "/api/gamification/users/%ff/history",
    "/api/gamification/users/%ed%a0%80",
    "/api/gamification/users/" + "a" * 10_000,
    "/api/gamification/users/" + "%F0%9F%91%91" * 1000,
    "/api/gamification/users/a/b/c/d",
    "/api/gamification/users/{user_id:str}",
    "/problems/%00",
    "/problems/../../etc/passwd",
    "/docs/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/docs/assets//etc/passwd",
    "/docs/assets/\\..\\..\\x",
    "/" + "a/" * 5000,
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
async def test_addresses_of_all_sorts_break_nothing(sturdy: App, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS"):
        with anyio.fail_after(SECONDS):
            answer = await sturdy.client.request(
                method, httpx2.URL("http://laurels.test", raw_path=path.encode()), headers=sturdy.by_key
            )

        assert answer.status_code < 500, method


@pytest.mark.parametrize(
    "query",
    [
        "%",
        "%00",
        "%ff=%fe",
        "include=%ff",
        "include=" + "," * 10_000,
        "include=" + "x" * 60_000,
        "&" * 10_000,
        "a" * 60_000,
        "include[]=rank",
        "include=rank;next",
    ],
    ids=lambda query: query[:20],
)
async def test_queries_of_all_sorts_break_nothing(sturdy: App, query: str) -> None:
    token = await sturdy.sign_in("ada")
    for path in (PROFILE, f"{PROFILE}/"):
        await not_broken(await sturdy.visit(token, f"{path}?{query}"))
    for path in (f"{USERS}/ada/profile", f"{USERS}/ada/history"):
        await not_broken(await sturdy.client.get(f"{path}?{query}", headers=sturdy.by_key))


HEADERS: list[tuple[str, bytes]] = [
    ("cookie", b"x=" + b"y" * 100_000),
    ("cookie", f"{COOKIE}=laurels_session_".encode() + b"A" * 100_000),
    ("cookie", f"{COOKIE}=laurels_session_".encode() + b"A" * 1900),
    ("cookie", b"; ".join([f"{COOKIE}=laurels_session_YWRh.x".encode()] * 2000)),
    ("cookie", f"{COOKIE}=laurels_session_\xff\xfe.x".encode("latin-1")),
    ("cookie", f"{COOKIE}=laurels_session_AA.x".encode()),
    ("cookie", f"{COOKIE}=laurels_session_7aCA.x".encode()),
    ("cookie", b"=;=;=;;;,,,\x01"),
    ("cookie", b""),
    ("authorization", b"Bearer " + b"A" * 100_000),
    ("authorization", b"Bearer laurels_key_" + b"\xff" * 46),
    ("authorization", b"Bearer"),
    ("authorization", b" "),
    ("authorization", b"Bearer  "),
    ("sec-purpose", b"\xff" * 1000),
    ("sec-fetch-site", b"\x80"),
    ("content-type", b"\xff\xfe"),
    ("content-type", b"application/json; charset=\xff"),
    ("content-type", b";" * 10_000),
    ("content-length", b"9" * 5000),
    ("content-length", b"-1"),
    ("content-length", "\N{SUPERSCRIPT TWO}".encode("latin-1")),
    ("content-encoding", b"gzip, br"),
    ("accept", b"text/html;q=x"),
    ("accept-language", b"\xff"),
    ("x-forwarded-for", b"'; DROP TABLE users; --"),
    ("origin", b"null"),
    ("expect", b"100-continue"),
    ("upgrade", b"h2c"),
    ("laurels-now", b"yesterday"),
    ("laurels-now", b"\xff"),
    ("traceparent", b"00-" + b"f" * 5000),
]


@pytest.mark.parametrize(("name", "value"), HEADERS, ids=[f"{name} {value[:12]!r}" for name, value in HEADERS])
async def test_headers_of_all_sorts_break_nothing(sturdy: App, name: str, value: bytes) -> None:
    for method, path in (
        ("GET", PROFILE),
        ("GET", PROFILE + "/"),
        ("POST", EVENTS),
        ("DELETE", SESSIONS),
        ("GET", "/livez"),
    ):
        body = PLAIN if method == "POST" else b""
        headers: dict[str, Any] = {**sturdy.by_key, "content-type": "application/json", name: value}
        with anyio.fail_after(SECONDS):
            answer = await sturdy.client.request(method, path, content=body, headers=headers)

        assert answer.status_code < 500


async def test_a_control_character_in_an_id_is_refused(home: App) -> None:
    for letter in map(chr, [*range(0x20), *range(0x7F, 0xA0)]):
        for field in ("userId", "id", "type"):
            answer = await home.send({**GOOD, field: f"a{letter}b"})

            assert answer.status_code == 422, ascii(letter)
            assert answer.json()["errors"][0]["pointer"] == f"/{field}"


async def test_every_other_character_may_stand_in_an_id(sturdy: App) -> None:
    odd = string.printable[:95] + "\xa0\u200d\u2028\ufeff\uffff\U0010ffff\u202e"

    results = await sturdy.record(*[event(f"u{one}", "message.sent", f"e{one}") for one in odd])

    assert {result["status"] for result in results} == {"recorded"}
