"""A database that an earlier version made, before leaderboards had periods: it is migrated, and read right."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.codec import to_micros
from laurels.storage.contract import LedgerRow, Store
from tests.support import MONDAY, badge, catalog, catalog_text, count, sql
from tests.test_history import check_stored

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


def old_progress(*, told: bool) -> bytes:
    """Progress of two events 'a' and a login, as the column held it: seven fields, and of what was told eight."""
    of_told = (7, [], [], [], {}, {}, {}, NO_SET) if told else None
    days, folds = {"login": (DAY, b"\x01")}, {"login": (DAY, 1, 0, 1, DAY, DAY, None)}
    return msgspec.msgpack.encode(({"m": 2}, days, {}, {}, folds, {"two": 50}, of_told))


async def insert(store: Store, table: str, **row: object) -> None:
    places = ", ".join("?" for _ in row)
    await sql(store, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING 1", *row.values())


async def old_user(store: Store, user: str, *, told: bool) -> None:
    """A user with an event of Sunday, one of Monday, a login, the badge that came of the second, and perhaps an adjustment."""
    points, reached = 77 if told else 70, to_micros(NOW if told else MONDAY)
    users = {"user_id": user, "name": user.upper(), "created_at": to_micros(SUNDAY), "revision": 3 + told}
    users |= {"rules": PLAIN.rules, "points": points, "reached_at": reached, "progress": old_progress(told=told)}
    await insert(store, "users", **users)
    for number, (kind, moment) in enumerate([("a", SUNDAY), ("a", MONDAY), ("login", MONDAY)], start=1):
        event = {"user_id": user, "event_id": f"e{number}", "revision": number, "type": kind}
        times = {"occurred_at": to_micros(moment), "recorded_at": to_micros(NOW), "day": moment.toordinal()}
        await insert(store, "events", **event, **times, quantity=1)
    entries = [(1, 0, 10, "rule", "a", "e1"), (2, 0, 10, "rule", "a", "e2"), (2, 1, 50, "badge", "two", "e2")]
    entries += [(4, 0, 7, "adjustment", "gift", None)] if told else []
    names = ("revision", "position", "amount", "reason", "ref", "event_id")
    for entry in entries:
        await insert(store, "ledger", user_id=user, at=to_micros(NOW), **dict(zip(names, entry, strict=True)))
    award = {"badge": "two", "revision": 2, "awarded_at": to_micros(NOW), "points": 50, "event_id": "e2"}
    await insert(store, "awards", user_id=user, **award)
    if told:
        act = {"act_id": "gift", "revision": 4, "at": to_micros(NOW), "kind": "adjustment", "reason": "r", "actor": "a"}
        await insert(store, "acts", user_id=user, **act, data=json.dumps({"amount": 7, "asked": {"amount": 7}}))
    board = {"board": "points", "period": "all", "sort_key": -points, "reached_at": reached}
    await insert(store, "standings", user_id=user, **board)


@pytest.fixture
async def old(store: Store, engine: str) -> Store:
    """An old database, brought up to date: its last migration ran when its rows were there."""
    names = [migration.name for migration in store._migrations]  # type: ignore[attr-defined]
    await undo_boards(store, engine)
    await old_user(store, "ada", told=False)
    await old_user(store, "bob", told=True)
    await store.rebuild_tallies()
    assert await store.migrate() == [name for name in names if name.endswith("_boards")]
    await store.ready()
    return store


async def undo_boards(store: Store, engine: str) -> None:
    """Take back what the migration of leaderboards did to an empty database."""
    for table, column in (("ledger", "counts_at"), ("users", "visibility"), ("users", "excluded")):
        await sql(store, f"ALTER TABLE {table} DROP COLUMN {column}")
    await sql(store, "DROP TABLE closings")
    await sql(store, "DROP INDEX tallies_of_teams")
    await sql(store, "DELETE FROM migrations WHERE name LIKE '%_boards'")


def laurels_of(store: Store, of: Catalog) -> Laurels:
    return Laurels(store, of, clock=lambda: NOW)


async def test_what_an_older_version_paid_counts_when_its_event_occurred(old: Store) -> None:
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


async def test_what_a_catalog_made_up_for_counts_in_no_period(store: Store, engine: str) -> None:
    await undo_boards(store, engine)
    entry = {"at": to_micros(NOW), "amount": 5, "reason": "catalog", "ref": "rules"}
    await insert(
        store, "users", user_id="ada", created_at=0, revision=1, rules="r", points=5, progress=old_progress(told=False)
    )
    await insert(store, "ledger", user_id="ada", revision=1, position=0, **entry)
    await store.migrate()
    assert await sql(store, "SELECT counts_at FROM ledger") == [(None,)]


async def test_under_the_same_catalog_nothing_of_an_old_database_differs(old: Store) -> None:
    laurels = laurels_of(old, PLAIN)
    lines = [(line.rank, line.user_id, line.score) for line in (await laurels.leaderboard()).standings]
    assert lines == [(1, "bob", 77), (2, "ada", 70)]
    await check_stored(laurels)


async def test_leaderboards_that_a_new_catalog_brings_count_what_was_there_before(old: Store) -> None:
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


def test_a_catalog_without_leaderboards_has_the_fingerprint_it_had_before_there_were_any() -> None:
    """Else every user of every such catalog would be made anew on the day of the update."""
    assert Catalog.parse(catalog_text(**RULES, leaderboards=[])).rules == PLAIN.rules
    assert WEEKLY.rules != PLAIN.rules
    renamed = catalog(**RULES, leaderboards=[{"id": "points", "name": "Ever"}])
    assert renamed.rules == PLAIN.rules
