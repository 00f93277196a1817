"""What a person who starts the demo gets: keys, a session of a member who is close to a badge, and two commands to run."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from laurels.auth.keys import create_key, revoke_key
from laurels.auth.sessions import COOKIE, Sessions, hash_of_token
from laurels.demo.playground import PATH as PLAYGROUND
from laurels.engine.badges import Badge
from laurels.engine.values import plain
from laurels.service.laurels import Laurels, utc_now
from laurels.service.opening import command_line, existing, made
from laurels.settings import DatabaseSettings
from laurels.storage.contract import Source, Store, UserRow

API = "/api/gamification"
CONSOLE = "/console"
KEY_NAME = re.compile(r"demo-(admin-)?[0-9a-f]{8}")
"""The names of the keys that `prepare` creates, those of every run."""

LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC)
"""No clock gets further than this."""


@plain
class Keys:
    """The keys of one run of the demo."""

    app: str
    admin: str


class Visit(msgspec.Struct, frozen=True, rename="camel"):
    """Addresses and credentials. `commands`: read the profile, then send the event that earns the badge."""

    address: str
    playground: str
    user_id: str
    name: str
    badge: str
    session: str
    key: str
    console: str
    admin_key: str
    commands: tuple[str, str]


async def prepare(database: DatabaseSettings) -> Keys:
    """Create keys, revoke those of earlier runs, and make the database a sandbox if it is not one yet."""
    async with made(database) as store:
        if await store.clock_offset() is None:
            await store.set_clock_offset(timedelta())
        await _revoke_keys(store)
        run = secrets.token_hex(4)
        source = Source(command_line())
        app = await create_key(store, f"demo-{run}", utc_now(), source=source)
        return Keys(app, await create_key(store, f"demo-admin-{run}", utc_now(), "admin", source))


async def leave(database: DatabaseSettings, visits: Iterable[Visit]) -> None:
    """Revoke the keys of all runs, and end the session of this one: a file that is used again keeps none that works."""
    async with existing(database) as store:
        await _revoke_keys(store)
        for visit in visits:
            await store.end_session(visit.user_id, hash_of_token(visit.session.removeprefix(f"{COOKIE}=")))


async def _revoke_keys(store: Store) -> None:
    for key in await store.keys():
        if key.revoked_at is None and KEY_NAME.fullmatch(key.name):
            await revoke_key(store, key.name, utc_now(), Source(command_line()))


async def visit_as(user: UserRow, badge: Badge, laurels: Laurels, address: str, keys: Keys) -> Visit:
    """Sign this user in, whose next message earns the badge. The session outlives every move of the sandbox's clock."""
    session = await Sessions(laurels).create(user.user_id, LAST_MOMENT - await laurels.now())
    cookie = f"{COOKIE}={session.token}"
    event = {"userId": user.user_id, "id": f"message-{secrets.token_hex(4)}", "type": "message.sent"}
    curl = ("curl", "-s", "-w", r"\n")
    read_profile = (*curl, "-b", cookie, f"{address}{API}/profile")
    headers = ("-H", f"Authorization: Bearer {keys.app}", "-H", "Content-Type: application/json")
    send_event = (*curl, *headers, "-d", msgspec.json.encode(event).decode(), f"{address}{API}/events")
    return Visit(
        address=address,
        playground=address + PLAYGROUND,
        user_id=user.user_id,
        name=user.name or user.user_id,
        badge=badge.id,
        session=cookie,
        key=keys.app,
        console=address + CONSOLE,
        admin_key=keys.admin,
        commands=(shlex.join(read_profile), shlex.join(send_event)),
    )
