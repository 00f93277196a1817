"""Values planted in every column of a backup: a copy refuses the row by name, or everything that reads it later works.

Whoever makes up a backup, or damages one, writes what none of our own versions wrote. What is not refused must be harmless:
every page and address answers, the user can record events, and `verify` can compare them.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from laurels.errors import StoreError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.readable import ALL_READERS, check_catalog
from laurels.storage import open_store
from laurels.storage.checking import check
from laurels.storage.columns import TABLES, Table
from laurels.storage.contract import Store
from laurels.storage.copying import copy
from laurels.testing import TestClock
from tests.storage.test_copying import all_rows, silent
from tests.support import badge, contents, count
from tests.support import catalog as catalog_of
from tests.support.app import EVENTS, USERS, open_app_over
from tests.support.files import opened
from tests.support.operator import operator_over

pytestmark = pytest.mark.anyio

CATALOG = catalog_of(
    metrics={"messages": count("message.sent")},
    streaks={"login": {"events": ["login", "message.sent"], "pause_days": 5}},
    badges=[badge("first", 5, metric="messages", at_least=1), badge("tenth", 9, metric="messages", at_least=10)],
    leaderboards=[
        {"id": "points"},
        {"id": "weekly", "period": "week"},
        {"id": "sent", "by": "metric", "of": "messages", "period": "day"},
    ],
)
DEEP = "[" * 20_000
NOISE: Mapping[str, Sequence[Any]] = {
    "text": [
        "",
        "noise",
        "{}",
        "[]",
        DEEP,
        '{"badge": 5}',
        '{"by": 5, "lateSeconds": "x", "shown": 3}',
        '["Nowhere/X", [], "UTC"]',
        "a = 1",
    ],
    "number": [-1, 0, 2**40, -(2**40), 2**62],
    "bytes": [b"", b"\x90", b"\xff" * 8],
}
COUPLED = {("users", "revision")}
"""Numbers that other rows must agree with. Which do is no question of reading one row: `verify` compares users as a whole."""

USER_PAGES = (
    "",
    "/profile?include=next,toward,streaks,history,rank",
    "/history?limit=100",
    "/export",
    "/streaks",
    "/badges/first/explanation",
    "/adjustments",
)
PAGES = (
    "leaderboards",
    "leaderboards/weekly",
    "leaderboards/weekly?period=previous",
    "leaderboards/weekly/periods",
    "amnesties",
)
OPEN_PAGES = ("/api/gamification/catalog", "/api/gamification/rarity", "/readyz")
CONSOLE = (
    *("", "/users?q=a", "/users/ada", "/users/ada/verify", "/users/bob", "/catalog", "/amnesties", "/health"),
    *("/audit", "/audit.csv", "/audit.jsonl", "/users/ada/reverse?event=m-1", "/users/ada/undo?adjustment=a-points"),
)


async def fill(laurels: Laurels, clock: TestClock) -> None:
    """A database with rows in every table that a copy reads."""
    admin = Admin(laurels)
    async with open_app_over(laurels, clock) as app:
        for day in range(9):
            for user in ("ada", "bob"):
                sent = {"userId": user, "id": f"m-{day}", "type": "message.sent", "data": {"note": "é"}}
                assert (await app.client.post(EVENTS, json=sent, headers=app.by_key)).status_code == 200
            clock.advance(days=1)
            await laurels.close_periods()
        await app.client.put(f"{USERS}/ada", json={"timeZone": "Asia/Tokyo", "groups": ["a"]}, headers=app.by_key)
        clock.advance(days=2)
        await app.client.put(f"{USERS}/ada", json={"timeZone": "Europe/Paris"}, headers=app.by_key)
        token = await app.sign_in("ada")
        await app.visit(token)
    today = clock().date()
    adjustments: Mapping[str, Mapping[str, Any]] = {
        "points": {"amount": 50},
        "grant": {"badge": "tenth"},
        "revocation": {"badge": "first"},
        "freezes": {"streak": "login", "count": 2},
        "pause": {"streak": "login", "first": str(today), "last": str(today + timedelta(days=1))},
        "timeZone": {
            "zone": "Asia/Tokyo",
            "first": str(today - timedelta(days=9)),
            "last": str(today - timedelta(days=8)),
        },
        "exclusion": {},
    }
    for kind, data in adjustments.items():
        await admin.adjust("ada", f"a-{kind}", kind, data, "a reason", "anna")
    await admin.adjust("bob", "b-revocation", "revocation", {"badge": "first"}, "a reason", "anna")
    await admin.undo("bob", "b-revocation", "a mistake", "anna")
    await admin.reverse("bob", "m-1", "a reason", "anna")
    await admin.add_amnesty(today, today, "a reason", "anna")
    await laurels.record_many([])
    await laurels.update_user("eve", name="Eve")
    await laurels.erase_user("eve")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with rows in every table."""
    file = tmp_path_factory.mktemp("planted") / "backup.db"

    async def make() -> None:
        clock = TestClock()
        async with Laurels.open(f"sqlite:///{file}", CATALOG, clock=clock) as laurels:
            await laurels.set_clock_offset(timedelta())
            await fill(laurels, clock)

    asyncio.run(make())
    with opened(file) as connection, connection:
        connection.execute("INSERT INTO unfinished_erasures VALUES ('zed', 0, 1)")
        connection.execute("INSERT INTO second_factors VALUES (x'00', x'00', 0, x'', 0, NULL, 0, 1)")
        connection.execute("INSERT INTO supplies VALUES ('founder', 1)")
        connection.execute("INSERT INTO maintenance_runs VALUES ('backup', 0, '{}')")
    return file


async def rows_of(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    store = open_store(f"sqlite:///{file}")
    try:
        return await all_rows(store)
    finally:
        await store.close()


def refused(table: Table, row: Sequence[Any]) -> str:
    """Why a copy refuses this row; '' if it takes it."""
    try:
        check(table.name, [tuple(row)], ALL_READERS)
    except StoreError as error:
        return str(error)
    return ""


def planted_rows(table: Table, row: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The row with one kind of noise in every column that takes it, for each kind; the key is noise by itself."""
    for number in range(max(map(len, NOISE.values()))):
        planted = list(row)
        for place, (column, kind) in enumerate(table.kinds.items()):
            value = NOISE[kind][number % len(NOISE[kind])]
            alone = (*row[:place], value, *row[place + 1 :])
            why = refused(table, alone)
            assert not why or why.startswith(f"the row {', '.join(map(repr, alone[: table.key_length]))[:20]}"), (
                column,
                why,
            )
            if not why and place >= table.key_length and (table.name, column) not in COUPLED:
                planted[place] = value
        if not refused(table, planted):
            yield tuple(planted)


def plant(file: Path, table: Table, row: Sequence[Any], planted: Sequence[Any]) -> None:
    """Write this row of a file again; values that the schema refuses stay as they are."""
    where = " AND ".join(f"{name} = ?" for name in table.key)
    with opened(file) as connection, connection:
        for column, value in zip(table.columns, planted, strict=True):
            with suppress(apsw.ConstraintError):
                connection.execute(
                    f"UPDATE {table.name} SET {column} = ? WHERE {where}",
                    (value, *row[: table.key_length]),
                )


async def exercise(file: Path) -> None:
    """Read all that is made from the rows of a file, then change both users, and erase them."""
    clock = TestClock()
    clock.advance(days=13)
    with opened(file) as connection, connection:
        connection.execute("UPDATE api_keys SET revoked_at = 0 WHERE name = 'tests'")
    async with Laurels.open(f"sqlite:///{file}", clock=clock) as laurels, open_app_over(laurels, clock) as app:

        async def ask(method: str, path: str, content: Any = None) -> None:
            answer = await app.client.request(method, path, headers=app.by_key, json=content)
            assert answer.status_code < 500, (method, path, answer.text[:300])

        of_users = [f"{USERS}/{user}{page}" for user in ("ada", "bob") for page in USER_PAGES]
        for path in (*of_users, *[f"/api/gamification/{page}" for page in PAGES], *OPEN_PAGES):
            await ask("GET", path)
        async with operator_over(app) as desk:
            for page in CONSOLE:
                assert (await desk.client.get(f"/console{page}")).status_code < 500, page
        admin = Admin(laurels)
        async for user in admin.users():
            await admin.verify(user)
        for user in ("ada", "bob"):
            await ask("POST", EVENTS, {"userId": user, "id": "new", "type": "message.sent"})
            await ask("POST", EVENTS, {"userId": user, "id": "m-2", "type": "message.sent"})
            await ask("POST", f"/api/gamification/events/{user}/m-3/reversal", {"reason": "a test"})
            await ask("DELETE", f"{USERS}/{user}")


async def is_usable(file: Path) -> bool:
    """Whether a copy of this file would be refused because of the catalog in force."""
    store = open_store(f"sqlite:///{file}")
    try:
        await check_catalog(store)
    except StoreError as error:
        return "of catalog_revisions is damaged" not in str(error)
    finally:
        await store.close()
    return True


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
async def test_what_is_planted_is_refused_by_name_or_harmless(filled: Path, tmp_path: Path, table: Table) -> None:
    rows = (await rows_of(filled))[table.name]
    assert rows
    kinds = {row[table.columns.index("kind")]: row for row in rows} if "kind" in table.columns else {}
    for row in [*kinds.values()] or rows[-1:]:
        for planted in planted_rows(table, row):
            file = tmp_path / "planted.db"
            shutil.copy(filled, file)
            plant(file, table, row, planted)
            if await is_usable(file):
                await exercise(file)


DAMAGE: Mapping[str, tuple[str, Any]] = {
    "of adjustments": ("UPDATE adjustments SET data = ? WHERE adjustment_id = 'a-grant'", "{}"),
    "'a-points' of adjustments": ("UPDATE adjustments SET data = ? WHERE adjustment_id = 'a-points'", '{"amount":"5"}'),
    "'a-pause' of adjustments": ("UPDATE adjustments SET data = ? WHERE adjustment_id = 'a-pause'", DEEP),
    "'ada', 'a-exclusion' of adjustments": ("UPDATE adjustments SET kind = ? WHERE adjustment_id = 'a-exclusion'", "?"),
    "1 of catalog_revisions": ("UPDATE catalog_revisions SET text = ?", DEEP),
    "the row 1 of catalog_revisions": ("UPDATE catalog_revisions SET text = ?", "a = 1"),
    "the earlier rules": ("UPDATE catalog_revisions SET past = ?", "since = 1"),
    "of events": ("UPDATE events SET outcome = ? WHERE event_id = 'm-4'", "[]"),
    "of closings": ("UPDATE closings SET rule = ?", '{"lateSeconds": "soon"}'),
    "of outbox": ("UPDATE outbox SET data = ? WHERE type LIKE 'badge%'", "{}"),
    "of users": ("UPDATE users SET zones = ?", '["Nowhere/X",[],"UTC"]'),
    "of api_keys": ("UPDATE api_keys SET addresses = ?", "everywhere"),
    "of sandbox": ("UPDATE sandbox SET clock_offset = ?", 2**62),
    "of sessions": ("UPDATE sessions SET expires_at = ?", 2**62),
}


@pytest.mark.parametrize("named", DAMAGE)
async def test_a_damaged_row_is_refused_with_its_name_and_nothing_is_restored(
    filled: Path, tmp_path: Path, store: Store, named: str
) -> None:
    statement, value = DAMAGE[named]
    file = tmp_path / "damaged.db"
    shutil.copy(filled, file)
    with opened(file) as connection, connection:
        connection.execute(statement, (value,))
    before = await contents(store)
    source = open_store(f"sqlite:///{file}")
    try:
        with pytest.raises(StoreError) as refusal:
            await copy_usable(source, store)
    finally:
        await source.close()

    assert named in str(refusal.value)
    assert "use another backup" in str(refusal.value)
    assert await contents(store) == before


async def test_an_undamaged_backup_is_restored(filled: Path, store: Store) -> None:
    source = open_store(f"sqlite:///{filled}")
    try:
        await copy_usable(source, store)
        assert await all_rows(store) == await all_rows(source)
    finally:
        await source.close()


async def copy_usable(source: Store, target: Store) -> None:
    """Copy as the command line does."""
    await check_catalog(source)
    await copy(source, target, silent, readers=ALL_READERS)
