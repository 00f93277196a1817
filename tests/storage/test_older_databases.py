"""A database of an earlier version, from before leaderboards had periods: after migrating, it is read correctly."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.codec import to_micros
from laurels.storage.contract import LedgerRow, Store
from tests.service.test_history import check_stored
from tests.support import MONDAY, badge, catalog, catalog_text, count, migrate_before, sql

pytestmark = pytest.mark.anyio

RULES = {
    "metrics": {"m": count("a")},
    "points": [{"id": "a", "events": ["a"], "amount": 10}],
    "badges": [badge("two", 50, metric="m", at_least=2)],
}
PLAIN = catalog(**RULES)
WEEKLY = catalog(
    **RULES,
    leaderboards=[
        {"id": "week", "period": "week"},
        {"id": "month", "by": "metric", "of": "m", "period": "month"},
        {"id": "run", "by": "streak", "of": "login", "period": "year"},
    ],
)
NOW = MONDAY + timedelta(hours=3)
SUNDAY, DAY = MONDAY - timedelta(days=1), MONDAY.toordinal()
NO_SET = (0, b"")


def old_progress(*, adjusted: bool) -> bytes:
    """Progress of two events 'a' and a login, as it was stored then: seven fields, and eight of the manual state."""
    manual = (7, [], [], [], {}, {}, {}, NO_SET) if adjusted else None
    days, folds = {"login": (DAY, b"\x01")}, {"login": (DAY, 1, 0, 1, DAY, DAY, None)}
    return msgspec.msgpack.encode(({"m": 2}, days, {}, {}, folds, {"two": 50}, manual))


async def insert(store: Store, table: str, **row: object) -> None:
    places = ", ".join("?" for _ in row)
    await sql(store, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING 1", *row.values())


async def old_user(store: Store, user: str, *, adjusted: bool) -> None:
    """A user with an event on Sunday, one on Monday, a login, the badge that the second earned, and perhaps an adjustment."""
    points, reached = 77 if adjusted else 70, to_micros(NOW if adjusted else MONDAY)
    users = {"user_id": user, "name": user.upper(), "created_at": to_micros(SUNDAY), "revision": 3 + adjusted}
    users |= {
        "rules": PLAIN.rules,
        "points": points,
        "reached_at": reached,
        "progress": old_progress(adjusted=adjusted),
    }
    await insert(store, "users", **users)
    for number, (kind, moment) in enumerate([("a", SUNDAY), ("a", MONDAY), ("login", MONDAY)], start=1):
        event = {"user_id": user, "event_id": f"e{number}", "revision": number, "type": kind}
        times = {"occurred_at": to_micros(moment), "recorded_at": to_micros(NOW), "day": moment.toordinal()}
        await insert(store, "events", **event, **times, quantity=1)
    entries = [(1, 0, 10, "rule", "a", "e1"), (2, 0, 10, "rule", "a", "e2"), (2, 1, 50, "badge", "two", "e2")]
    entries += [(4, 0, 7, "adjustment", "gift", None)] if adjusted else []
    names = ("revision", "position", "amount", "reason", "ref", "event_id")
    for entry in entries:
        await insert(store, "ledger", user_id=user, at=to_micros(NOW), **dict(zip(names, entry, strict=True)))
    award = {"badge": "two", "revision": 2, "awarded_at": to_micros(NOW), "points": 50, "event_id": "e2"}
    await insert(store, "awards", user_id=user, **award)
    if adjusted:
        act = {"act_id": "gift", "revision": 4, "at": to_micros(NOW), "kind": "adjustment", "reason": "r", "actor": "a"}
        await insert(store, "acts", user_id=user, **act, data=json.dumps({"amount": 7, "asked": {"amount": 7}}))
    board = {"board": "points", "period": "all", "sort_key": -points, "reached_at": reached}
    await insert(store, "standings", user_id=user, **board)


@pytest.fixture
async def older(database: str) -> AsyncIterator[Store]:
    """A database without rows, with the schema from before leaderboards had periods."""
    store = open_store(database)
    await migrate_before(store, "_boards")
    yield store
    await store.close()


@pytest.fixture
async def old(older: Store) -> Store:
    """An old database with users, brought up to date."""
    await old_user(older, "ada", adjusted=False)
    await old_user(older, "bob", adjusted=True)
    await older.rebuild_tallies()
    assert (await older.migrate())[0].name.endswith("_boards")
    await older.ready()
    return older


def laurels_of(store: Store, of: Catalog) -> Laurels:
    return Laurels(store, of, clock=lambda: NOW, on_difference="apply")


async def test_points_paid_by_an_older_version_count_when_their_event_occurred(old: Store) -> None:
    whole = await old.user_snapshot("bob")
    assert whole
    assert [(row.ref, row.counts_at) for row in whole.ledger] == [
        ("a", SUNDAY),
        ("a", MONDAY),
        ("two", MONDAY),
        ("gift", NOW),
    ]
    assert whole.ledger[0] == LedgerRow("bob", 1, 0, NOW, 10, "rule", "a", "e1", SUNDAY)
    assert (whole.user.progress.scores, whole.user.progress.manual.excluded, whole.user.visibility) == ({}, False, None)


async def test_points_that_a_catalog_change_paid_count_in_no_period(older: Store) -> None:
    store = older
    entry = {"at": to_micros(NOW), "amount": 5, "reason": "catalog", "ref": "rules"}
    await insert(
        store,
        "users",
        user_id="ada",
        created_at=0,
        revision=1,
        rules="r",
        points=5,
        progress=old_progress(adjusted=False),
    )
    await insert(store, "ledger", user_id="ada", revision=1, position=0, **entry)
    await store.migrate()
    assert await sql(store, "SELECT counts_at FROM ledger") == [(None,)]


async def test_under_the_same_catalog_an_old_database_has_no_differences(old: Store) -> None:
    laurels = laurels_of(old, PLAIN)
    lines = [(line.rank, line.user_id, line.score) for line in (await laurels.leaderboard()).standings]
    assert lines == [(1, "bob", 77), (2, "ada", 70)]
    await check_stored(laurels)


async def test_leaderboards_of_a_new_catalog_count_earlier_events(old: Store) -> None:
    laurels = laurels_of(old, WEEKLY)
    for user in ("ada", "bob"):
        await Admin(laurels).rebuild(user)
    expected = {
        ("week", "2026-W01"): {"ada": 10, "bob": 10},
        ("week", "2026-W02"): {"ada": 60, "bob": 67},
        ("month", "2026-01"): {"ada": 2, "bob": 2},
        ("run", "2026"): {"ada": 1, "bob": 1},
        ("points", "all"): {"ada": 70, "bob": 77},
    }
    for (board, period), scores in expected.items():
        page = await laurels.leaderboard(board, period)
        assert {line.user_id: line.score for line in page.standings} == scores
    await check_stored(laurels)


def test_a_catalog_without_leaderboards_keeps_its_fingerprint() -> None:
    """Otherwise all users of such catalogs would be recomputed on the day of the update."""
    assert Catalog.parse(catalog_text(**RULES, leaderboards=[])).rules == PLAIN.rules
    assert WEEKLY.rules != PLAIN.rules
    renamed = catalog(**RULES, leaderboards=[{"id": "points", "name": "Ever"}])
    assert renamed.rules == PLAIN.rules
