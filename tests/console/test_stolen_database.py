"""Someone has a copy of the whole database: nothing in it signs in, opens a page, sends a form or shows a hidden user."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import pytest
from itsdangerous import URLSafeSerializer

from laurels.auth import operators, sessions
from laurels.engine.ranking import Place
from laurels.present.leaderboards import _cursor
from laurels.storage.contract import Store
from tests.support import sql, tables
from tests.support.app import COOKIE, LEADERBOARDS, PROFILE, App, event
from tests.support.operator import Operator, at

pytestmark = pytest.mark.anyio

CONSOLE_COOKIE = "laurels-console"
HASH = 32


async def values_in(store: Store) -> list[bytes]:
    """Every text and every bytes of every row of every table, longest last."""
    found: set[bytes] = set()
    for table in await tables(store):
        for row in await sql(store, f"SELECT * FROM {table}"):
            found |= {value.encode() for value in row if isinstance(value, str)}
            found |= {bytes(value) for value in row if isinstance(value, (bytes, memoryview))}
    return sorted((value for value in found if len(value) <= 2000), key=len)


def written(value: bytes) -> Iterator[str]:
    """A value in each form in which a token could be sent."""
    yield value.hex()
    yield urlsafe_b64encode(value).decode().rstrip("=")
    yield hashlib.sha256(value).hexdigest()
    if value.isascii() and value.decode().isprintable() and ";" not in value.decode():
        yield value.decode()


def tokens_from(values: Sequence[bytes]) -> list[str]:
    """All texts that a thief would try as a token, with the prefix of each kind."""
    ada = sessions.PREFIX + sessions._encode("ada") + "."
    texts = [text for value in values for text in written(value)]
    return [prefix + text for text in texts for prefix in ("", operators.PREFIX, ada)]


def signed_by(secret: bytes, use: str, content: Any) -> str:
    """What earlier versions accepted: signed with the secret in the database."""
    return URLSafeSerializer(secret, f"laurels console {use}", signer_kwargs={"digest_method": hashlib.sha256}).dumps(
        content
    )


async def opens_the_console(work: Operator, cookie: str) -> bool:
    headers = [(b"cookie", f"{CONSOLE_COOKIE}={cookie}".encode())]
    work.client.cookies.clear()
    return (await work.client.get("/console/users", headers=headers)).status_code == 200


async def test_no_cookie_of_the_console_can_be_made_from_it(home: App, work: Operator) -> None:
    values = await values_in(home.laurels.store)
    now = int(home.clock().timestamp())
    hashes = [bytes(key_hash).hex() for (key_hash,) in await sql(home.laurels.store, "SELECT key_hash FROM api_keys")]
    forged = [signed_by(value, "session", ["nonce", one, now]) for value in values for one in hashes]

    for cookie in [*forged, *tokens_from(values)]:
        assert not await opens_the_console(work, cookie), cookie


async def test_no_change_can_be_sent_with_it(home: App, work: Operator) -> None:
    """What worked before: a cookie and the code of a form, both signed with the secret in the database."""
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/points"))).form()
    work.client.cookies.clear()
    now = int(home.clock().timestamp())
    secrets = [bytes(value) for (value,) in await sql(home.laurels.store, "SELECT value FROM secrets")]
    hashes = [bytes(key_hash).hex() for (key_hash,) in await sql(home.laurels.store, "SELECT key_hash FROM api_keys")]
    assert secrets
    for secret in secrets:
        for key_hash in hashes:
            cookie = f"{CONSOLE_COOKIE}={signed_by(secret, 'session', ['nonce', key_hash, now])}"
            filled = {**form.fields, "token": signed_by(secret, "form", "nonce")}
            answer = await work.send(form, {"cookie": cookie}, **{**filled, "amount": "999999", "reason": "a prize"})

            assert answer.status_code == 403
    assert (await home.profile_of("ada"))["points"] < 999999


async def test_no_code_of_a_form_can_be_made_from_it(home: App, work: Operator) -> None:
    """Another site has an operator's browser send a form, with the operator's own cookie."""
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/points"))).form()
    filled = {"amount": "999999", "reason": "a prize"}
    values = await values_in(home.laurels.store)
    keys = [*values, *(text.encode() for value in values if len(value) == HASH for text in tokens_from([value]))]
    for key in keys:
        for token in (key.hex(), hmac.digest(key, b"form", hashlib.sha256).hex()):
            assert (await work.send(form, **{**form.fields, **filled, "token": token})).status_code == 403
    assert (await work.send(form, **{**form.fields, **filled})).status_code == 303


async def test_no_session_of_a_user_and_no_key_can_be_made_from_it(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    await home.sign_in("ada")
    for token in tokens_from(await values_in(home.laurels.store)):
        if not token.isascii():
            continue
        for headers in ({"cookie": f"{COOKIE}={token}"}, {"authorization": f"Bearer {token}"}):
            assert (await home.client.get(PROFILE, headers=headers)).status_code == 401, token
        by_key = {"authorization": f"Bearer {token}"}
        assert (await home.client.get(f"{LEADERBOARDS}/points", headers=by_key)).status_code == 401


async def lines_after(home: App, cursor: str) -> httpx2.Response:
    return await home.client.get(f"{LEADERBOARDS}/points?after={cursor}", headers=home.by_key)


async def test_a_forged_cursor_shows_no_hidden_user(home: App) -> None:
    for user_id, agents in (("ada", 30), ("hal", 20), ("bob", 10)):
        await home.give_points(user_id, agents=agents)
    presentation = await home.laurels.core.presentation()
    (place,) = [Place(*row) for row in await sql(home.laurels.store, PLACE_OF_HAL)]
    await home.laurels.update_user("hal", visibility="hidden")

    for before in (0, 1):
        cursor = _cursor(presentation, Place(place.sort_key - before, place.reached_at, place.user_id))
        answer = await lines_after(home, cursor)

        assert answer.status_code == 200
        assert "hal" not in answer.text


PLACE_OF_HAL = (
    "SELECT sort_key, reached_at, user_id FROM standings WHERE user_id = 'hal' AND period = 'all' AND board = 'points'"
)
