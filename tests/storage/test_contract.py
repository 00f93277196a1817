"""Every guarantee of `laurels/storage/contract`, checked on every engine."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.progress import Progress
from laurels.engine.ranking import Move, Place, Ranks
from laurels.engine.zones import Zones
from laurels.errors import InvalidInput, MigrationError, SettingsError, StoreError, StoreUnavailable, UserNotFound
from laurels.storage import open_store
from laurels.storage.codec import from_micros, to_micros
from laurels.storage.columns import ERASED_IN_PARTS
from laurels.storage.contract import (
    ALL_TIME,
    BEGINNING,
    ERASED_TOGETHER,
    FIRST_EVENT,
    LIBRARY,
    POINTS_BOARD,
    AdjustmentRow,
    AmnestyRow,
    AppliedMigration,
    AuditRow,
    AwardRow,
    Changes,
    Counts,
    EventKey,
    EventRow,
    FormerAward,
    FormerState,
    KeyRow,
    LeaderboardRequest,
    LedgerRow,
    Loaded,
    LoadRequest,
    Mark,
    NotificationRow,
    OperatorSession,
    OperatorSessionRow,
    Principal,
    SecondFactorRow,
    SessionRow,
    Store,
    UnfinishedErasure,
    UserRow,
)
from laurels.storage.migrate import migration
from laurels.storage.postgres.store import PostgresStore
from laurels.storage.searching import as_stored
from laurels.storage.sqlite.store import SQLiteStore
from tests.support import ENGINES, LASTING_ENGINES, MONDAY, at, check_tallies, contents, sql, tables

pytestmark = pytest.mark.anyio

RULES = "rules-1"
START = to_micros(MONDAY)

LASTING = pytest.mark.parametrize("engine", LASTING_ENGINES)
"""For what a database in memory cannot have: several processes, and a second opening."""


# ---- making rows ------------------------------------------------------------------------------


def user(user_id: str, points: int = 0, reached_at: int | None = None, **more: Any) -> UserRow:
    reached = from_micros(START if reached_at is None else reached_at) if points else None
    progress = Progress(points=points, reached_at=reached)
    return UserRow(user_id, None, MONDAY, 1, RULES, progress, **more)


def event(user_id: str, name: str, revision: int = 1, **more: Any) -> EventRow:
    told = Event(user_id, name, "a", MONDAY, 2, {"x": 1}, MONDAY.toordinal(), 3)
    return EventRow(told, MONDAY - timedelta(hours=1), MONDAY, revision, **more)


def place_of(row: UserRow | None) -> Place | None:
    if row is None or row.progress.reached_at is None:
        return None
    return Place(-row.progress.points, to_micros(row.progress.reached_at), row.user_id)


def move_of(user_id: str, before: UserRow | None, after: UserRow | None) -> Move:
    """What these rows change on the board of all points."""
    return Move(user_id, POINTS_BOARD, ALL_TIME, place_of(before), place_of(after))


async def rank_of(store: Store, user_id: str) -> tuple[int | None, int]:
    return await store.rank(POINTS_BOARD, ALL_TIME, user_id)


async def top(store: Store, limit: int) -> list[str]:
    """The first users of the board of all points."""
    return [
        line.place.user_id
        for line in (await store.listing(LeaderboardRequest(POINTS_BOARD, ALL_TIME, limit=limit))).lines
    ]


async def save(store: Store, *users: UserRow, ranks: bool = True, **rows: Any) -> Mapping[str, Ranks]:
    """Write these users, their places on the board, and other rows, in one transaction."""

    def decide(found: Loaded) -> Changes:
        moves = [move_of(row.user_id, found.users.get(row.user_id), row) for row in users]
        return Changes([*users], moves=[move for move in moves if move.before != move.after], **rows)

    asked = {row.user_id for row in users} | {user_id for user_id, _ in rows.get("erased", [])}
    return await store.change(LoadRequest(frozenset(asked), frozenset(), RULES, ranks=ranks), decide)


async def find(store: Store, *users: str, events: Sequence[tuple[str, str]] = (), **asked: Any) -> Loaded:
    """What a transaction finds."""
    seen: list[Loaded] = []

    def decide(found: Loaded) -> Changes:
        seen.append(found)
        return Changes()

    await store.change(LoadRequest(frozenset(users), frozenset(events), asked.pop("rules", RULES), **asked), decide)
    return seen[-1]


# ---- life -------------------------------------------------------------------------------------


async def test_migrations_run_once(database: str) -> None:
    store = open_store(database)
    names = [one.name for one in await store.migrate()]
    assert names
    assert names == sorted(names)
    assert await store.migrate() == []
    await store.ready()
    await store.close()


async def test_a_store_without_a_schema_is_not_ready(database: str) -> None:
    store = open_store(database)
    with pytest.raises(MigrationError, match="run 'laurels migrate'"):
        await store.ready()
    await store.close()


async def test_a_store_that_lacks_a_migration_is_not_ready(store: Store) -> None:
    await sql(store, "DELETE FROM migrations WHERE name LIKE '0001%'")
    with pytest.raises(MigrationError, match="'0001_start' has not run; run 'laurels migrate'"):
        await store.ready()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE migrations SET checksum = 'x' WHERE name LIKE '0001%'", "another text"),
        (
            "INSERT INTO migrations (name, checksum) VALUES ('9999_later', 'x')",
            "does not know and cannot work with; use a newer version",
        ),
    ],
)
async def test_a_schema_of_another_version_is_refused(store: Store, change: str, says: str) -> None:
    await sql(store, change)
    before = await contents(store)
    for verb in (store.migrate, store.ready):
        with pytest.raises(MigrationError, match=says):
            await verb()
    assert await contents(store) == before


async def migrate_as_newer_version(store: Store, mark: Mark) -> None:
    """Run a migration that only a newer version knows: afterwards the store is that of an older process."""
    assert isinstance(store, (PostgresStore, SQLiteStore))
    newer = migration("9999_index", f"-- {mark}: adds an index\nCREATE INDEX by_badge ON awards (badge);\n")
    store._migrations.append(newer)
    assert await store.migrate() == [AppliedMigration("9999_index", mark)]
    store._migrations.remove(newer)
    assert await sql(store, "SELECT mark FROM migrations WHERE name = '9999_index'") == [(mark,)]


async def test_an_older_process_continues_after_a_newer_migration_marked_pre(store: Store) -> None:
    await migrate_as_newer_version(store, "pre")
    await store.ready()
    assert await store.migrate() == []
    await save(store, user("ada", 5))
    assert await rank_of(store, "ada") == (1, 1)


async def test_an_older_process_is_not_ready_after_a_newer_migration_marked_post(store: Store) -> None:
    await migrate_as_newer_version(store, "post")
    for verb in (store.ready, store.migrate):
        with pytest.raises(MigrationError, match="'9999_index', which this version does not know and cannot work with"):
            await verb()


MIGRATE = """
import asyncio, sys
from laurels.storage import open_store
async def main():
    store = open_store(sys.argv[1])
    sys.stdin.readline()
    print(len(await store.migrate()))
    await store.ready()
    await store.close()
asyncio.run(main())
"""


@LASTING
def test_several_processes_migrate_at_once(database: str) -> None:
    command = [sys.executable, "-c", MIGRATE, database]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, answers
    ran = sorted(int(out) for out, _ in answers)
    assert ran[:3] == [0, 0, 0]
    assert ran[3] > 0


async def test_closing_finishes_running_work_and_twice_is_harmless(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    running = [asyncio.ensure_future(save(store, user(f"u{i}"))) for i in range(20)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    await asyncio.gather(*running)


async def test_a_closed_store_is_unavailable(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    await store.close()
    for verb in (
        store.counts(),
        store.user("ada"),
        store.profile_view("ada", 1),
        save(store, user("ada")),
        store.ready(),
    ):
        with pytest.raises(StoreUnavailable):
            await verb


@pytest.mark.parametrize("database", ["oracle://x", "", "laurels.db"])
def test_an_address_that_no_engine_serves_is_refused(database: str) -> None:
    with pytest.raises(SettingsError):
        open_store(database)


# ---- changing ---------------------------------------------------------------------------------


async def test_a_row_that_was_never_written_is_not_found(store: Store) -> None:
    found = await find(
        store, "ada", events=[("ada", "e")], with_adjustments=frozenset({"ada"}), in_full=frozenset({"ada"})
    )
    assert (found.users, found.events, found.erased, found.histories) == ({}, {}, frozenset(), {})
    assert (found.amnesties, found.amnesty_count) == ([], 0)


FULL = UserRow(
    "ada",
    "Ada 🙂",
    MONDAY + timedelta(microseconds=1),
    7,
    RULES,
    Progress(
        totals={"m": 2**53 - 1},
        days={"login": Days.span(738_000, 738_009)},
        capped={"r": {738_001: 5, 738_000: 3}},
        badges={"b": 10},
        points=11,
        reached_at=MONDAY - timedelta(microseconds=1),
        zones=Zones("UTC", ((MONDAY, "Asia/Tokyo"),)),
        joined_at=at("1999-12-31T23:59:59"),
    ),
    ("red", "blue"),
    3,
)


async def test_every_field_of_every_row_survives(store: Store) -> None:
    rows = {
        "events": [
            event("ada", "e1", 1, outcome=b'{"points":[0,10]}'),
            replace(event("ada", "e2", 2, reversed_by=4), event=Event("ada", "e2", "b", MONDAY, 1, None, 738_000)),
        ],
        "awards": [AwardRow("ada", "b", 1, MONDAY, 10, "e1"), AwardRow("ada", "c", 3, MONDAY, 0, None)],
        "ledger": [
            LedgerRow("ada", 1, 0, MONDAY, 10, "badge", "b", "e1", MONDAY - timedelta(days=1, microseconds=1)),
            LedgerRow("ada", 1, 1, MONDAY, 1, "rule", "r", None),
        ],
        "notifications": [NotificationRow("ada", 1, 0, MONDAY, "badge.earned", {"badge": "b"})],
        "adjustments": [
            AdjustmentRow(
                "ada", "act", 5, MONDAY, "grant", {"badge": "c"}, "for 🙂", "bob", 6, Principal("key", "🔑"), "::1", "r"
            ),
            AdjustmentRow("ada", "early", 7, MONDAY, "grant", {"badge": "c"}, "for 🙂", "bob", None),
        ],
    }
    await save(store, FULL, **rows)
    page, whole = await store.history("ada", 10), await store.user_snapshot("ada")
    assert whole
    assert await store.user("ada") == whole.user == FULL
    ranked = replace(rows["events"][0], rank_before=None, rank_after=1)
    assert page.events == whole.events == [ranked, rows["events"][1]]
    assert await store.event("ada", "e2") == rows["events"][1]
    assert page.awards == whole.awards == await store.awards("ada") == rows["awards"]
    assert page.ledger == rows["ledger"]
    assert page.adjustments == whole.adjustments == rows["adjustments"]
    assert (whole.ledger, whole.standings) == (rows["ledger"], {(POINTS_BOARD, ALL_TIME): place_of(FULL)})
    assert await sql(store, "SELECT user_id, revision, position, at, type, data FROM outbox") == [
        ("ada", 1, 0, START, "badge.earned", '{"badge":"b"}')
    ]


async def test_a_user_is_loaded_as_saved_with_the_requested_events(store: Store) -> None:
    await save(store, FULL, events=[event("ada", "e1"), event("ada", "e2", 2)])
    found = await find(store, "ada", "bob", events=[("ada", "e1"), ("ada", "e3"), ("bob", "e1")])
    assert found.users == {"ada": FULL}
    assert found.events == {("ada", "e1"): event("ada", "e1")}
    assert (found.histories, found.adjustments, found.awards) == ({}, {}, {})
    assert (found.ledgers, found.standings) == ({}, {})


async def test_a_user_made_under_other_rules_is_loaded_in_full(store: Store) -> None:
    rows: dict[str, Any] = {
        "events": [event("ada", "e2", 2), event("ada", "e1", 1)],
        "awards": [AwardRow("ada", "b", 1, MONDAY, 10, "e1")],
        "ledger": [LedgerRow("ada", 1, 0, MONDAY, 10, "badge", "b", "e1")],
        "adjustments": [AdjustmentRow("ada", "act", 3, MONDAY, "grant", {}, "r", "a", None)],
    }
    await save(store, FULL, user("bob"), **rows)
    other_rules = await find(store, "ada", "bob", rules="rules-2")
    asked_full = await find(store, "ada", "bob", in_full=frozenset({"ada"}))
    for found in (other_rules, asked_full):
        assert [row.event.id for row in found.histories["ada"]] == ["e1", "e2"]
        assert (found.awards["ada"], found.ledgers["ada"]) == (rows["awards"], rows["ledger"])
        assert found.adjustments["ada"] == rows["adjustments"]
        assert found.standings["ada"] == {(POINTS_BOARD, ALL_TIME): place_of(FULL)}
    assert "bob" not in asked_full.histories
    assert list(other_rules.histories["bob"]) == []
    assert (await find(store, "ada", with_adjustments=frozenset({"ada"}))).adjustments == {"ada": rows["adjustments"]}


async def test_users_and_adjustments_replace_their_earlier_rows(store: Store) -> None:
    await save(
        store,
        FULL,
        events=[event("ada", "e")],
        adjustments=[AdjustmentRow("ada", "x", 1, MONDAY, "grant", {}, "r", "a", None)],
    )
    undone = AdjustmentRow("ada", "x", 1, MONDAY, "grant", {}, "r", "a", 9)
    newer = replace(user("ada", 3), revision=8, created_at=MONDAY)
    await save(store, newer, marked=[replace(event("ada", "e"), reversed_by=9)], adjustments=[undone])
    whole = await store.user_snapshot("ada")
    assert whole
    assert whole.user == replace(newer, created_at=FULL.created_at)  # when a user was made never changes
    assert (whole.events[0].reversed_by, whole.adjustments) == (9, [undone])


async def test_a_revoked_award_is_deleted_before_new_ones_are_written(store: Store) -> None:
    await save(store, user("ada"), awards=[AwardRow("ada", "b", 1, MONDAY, 10, "e1")])
    again = AwardRow("ada", "b", 2, MONDAY, 5, None)
    await save(store, user("ada"), revoked=[("ada", "b")], awards=[again])
    assert await store.awards("ada") == [again]
    await save(store, user("ada"), revoked=[("ada", "b")])
    assert await store.awards("ada") == []


class Stop(Exception):  # noqa: N818
    pass


async def test_if_the_decision_raises_nothing_is_written_and_its_error_is_passed_on(store: Store) -> None:
    await save(store, user("ada", 5))
    before = await contents(store)

    def decide(found: Loaded) -> Changes:
        raise Stop(found.users["ada"].progress.points)

    with pytest.raises(Stop, match="5"):
        await store.change(LoadRequest(frozenset({"ada"}), frozenset(), RULES), decide)
    assert await contents(store) == before
    await save(store, user("ada", 6))


async def test_an_event_cannot_be_written_twice_and_nothing_else_of_its_transaction_is_written(store: Store) -> None:
    await save(store, user("ada", 5), events=[event("ada", "e")])
    before = await contents(store)
    with pytest.raises(StoreError):
        await save(store, user("ada", 9), user("bob", 9), events=[event("ada", "e", 2)])
    assert await contents(store) == before


async def test_no_one_changes_a_user_between_loading_and_saving(store: Store) -> None:
    await save(store, user("ada", 1))

    def add_one(found: Loaded) -> Changes:
        old = found.users["ada"]
        new = user("ada", old.progress.points + 1)
        return Changes([new], moves=[move_of("ada", old, new)])

    asked = LoadRequest(frozenset({"ada"}), frozenset(), RULES)
    await asyncio.gather(*(store.change(asked, add_one) for _ in range(50)))
    row = await store.user("ada")
    assert row
    assert row.progress.points == 51
    await check_tallies(store)


@LASTING
async def test_two_processes_on_one_database_do_not_lose_each_others_changes(database: str) -> None:
    stores = [open_store(database) for _ in range(2)]
    for one in stores:
        await one.migrate()
    await asyncio.gather(*(save(stores[i % 2], user(f"u{i}", 10 + i)) for i in range(40)))
    tops = [await top(one, 100) for one in stores]
    assert tops[0] == tops[1] == [f"u{i}" for i in range(39, -1, -1)]
    await check_tallies(stores[0])
    for one in stores:
        await one.close()


async def test_a_commit_in_a_file_waits_for_the_disk(tmp_path: Path) -> None:
    """What a kill cannot show: only with `synchronous = FULL` does a commit outlive a power cut."""
    store = open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    assert await sql(store, "PRAGMA synchronous") == [(2,)]
    assert await sql(store, "PRAGMA journal_mode") == [("wal",)]
    await store.close()


@LASTING
async def test_changes_are_there_after_reopening(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    await save(store, FULL)
    await store.close()
    again = open_store(database)
    assert await again.user("ada") == FULL
    await again.close()


# ---- ranks ------------------------------------------------------------------------------------


def sorted_board(users: Mapping[str, UserRow]) -> list[str]:
    places = [one for one in map(place_of, users.values()) if one]
    return [one.user_id for one in sorted(places, key=lambda one: (one.sort_key, one.reached_at, one.user_id))]


def rank_in(board: list[str], user_id: str) -> int | None:
    return board.index(user_id) + 1 if user_id in board else None


async def test_ranks_are_those_of_a_plain_sort_after_any_change(store: Store) -> None:
    chance = random.Random(7)
    users: dict[str, UserRow] = {}
    for _ in range(60):
        chosen = chance.sample([f"u{i}" for i in range(15)], chance.randint(1, 5))
        rows = [
            user(one, chance.choice([0, 1, 2, 2, 7, 70_000]), START + chance.choice([0, 1, 10**9])) for one in chosen
        ]
        before = sorted_board(users)
        moved = {row.user_id for row in rows if place_of(users.get(row.user_id)) != place_of(row)}
        users |= {row.user_id: row for row in rows}
        after = sorted_board(users)
        expected = {one: Ranks(rank_in(before, one), rank_in(after, one)) for one in moved}
        assert await save(store, *rows) == expected
        assert await top(store, 100) == after
        for one in users:
            assert await rank_of(store, one) == (rank_in(after, one), len(after))
        await check_tallies(store)
    assert await store.wrong_tallies() == 0


async def test_ranks_are_stored_with_the_events_of_their_transaction(store: Store) -> None:
    await save(store, user("bob", 50))
    rows = [event("ada", "e1", 1, outcome=b"{}"), event("ada", "e2", 2)]
    assert await save(store, user("ada", 100), events=rows) == {"ada": Ranks(None, 1)}
    first, second = await store.event("ada", "e1"), await store.event("ada", "e2")
    assert first
    assert second
    assert (first.rank_before, first.rank_after) == (None, 1)
    assert (second.rank_before, second.rank_after) == (None, None)  # it changed nothing


async def test_ranks_are_computed_only_if_requested(store: Store) -> None:
    assert await save(store, user("ada", 100), ranks=False, events=[event("ada", "e", outcome=b"{}")]) == {}
    row = await store.event("ada", "e")
    assert row
    assert row.rank_after is None
    assert await rank_of(store, "ada") == (1, 1)


async def test_the_rank_before_still_counts_users_erased_in_the_same_transaction(store: Store) -> None:
    await save(store, user("bob", 10, START), user("eve", 10, START + 1))
    ranks = await save(store, user("eve", 20), erased=[("bob", MONDAY)])
    assert ranks["eve"] == Ranks(2, 1)


async def test_users_without_points_are_unranked(store: Store) -> None:
    await save(store, user("ada", 5), user("bob", 0))
    assert await rank_of(store, "bob") == (None, 1)
    assert await rank_of(store, "unknown") == (None, 1)
    await save(store, user("ada", 0))
    assert await rank_of(store, "ada") == (None, 0)
    assert await top(store, 10) == []


async def test_ids_are_ordered_by_code_point(store: Store) -> None:
    names = ["b", "B", "ä", "a", "🙂", "～", "aa"]
    await save(store, *(user(name, 5) for name in names))
    assert await top(store, 10) == sorted(names)
    assert [(await rank_of(store, name))[0] for name in sorted(names)] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_view_sees_every_commit_of_any_process(engine: str, database: str) -> None:
    store = open_store(database)
    await store.migrate()
    other = open_store(database) if engine in LASTING_ENGINES else store
    for points in (5, 7, 9):
        await save(other, replace(user("ada", points), name=f"Ada {points}"))
        view = await store.profile_view("ada", 10)
        assert view.user
        assert view.user.progress.points == points
        assert [(line.points, line.name) for line in view.top] == [(points, f"Ada {points}")]
    for one in {id(store): store, id(other): other}.values():
        await one.close()


async def test_a_view_has_the_requested_number_of_lines(store: Store) -> None:
    await save(store, *(user(f"u{i}", 10 + i) for i in range(5)))
    for limit in (2, 4, 2):
        assert len((await store.profile_view("u1", limit)).top) == limit
    assert (await store.profile_view("unknown", 2)).user is None


async def test_the_details_of_a_user_are_what_the_single_reads_return(store: Store) -> None:
    await fill(store, "ada")
    await save(store, user("bob", 1), user("cyd", 3000))
    details = await store.user_details("ada", 2, 10)
    assert details
    view = await store.profile_view("ada", 2)
    assert (details.user, details.top, details.amnesty_count) == (view.user, view.top, view.amnesty_count)
    assert (details.rank, details.ranked) == await store.rank("points", "all", "ada")
    assert details.awards == await store.awards("ada")
    ids = {award.event_id for award in details.awards if award.event_id}
    assert details.award_events == {name: await store.event("ada", name) for name in ids}
    assert details.history == await store.history("ada", 10)
    newest = await store.user_details("ada", 1, 1, before=2)
    assert newest
    assert newest.history == await store.history("ada", 1, 2)
    assert await store.user_details("unknown", 2, 10) is None


async def test_tallies_can_be_rebuilt(store: Store) -> None:
    await save(store, *(user(f"u{i}", i % 3, START + i) for i in range(12)))
    good = await contents(store)
    await sql(store, "DELETE FROM tallies WHERE level = 9")
    await sql(store, "UPDATE tallies SET amount = amount + 1 WHERE level = 2")
    assert await store.wrong_tallies() > 0
    await store.rebuild_tallies()
    assert await store.wrong_tallies() == 0
    assert await contents(store) == good


# ---- erasing ----------------------------------------------------------------------------------

FORGOTTEN = "forget-me-of-all-users"


async def fill(store: Store, user_id: str) -> None:
    await save(
        store,
        replace(FULL, user_id=user_id),
        events=[event(user_id, "e", 1)],
        awards=[AwardRow(user_id, "b", 1, MONDAY, 10, "e")],
        ledger=[LedgerRow(user_id, 1, 0, MONDAY, 10, "badge", "b", "e")],
        notifications=[NotificationRow(user_id, 1, 0, MONDAY, "badge.earned", {})],
        adjustments=[AdjustmentRow(user_id, "act", 2, MONDAY, "grant", {}, "r", "a", None)],
        former=[FormerState(user_id, 2, MONDAY, Zones(), None, ("eu",), RULES)],
    )
    await store.add_session(user_id, b"token", MONDAY, MONDAY + timedelta(days=1))


async def test_former_states_are_read_in_the_order_of_their_revisions(store: Store) -> None:
    award = AwardRow("ada", "b", 1, MONDAY, 10, "e", 3)
    zones = Zones("UTC", ((MONDAY, "Asia/Tokyo"),))
    first = FormerState("ada", 3, MONDAY, Zones(), None, (), RULES, (FormerAward(award, None, "c"),))
    second = FormerState("ada", 12, MONDAY, zones, MONDAY, ("eu", "us"), RULES, (FormerAward(award, 7),))
    await save(store, user("ada"), user("bob"), former=[second, first, replace(first, user_id="bob", awards=())])

    assert await store.former_states("ada") == [first, second]
    assert await store.former_states("cyd") == []


async def test_notifications_of_several_users_are_read_after_each_users_own_cursor(store: Store) -> None:
    places = [(1, 0), (1, 1), (2, 0), (10, 0), (10, 1), (10, 2)]
    told = {
        name: [NotificationRow(name, *place, MONDAY, "badge.earned", {"badge": f"{place}"}) for place in places]
        for name in ("ada", "bob", "cyd")
    }
    await save(store, *map(user, told), notifications=[row for rows in told.values() for row in reversed(rows)])

    async def read(limit: int = 100, **after: tuple[int, int]) -> dict[str, list[NotificationRow]]:
        found = await store.notifications(after, limit)
        return {name: [row for row in found if row.user_id == name] for name in after}

    assert await read(ada=BEGINNING, bob=(1, 1), dan=BEGINNING) == {
        "ada": told["ada"],
        "bob": told["bob"][2:],
        "dan": [],
    }
    assert await read(2, ada=(1, 0), cyd=(2, 0)) == {"ada": told["ada"][1:3], "cyd": told["cyd"][3:5]}
    assert await read(ada=(10, 2), bob=(10, 1), cyd=(11, 0)) == {"ada": [], "bob": told["bob"][5:], "cyd": []}
    assert await store.notifications({}, 10) in ([], ())
    assert [await store.newest_notification(name) for name in ("ada", "dan")] == [(10, 2), BEGINNING]


async def test_a_new_notification_is_found_by_a_request_that_found_none_before(store: Store) -> None:
    await save(store, user("ada"))
    for revision in range(1, 4):
        after = {"ada": (revision, 0)}
        for _ in range(2):
            assert not await store.notifications(after, 10)
        row = NotificationRow("ada", revision + 1, 0, MONDAY, "level.reached", {"level": 2})
        await save(store, user("ada"), notifications=[row])
        assert await store.notifications(after, 10) == [row]
        assert await store.notifications(after, 10) == [row]


@LASTING
async def test_a_notification_of_another_process_is_found_by_a_request_that_found_none_before(
    store: Store, database: str
) -> None:
    await save(store, user("ada"))
    other = open_store(database)
    row = NotificationRow("ada", 1, 0, MONDAY, "level.reached", {"level": 2})
    assert not await store.notifications({"ada": BEGINNING}, 10)
    await save(other, user("ada"), notifications=[row])
    await other.close()

    assert await store.notifications({"ada": BEGINNING}, 10) == [row]


async def test_an_erased_user_leaves_no_row_anywhere(store: Store) -> None:
    await fill(store, "bob")
    before = await contents(store)
    await fill(store, FORGOTTEN)
    mentions = [name for name, rows in (await contents(store)).items() if FORGOTTEN in repr(rows)]
    of_users = {
        "adjustments",
        "awards",
        "events",
        "former_states",
        "ledger",
        "outbox",
        "sessions",
        "standings",
        "users",
    }
    assert set(mentions) == of_users
    await save(store, erased=[(FORGOTTEN, MONDAY)])
    assert await store.unfinished_erasures() == [UnfinishedErasure(FORGOTTEN, MONDAY, rows_left=False)]
    await store.end_erasures([FORGOTTEN])
    after = await contents(store)
    assert FORGOTTEN not in repr(after)
    assert len(after.pop("tombstones")) == 1
    before.pop("tombstones")
    assert after == before
    await check_tallies(store)


async def test_a_long_history_is_erased_in_parts_and_not_seen_meanwhile(store: Store) -> None:
    await fill(store, "bob")
    before = await contents(store)
    await fill(store, FORGOTTEN)
    events = [event(FORGOTTEN, f"more-{number}", 10 + number) for number in range(ERASED_TOGETHER + 3)]
    await save(store, user(FORGOTTEN), events=events)
    await save(store, erased=[(FORGOTTEN, MONDAY)])

    (unfinished,) = await store.unfinished_erasures()
    assert unfinished.rows_left
    await store.end_erasures([FORGOTTEN])  # not yet
    left = {name for name, rows in (await contents(store)).items() if FORGOTTEN in repr(rows)}
    assert left <= {"unfinished_erasures", *ERASED_IN_PARTS}
    assert await store.user(FORGOTTEN) is None
    assert (await find(store, FORGOTTEN, events=[(FORGOTTEN, "e")])).erased == {FORGOTTEN}

    parts = 0
    while not await store.erase_part(FORGOTTEN, 2):
        parts += 1
    assert parts > 1
    assert await store.erase_part(FORGOTTEN, 2)
    assert not (await store.unfinished_erasures())[0].rows_left
    await store.end_erasures([FORGOTTEN])
    after = await contents(store)
    after.pop("tombstones")
    before.pop("tombstones")
    assert after == before
    await check_tallies(store)


async def test_events_are_searched_for_texts_a_page_at_a_time(store: Store) -> None:
    def named(user_id: str, name: str, data: dict[str, Any] | None) -> EventRow:
        return replace(event(user_id, name), event=Event(user_id, name, "a", MONDAY, 1, data, MONDAY.toordinal()))

    odd = 'o"b\\ö🙂'
    rows = [
        named("ada", "1", {"friend": "bob", "with": ["eve"]}),
        named("ada", "2", None),
        named("cay", "1", {"note": "bobby"}),
        named("🙂", "1", {"deep": [{"er": odd}]}),
    ]
    rows = [replace(row, revision=number + 1) for number, row in enumerate(rows)]
    await save(store, *map(user, ("ada", "cay", "🙂")), events=rows)
    texts = [as_stored(text) for text in ("bob", odd)]
    found: list[EventRow] = []
    after: EventKey | None = FIRST_EVENT
    while after:
        page = await store.search_events(texts, after, 2)
        found += page.found
        after = page.last
    assert [(row.event.user_id, row.event.id) for row in found] == [("ada", "1"), ("🙂", "1")]
    assert not (await store.search_events(texts, ("ada", "1"), 2)).found


async def test_files_can_be_cleaned_while_nothing_else_goes_on(store: Store) -> None:
    await fill(store, "bob")
    assert await store.clean_files()


async def test_an_erased_user_stays_erased(store: Store) -> None:
    await fill(store, FORGOTTEN)
    for _ in range(2):
        await save(store, erased=[(FORGOTTEN, MONDAY), ("never-was", MONDAY)])
    found = await find(store, FORGOTTEN, "never-was", "bob", events=[(FORGOTTEN, "e")])
    assert found.erased == {FORGOTTEN, "never-was"}
    assert (found.users, found.events) == ({}, {})
    assert await store.user(FORGOTTEN) is None
    assert await store.user_snapshot(FORGOTTEN) is None
    assert not await store.has_session(FORGOTTEN, b"token", MONDAY)


async def test_each_database_has_a_secret_of_its_own_for_tombstones(store: Store, engine: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with ENGINES[engine](tmp_path / "other") as database:
        other = open_store(database)
        await other.migrate()
        hashes = []
        for one in (store, other):
            await save(one, erased=[("ada", MONDAY)])
            hashes += await sql(one, "SELECT user_hash FROM tombstones")
        await other.close()
    assert len(set(hashes)) == 2


# ---- reading ----------------------------------------------------------------------------------


async def test_history_pages_go_back_by_revisions_that_have_a_row(store: Store) -> None:
    await save(
        store,
        user("ada"),
        user("bob"),
        events=[event("ada", f"e{i}", i) for i in (1, 2, 4, 7)] + [event("bob", "e", 5)],
        awards=[AwardRow("ada", "b", 4, MONDAY, 10, "e4"), AwardRow("ada", "a", 5, MONDAY, 10, None)],
        ledger=[LedgerRow("ada", 6, position, MONDAY, 1, "rule", "r", None) for position in (0, 1)],
        adjustments=[AdjustmentRow("ada", "act", 9, MONDAY, "grant", {}, "r", "a", None)],
    )
    seen: list[list[int]] = []
    before = None
    for _ in range(4):
        page = await store.history("ada", 3, before)
        rows = [*page.events, *page.awards, *page.ledger, *page.adjustments]
        seen.append(sorted({row.revision for row in rows}))
        before = min(seen[-1], default=None)
        if before is None:
            break
    assert seen == [[6, 7, 9], [2, 4, 5], [1], []]
    page = await store.history("ada", 100)
    assert [row.revision for row in page.events] == [1, 2, 4, 7]
    assert [(row.revision, row.position) for row in page.ledger] == [(6, 0), (6, 1)]
    assert await store.history("unknown", 3) == await store.history("ada", 3, before=1)


async def test_user_ids_are_listed_by_code_point(store: Store) -> None:
    names = ["b", "B", "ä", "a", "🙂"]
    await save(store, *map(user, names))
    assert await store.user_ids("", 3) == sorted(names)[:3]
    assert await store.user_ids("b", 3) == ["ä", "🙂"]
    assert await store.user_ids("🙂", 3) == []


async def test_users_are_read_in_pages_by_code_point(store: Store) -> None:
    names = ["b", "B", "ä", "a", "🙂"]
    await save(store, *map(user, names))
    assert [row.user_id for row in await store.users_after("", 3)] == sorted(names)[:3]
    assert [packed.row for packed in await store.users_after("ä", 3)] == [await store.user("🙂")]
    assert await store.users_after("🙂", 3) == []


async def test_users_who_changed_since_an_instant_are_found(store: Store) -> None:
    later = MONDAY + timedelta(seconds=1)
    await fill(store, "ada")
    await fill(store, "bob")
    await save(store, replace(user("cy"), created_at=later))
    await save(
        store, replace(user("bob"), revision=50), events=[replace(event("bob", "new"), recorded_at=later, revision=50)]
    )
    assert await store.users_changed_since(later, 9, 2) == ["bob", "cy"]
    assert await store.users_changed_since(later, 1, 2) == ["bob"]
    assert await store.users_changed_since(MONDAY, 9, 2) == ["ada", "bob", "cy"]
    assert await store.users_changed_since(later + timedelta(seconds=1), 9, 2) == []


async def test_users_whom_only_a_new_revision_changed_are_not_found(store: Store) -> None:
    later = MONDAY + timedelta(seconds=1)
    await fill(store, "ada")
    entry = LedgerRow("ada", 51, 0, later, 5, "catalog", "rules", None, None, 2)
    await save(store, replace(user("ada"), revision=51), ledger=[entry])
    assert await store.users_changed_since(later, 9, 2) == []
    assert await store.users_changed_since(later, 9, 3) == ["ada"]


async def test_events_of_some_types_are_read_as_they_counted_at_a_revision(store: Store) -> None:
    rows = [
        replace(event("ada", "one"), revision=1),
        replace(event("ada", "gone"), revision=2, reversed_by=4),
        replace(event("ada", "late"), revision=5),
        replace(event("bob", "other"), revision=1),
        replace(event("cy", "beyond"), revision=1),
    ]
    await save(store, user("ada"), user("bob"), user("cy"), events=rows)
    kind = rows[0].event.type

    read = await store.events_of_types("ada", "bob", [kind, "unknown"], data=True)
    assert sorted(one.id for one in read.active("ada", 3, recording=True)) == ["gone", "one"]
    assert sorted(one.id for one in read.active("ada", 5, recording=True)) == ["late", "one"]
    assert [*read.active("bob", 1, recording=True)] == [rows[3].event]
    assert [*read.active("cy", 1, recording=True)] == []
    assert [one.recorded_at for one in read.active("bob", 1, recording=True)] == [rows[3].recorded_at]

    bare = await store.events_of_types("ada", "cy", [kind], data=False)
    assert [(one.data, one.recorded_at) for one in bare.active("cy", 1, recording=False)] == [(None, None)]
    assert not (await store.events_of_types("ada", "cy", ["unknown"], data=True)).active("ada", 9, recording=True)


async def test_counts_say_how_much_is_stored(store: Store) -> None:
    assert await store.counts() == Counts(0, 0, 0, 0, None)
    await fill(store, "ada")
    await save(store, user("bob"), events=[replace(event("bob", "e"), recorded_at=MONDAY - timedelta(days=1))])
    assert await store.counts() == Counts(users=2, events=2, awards=1, sessions=1, last_recorded_at=MONDAY)


# ---- amnesties and the sandbox's clock ---------------------------------------------------------


def amnesty(name: str, created_at: datetime = MONDAY, group: str | None = None) -> AmnestyRow:
    by = Principal("key", "my-app")
    return AmnestyRow(name, 738_000, 738_001, group, "an outage", "bob", created_at, None, principal=by)


async def test_the_amnesty_count_grows_with_each_one_created_and_each_one_lifted(store: Store) -> None:
    await save(store, user("ada"))
    assert (await store.profile_view("ada", 1)).amnesty_count == 0
    later = amnesty("a1", MONDAY + timedelta(seconds=1), "red")
    await store.add_amnesty(later)
    await store.add_amnesty(amnesty("a2"))
    assert await store.amnesties() == [amnesty("a2"), later]
    assert (await store.profile_view("ada", 1)).amnesty_count == 2
    await store.add_amnesty(amnesty("a2", MONDAY, "blue"))
    assert await store.amnesties() == [amnesty("a2"), later]
    by = Principal("operator", "eve")
    assert await store.lift_amnesty("a2", MONDAY, "eve", "no outage", by) is True
    assert await store.lift_amnesty("a2", MONDAY, "bob", "again") is False
    assert await store.lift_amnesty("never-was", MONDAY) is False
    found = await find(store, "ada")
    whole = await store.user_snapshot("ada")
    assert whole
    lifted = [
        replace(amnesty("a2"), lifted_at=MONDAY, lifted_by="eve", lift_reason="no outage", lift_principal=by),
        later,
    ]
    assert found.amnesties == whole.amnesties == lifted
    assert found.amnesty_count == (await store.profile_view("ada", 1)).amnesty_count == 3


async def test_only_a_sandbox_has_a_clock_of_its_own(store: Store) -> None:
    assert await store.clock_offset() is None
    for offset in (timedelta(days=40, microseconds=1), timedelta(0), timedelta(days=-1)):
        await store.set_clock_offset(offset)
        assert await store.clock_offset() == offset


async def test_of_two_that_move_a_sandboxs_clock_from_the_same_time_one_succeeds(store: Store) -> None:
    day = timedelta(days=1)
    assert await store.move_clock_offset(timedelta(), day) is False
    assert await store.clock_offset() is None
    await store.set_clock_offset(timedelta())
    moved = await asyncio.gather(*(store.move_clock_offset(timedelta(), number * day) for number in (1, 2, 3)))
    assert sorted(moved) == [False, False, True]
    assert await store.clock_offset() == (moved.index(True) + 1) * day


async def test_several_users_are_read_at_once(store: Store) -> None:
    await save(store, user("ada"), user("bob"), user("cyd"))
    found = await store.users(["cyd", "ada", "ada", "nobody", "it's"])
    assert found == {user_id: await store.user(user_id) for user_id in ("ada", "cyd")}
    assert await store.users([]) == {}


# ---- keys and sessions ------------------------------------------------------------------------


def key(name: str, key_hash: bytes, created_at: datetime = MONDAY) -> KeyRow:
    return KeyRow(key_hash, name, "laurels_key_abcd", created_at, None)


async def test_a_key_is_active_until_it_is_revoked(store: Store) -> None:
    await store.add_key(key("backend", b"1"))
    assert await store.active_key(b"1") == key("backend", b"1")
    assert await store.active_key(b"2") is None
    assert await store.revoke_key("backend", MONDAY) is True
    assert await store.revoke_key("backend", MONDAY) is False
    assert await store.active_key(b"1") is None


async def test_what_a_key_may_do_is_stored_with_it(store: Store) -> None:
    of_app = replace(
        key("backend", b"1"),
        scopes=frozenset({"events:write", "users:read"}),
        expires_at=MONDAY,
        addresses=("10.0.0.0/8", "2001:db8::/32"),
    )
    of_operator = replace(key("anna", b"2"), role="viewer")
    for row in (of_app, of_operator):
        await store.add_key(row)
        assert await store.active_key(row.key_hash) == row
    assert [*await store.keys()] == [of_operator, of_app]


async def test_two_active_keys_cannot_have_the_same_name(store: Store) -> None:
    await store.add_key(key("backend", b"1"))
    with pytest.raises(InvalidInput, match="an active key is named 'backend'") as caught:
        await store.add_key(key("backend", b"2"))
    assert caught.value.field == "name"
    await store.revoke_key("backend", MONDAY)
    await store.add_key(key("backend", b"2", MONDAY + timedelta(days=1)))
    assert [(row.key_hash, row.revoked_at) for row in await store.keys()] == [(b"1", MONDAY), (b"2", None)]


async def test_keys_are_listed_oldest_first(store: Store) -> None:
    rows = [key(f"k{i}", bytes([i]), MONDAY - timedelta(days=i)) for i in range(3)]
    for row in rows:
        await store.add_key(row)
    assert await store.keys() == rows[::-1]


async def test_a_key_is_found_by_its_hash_after_it_was_revoked_too(store: Store) -> None:
    rows = [KeyRow(name.encode(), name, "laurels_key_abcd", MONDAY, None) for name in ("one", "two")]
    for row in rows:
        await store.add_key(row)
    await store.revoke_key("two", MONDAY)
    found = [await store.any_key(name) for name in (b"one", b"two", b"three")]
    assert found == [rows[0], replace(rows[1], revoked_at=MONDAY), None]
    assert await store.active_key(b"two") is None


async def test_a_session_is_valid_until_it_expires_or_ends(store: Store) -> None:
    await save(store, user("ada"), user("bob"))
    end = MONDAY + timedelta(days=1)
    await store.add_session("ada", b"t", MONDAY, end)
    assert await store.has_session("ada", b"t", end - timedelta(microseconds=1))
    assert not await store.has_session("ada", b"t", end)
    assert not await store.has_session("bob", b"t", MONDAY)
    assert not await store.has_session("ada", b"x", MONDAY)
    for _ in range(2):
        await store.end_session("ada", b"t")
    assert not await store.has_session("ada", b"t", MONDAY)


async def test_valid_sessions_are_found_among_hundreds_of_hashes_of_any_user(store: Store) -> None:
    await save(store, user("ada"), user("bob"))
    end = MONDAY + timedelta(days=1)
    for name, token in (("ada", b"a"), ("bob", b"b"), ("ada", b"old")):
        await store.add_session(name, token, MONDAY, MONDAY if token == b"old" else end)
    junk = [(name, b"junk-%d" % number) for number in range(100) for name in ("ada", "eve", "")]
    asked = [*junk, ("bob", b"b"), ("ada", b"old"), ("ada", b"b"), ("bob", b"a"), ("ada", b"a"), *junk]
    assert await store.valid_sessions(asked, MONDAY) == [("bob", b"b"), ("ada", b"a")]
    assert await store.valid_sessions(asked, end) == await store.valid_sessions([], MONDAY) == []


async def test_a_new_session_drops_the_users_expired_ones(store: Store) -> None:
    await save(store, user("ada"), user("bob"))
    for name in ("ada", "bob"):
        await store.add_session(name, b"old", MONDAY, MONDAY + timedelta(days=1))
    await store.add_session("ada", b"new", MONDAY + timedelta(days=1), MONDAY + timedelta(days=9))
    left = {(name, bytes(token)) for name, token in await sql(store, "SELECT user_id, token_hash FROM sessions")}
    assert left == {("ada", b"new"), ("bob", b"old")}


async def test_a_session_needs_a_user(store: Store) -> None:
    with pytest.raises(UserNotFound):
        await store.add_session("nobody", b"t", MONDAY, MONDAY + timedelta(days=1))


async def test_the_sessions_of_a_user_are_listed_and_ended(store: Store) -> None:
    await save(store, user("ada"), user("bob"))
    day = timedelta(days=1)
    for number, name in enumerate(("ada", "ada", "ada", "bob")):
        await store.add_session(name, b"%d" % number, MONDAY + number * day, MONDAY + (9 - number) * day)
    late = MONDAY + 7 * day  # the third has expired

    assert [row.token_hash for row in await store.sessions("ada", late, 9)] == [b"1", b"0"]
    assert await store.sessions("ada", MONDAY, 1) == [SessionRow(b"2", MONDAY + 2 * day, MONDAY + 7 * day)]
    note = AuditRow("A1", MONDAY, "user.signed_out", LIBRARY.principal, "user", "ada", {"reason": "r"})
    assert await store.end_sessions("ada", late, b"0", note) == 1
    assert await store.end_sessions("ada", late, b"0", replace(note, audit_id="A2")) == 0
    assert await store.end_sessions("ada", late, None, replace(note, audit_id="A3")) == 1
    assert await store.end_sessions("ada", late, None) == 0
    assert [(row.audit_id, row.detail) for row in await store.audit(9)] == [
        ("A3", {"reason": "r", "sessions": 1}),
        ("A1", {"reason": "r", "sessions": 1}),
    ]
    assert await store.has_session("bob", b"3", MONDAY)
    with pytest.raises(UserNotFound):
        await store.end_sessions("unknown", MONDAY)


async def operator_session(store: Store, token: bytes = b"t", key: str = "anna", at: datetime = MONDAY) -> None:
    """A session of the console that begins at this time and lasts an hour."""
    await store.add_operator_session(OperatorSessionRow(token, key.encode(), at, at, at + timedelta(hours=1)))


async def test_a_session_of_the_console_lasts_until_it_ends(store: Store) -> None:
    anna = KeyRow(b"anna", "anna", "laurels_admin_abcd", MONDAY, None)
    await store.add_key(anna)
    await operator_session(store)
    expected = OperatorSession(b"t", b"anna", anna, MONDAY, MONDAY, MONDAY + timedelta(hours=1))
    assert await store.operator_sessions([b"t", b"t", b"x"]) == [expected]
    assert await store.operator_sessions([b"x"]) == await store.operator_sessions([]) == []
    for _ in range(2):
        await store.end_operator_session(b"t")
    assert await store.operator_sessions([b"t"]) == []


async def test_a_session_of_the_console_has_its_key_while_that_is_active(store: Store) -> None:
    await operator_session(store)
    assert [found.key for found in await store.operator_sessions([b"t"])] == [None]
    await store.add_key(KeyRow(b"anna", "anna", "laurels_admin_abcd", MONDAY, None))
    assert [found.key and found.key.name for found in await store.operator_sessions([b"t"])] == ["anna"]
    await store.revoke_key("anna", MONDAY)
    assert [found.key for found in await store.operator_sessions([b"t"])] == [None]


async def test_sessions_of_the_console_are_found_among_hundreds_of_hashes(store: Store) -> None:
    for token in (b"t", b"u"):
        await operator_session(store, token)
    junk = [b"junk-%d" % number for number in range(200)]
    assert {found.token_hash for found in await store.operator_sessions([*junk, b"t", *junk, b"u"])} == {b"t", b"u"}


async def test_a_session_of_the_console_is_seen_and_time_does_not_run_back(store: Store) -> None:
    await operator_session(store)
    for minutes in (10, 5):
        await store.operator_seen(b"t", MONDAY + timedelta(minutes=minutes))
    await store.operator_seen(b"x", MONDAY)
    (found,) = await store.operator_sessions([b"t"])
    assert found.last_seen_at == MONDAY + timedelta(minutes=10)


async def test_a_new_session_of_the_console_drops_the_expired_ones(store: Store) -> None:
    for hours, token in enumerate((b"1", b"2", b"3")):
        await operator_session(store, token, at=MONDAY + timedelta(minutes=30 * hours))
    left = await sql(store, "SELECT token_hash FROM operator_sessions")
    assert {bytes(token) for (token,) in left} == {b"2", b"3"}


FACTOR = SecondFactorRow(b"anna", b"hidden", 7, b"h" * 320, 0, None, MONDAY)
ADDED = AuditRow("F1", MONDAY, "key.second_factor_added", LIBRARY.principal, "key", "anna")
REMOVED = AuditRow("F2", MONDAY, "key.second_factor_removed", LIBRARY.principal, "key", "anna")


async def test_a_second_factor_is_stored_changed_in_its_version_alone_and_removed(store: Store) -> None:
    assert await store.second_factor(b"anna") is None
    assert await store.add_second_factor(FACTOR, b"t", ADDED)
    assert not await store.add_second_factor(replace(FACTOR, secret=b"other"), b"u", replace(ADDED, audit_id="F3"))
    assert await store.second_factor(b"anna") == FACTOR
    assert [*map(bytes, await store.keys_with_second_factor())] == [b"anna"]
    used = replace(FACTOR, last_step=8, recovery=b"", failed=2, failed_at=MONDAY)
    assert await store.change_second_factor(used)
    assert not await store.change_second_factor(replace(used, failed=0))
    assert await store.second_factor(b"anna") == replace(used, version=1)
    assert await store.remove_second_factor(b"anna", REMOVED)
    assert not await store.remove_second_factor(b"anna", replace(REMOVED, audit_id="F4"))
    assert await store.second_factor(b"anna") is None
    assert await store.keys_with_second_factor() == []
    assert {row.audit_id for row in await store.audit(9)} == {"F1", "F2"}


async def test_of_two_who_change_a_second_factor_at_the_same_time_one_does(store: Store) -> None:
    await store.add_second_factor(FACTOR, b"t", ADDED)
    changes = [replace(FACTOR, last_step=step) for step in range(8, 16)]
    assert sorted(await asyncio.gather(*map(store.change_second_factor, changes))) == [False] * 7 + [True]


async def test_a_second_factor_marks_the_session_that_added_it_and_ends_all_when_removed(store: Store) -> None:
    await store.add_key(KeyRow(b"anna", "anna", "laurels_admin_abcd", MONDAY, None))
    for token in (b"t", b"u"):
        await operator_session(store, token)
    await operator_session(store, b"other", "bob")
    await store.add_second_factor(FACTOR, b"t", ADDED)
    found = {one.token_hash: one for one in await store.operator_sessions([b"t", b"u", b"other"])}
    assert [(found[token].second_factor, found[token].needs_factor) for token in (b"t", b"u", b"other")] == [
        (True, True), (False, True), (False, False)
    ]  # fmt: skip
    await store.remove_second_factor(b"anna", REMOVED)
    assert [one.token_hash for one in await store.operator_sessions([b"t", b"u", b"other"])] == [b"other"]


async def test_the_tables_are_those_that_the_tests_know(store: Store) -> None:
    assert await tables(store) == [
        "adjustments",
        "amnesties",
        "api_keys",
        "audit",
        "awards",
        "board_rules",
        "catalog_revisions",
        "closings",
        "events",
        "former_states",
        "ledger",
        "maintenance_runs",
        "migrations",
        "operator_sessions",
        "outbox",
        "sandbox",
        "second_factors",
        "secrets",
        "sessions",
        "standings",
        "supplies",
        "tallies",
        "tombstones",
        "unfinished_erasures",
        "users",
    ]


# ---- long histories ---------------------------------------------------------------------------


async def test_a_history_longer_than_the_limit_is_named_and_not_loaded(store: Store) -> None:
    await fill(store, "ada")
    snapshot = await store.user_snapshot("ada")
    assert snapshot is not None
    request = LoadRequest(frozenset({"ada"}), frozenset(), RULES, in_full=frozenset({"ada"}))

    whole = await store.load(replace(request, longest=snapshot.user.revision))
    short = await store.load(replace(request, longest=snapshot.user.revision - 1))
    row_only = await store.load(replace(request, longest=0, in_full=frozenset()))

    assert (whole.histories["ada"], whole.long) == (snapshot.events, frozenset())
    assert (whole.ledgers["ada"], whole.awards["ada"]) == (snapshot.ledger, snapshot.awards)
    assert whole.standings["ada"] == snapshot.standings == await store.standings_of("ada")
    assert (short.histories, short.long, short.users) == ({}, {"ada"}, whole.users)
    assert (row_only.histories, row_only.long) == ({}, frozenset())


async def test_loading_locks_nothing_and_knows_who_was_erased(store: Store) -> None:
    await fill(store, "ada")
    await save(store, erased=[(FORGOTTEN, MONDAY)])
    request = LoadRequest(frozenset({"ada", FORGOTTEN, "new"}), frozenset(), RULES)

    loaded = await store.load(request)

    assert (loaded.users.keys(), loaded.erased) == ({"ada"}, {FORGOTTEN})
    assert await store.standings_of("new") == {}
