"""Commands on a unit of work: without a store, because it only has rows and what is to be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from laurels.commands.context import DecisionContext
from laurels.commands.erasing import EraseUser
from laurels.commands.events import RecordEvent
from laurels.commands.unit_of_work import Command, UnitOfWork
from laurels.commands.users import RebuildUser, RefreshUser, UpdateUser
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.ranking import Place
from laurels.errors import EventConflict, EventTooLate, InvalidInput, LaurelsError, UserErased
from laurels.storage.contract import Changes, EventRow, Loaded, UserRow
from tests.support import MONDAY, at, badge, catalog, count

CONTEXT = DecisionContext(Catalog.default())
NOTHING_FOUND = Loaded({}, {}, frozenset())


def record(name: str = "e", user: str = "ada", **more: object) -> RecordEvent:
    return RecordEvent(Event(user, name, "message.sent", quantity=100, **more), MONDAY)  # type: ignore[arg-type]


def done(found: Loaded, *commands: Command, context: DecisionContext = CONTEXT) -> tuple[list[object], Changes]:
    """The answers of these commands in one transaction, and what it writes."""
    work = UnitOfWork(context, found)
    answers: list[object] = []
    for command in commands:
        try:
            answers.append(command.apply(work))
        except LaurelsError as error:
            answers.append(error)
    return answers, work.changes()


def found_after(changes: Changes) -> Loaded:
    """What a transaction finds after these changes were saved."""
    users = {row.user_id: row for row in changes.users}
    events = {(row.event.user_id, row.event.id): row for row in changes.events}
    histories: dict[str, list[EventRow]] = {name: [] for name in users}
    for (user_id, _), row in events.items():
        histories[user_id].append(row)
    ledgers = {name: [row for row in changes.ledger if row.user_id == name] for name in users}
    return Loaded(users, events, frozenset(), histories=histories, ledgers=ledgers)


def test_an_event_writes_its_user_its_rows_and_its_move() -> None:
    (answer,), changes = done(NOTHING_FOUND, record())
    (user,), (event,), (award,), (entry,) = changes.users, changes.events, changes.awards, changes.ledger
    assert (user.revision, user.progress.points, user.created_at) == (1, 100, MONDAY)
    assert (event.revision, award.revision, entry.revision) == (1, 1, 1)
    assert (award.event_id, entry.event_id, entry.amount) == ("e", "e", 100)
    assert [one.type for one in changes.notifications] == ["badge.earned", "level.reached"]
    assert {(move.board, move.period) for move in changes.moves} == {
        ("points", "all"),
        ("weekly", "2026-W02"),
        ("monthly", "2026-01"),
    }
    assert {(move.user_id, move.before) for move in changes.moves} == {("ada", None)}
    assert {move.after.sort_key for move in changes.moves if move.after} == {-100}
    assert answer


def test_the_same_rows_always_give_the_same_changes() -> None:
    _, before = done(NOTHING_FOUND, record())
    found = found_after(before)
    commands = [
        record("e"),
        record("f"),
        record("g", "bob"),
        UpdateUser("ada", MONDAY, name="Ada"),
        EraseUser("eve", MONDAY),
    ]
    assert repr(done(found, *commands)) == repr(done(found, *commands))


def test_commands_for_one_user_follow_each_other_in_one_transaction() -> None:
    _, changes = done(NOTHING_FOUND, record("e"), record("f"), UpdateUser("ada", MONDAY, name="Ada"))
    (user,) = changes.users
    assert (user.revision, user.name, user.progress.totals) == (3, "Ada", {"messages": 200})
    assert [row.revision for row in changes.events] == [1, 2]


@pytest.mark.parametrize(
    "command",
    [
        record(occurred_at=MONDAY - timedelta(days=31)),
        record(occurred_at=MONDAY + timedelta(days=1)),
        UpdateUser("ada", MONDAY, time_zone="Mars/Phobos"),
    ],
)
def test_a_refused_command_changes_nothing(command: Command) -> None:
    (answer,), changes = done(NOTHING_FOUND, command)
    assert isinstance(answer, (EventTooLate, InvalidInput))
    assert changes == Changes()


def test_a_conflict_changes_nothing() -> None:
    _, before = done(NOTHING_FOUND, record())
    (answer,), changes = done(found_after(before), record(data={"x": 1}))
    assert isinstance(answer, EventConflict)
    assert changes == Changes()


def test_a_duplicate_writes_nothing() -> None:
    _, before = done(NOTHING_FOUND, record())
    _, changes = done(found_after(before), record())
    assert changes == Changes()


def test_erasing_removes_what_its_transaction_recorded_and_refuses_what_follows() -> None:
    _, before = done(NOTHING_FOUND, record("d"))
    found = found_after(before)
    earning = RecordEvent(Event("ada", "e", "agent.created"), MONDAY)
    answers, changes = done(found, earning, EraseUser("ada", MONDAY), record("f"), record("d"), record("x", "bob"))
    assert [type(answer) for answer in answers[2:4]] == [UserErased, UserErased]
    assert changes.erased == [("ada", MONDAY)]
    assert {row.user_id for row in (*changes.users, *changes.awards, *changes.ledger, *changes.notifications)} == {
        "bob"
    }
    assert [row.event.user_id for row in changes.events] == ["bob"]
    assert {move.user_id for move in changes.moves} == {
        "bob"
    }  # the store removes the erased user from all leaderboards


def test_commands_for_an_erased_user_are_refused() -> None:
    erased = replace(NOTHING_FOUND, erased=frozenset({"ada"}))
    answers, changes = done(erased, record(), UpdateUser("ada", MONDAY, name="Ada"), RefreshUser("ada", MONDAY))
    assert [type(answer) for answer in answers] == [UserErased] * 3
    assert changes == Changes()


MADE = catalog(metrics={"m": count("message.sent")}, badges=[badge("b", 30, metric="m", at_least=2)])


@pytest.mark.parametrize(
    "command",
    [
        lambda: RefreshUser("ada", MONDAY),
        lambda: UpdateUser("ada", MONDAY),
        lambda: record("e"),
        lambda: record("g"),
    ],
)
def test_any_first_command_brings_a_user_under_the_rules_in_force(command: Callable[[], Command]) -> None:
    _, before = done(NOTHING_FOUND, record("e"), record("f"))
    context = DecisionContext(MADE)
    _, changes = done(found_after(before), command(), context=context)
    (user,) = changes.users
    assert (user.rules, user.progress.badges) == (MADE.rules, {"message_100": 100, "b": 30})
    assert user.progress.points == 130
    assert sum(row.amount for row in changes.ledger) == 30


def test_a_user_already_under_the_rules_in_force_is_not_written_again() -> None:
    _, before = done(NOTHING_FOUND, record())
    answers, changes = done(found_after(before), RefreshUser("ada", MONDAY), UpdateUser("ada", MONDAY))
    assert isinstance(answers[1], UserRow)
    assert changes == Changes()


def test_a_new_user_has_the_default_zone_of_the_settings() -> None:
    _, changes = done(NOTHING_FOUND, UpdateUser("ada", MONDAY), context=replace(CONTEXT, default_zone="Asia/Tokyo"))
    assert changes.users[0].progress.zones.at(MONDAY) == "Asia/Tokyo"


# ---- leaderboards -----------------------------------------------------------------------------

OF_A_DAY = {"id": "d", "by": "metric", "of": "m", "period": "day", "late_hours": 0}
DAILY = DecisionContext(catalog(metrics={"m": count("a")}, leaderboards=[OF_A_DAY]))


def test_an_event_before_the_end_of_a_period_counts_in_it_even_if_its_transaction_ends_later() -> None:
    midnight = at("2026-01-06")
    instants = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(seconds=2)]
    commands = [
        RecordEvent(Event(user, f"e{n}", "a"), now) for n, now in enumerate(instants) for user in ("ada", "bob")
    ]
    _, changes = done(NOTHING_FOUND, commands[0], *commands[2:], context=DAILY)
    scores = {(move.user_id, move.period): move.after.sort_key for move in changes.moves if move.after}
    assert scores == {("ada", "2026-01-05"): -1, ("ada", "2026-01-06"): -2, ("bob", "2026-01-06"): -2}
    assert {move.period for move in changes.moves if move.late} == {"2026-01-05"}


def test_a_user_rebuilt_and_erased_in_one_transaction_is_on_no_leaderboard() -> None:
    _, before = done(NOTHING_FOUND, record())
    found = replace(found_after(before), standings={"ada": {("stale", "all"): Place(-1, 0, "ada")}})
    _, kept = done(found, RebuildUser("ada", MONDAY))
    assert ("stale", None) in [(move.board, move.after) for move in kept.moves]
    _, changes = done(found, RebuildUser("ada", MONDAY), EraseUser("ada", MONDAY))
    assert (changes.moves, changes.erased) == ([], [("ada", MONDAY)])


def test_an_event_written_after_a_later_one_still_counts_in_its_own_period() -> None:
    midnight = at("2026-01-06")
    before, after = midnight - timedelta(milliseconds=5), midnight + timedelta(milliseconds=5)
    order = [before, after, before, after, before]
    commands = [RecordEvent(Event("ada", f"e{number}", "a"), now) for number, now in enumerate(order)]
    together = done(NOTHING_FOUND, *commands, context=DAILY)[1]
    assert {(move.period, move.after.sort_key) for move in together.moves if move.after} == {
        ("2026-01-05", -3),
        ("2026-01-06", -2),
    }
    found, scores = NOTHING_FOUND, dict[str, int]()
    for command in commands:  # each in a transaction of its own
        changes = done(found, command, context=DAILY)[1]
        scores |= {move.period: move.after.sort_key for move in changes.moves if move.after}
        assert all(move.after for move in changes.moves)
        found = found_after(changes)
    assert scores == {"2026-01-05": -3, "2026-01-06": -2}
