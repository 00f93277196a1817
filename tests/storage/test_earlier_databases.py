"""Databases that earlier versions made (tests/fixtures/databases): after migrating, everything is read as it was before."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from laurels.auth.scopes import ALL
from laurels.engine.catalog import Catalog
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.codec import to_micros
from laurels.storage.contract import NOT_STARTED, Store
from tests.storage.readings import read_again
from tests.support import contents, run_script, sql

FOLDER = Path(__file__).parents[1] / "fixtures/databases/0001-before-adjustments"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
CATALOG = Catalog.parse((FOLDER / "catalog.toml").read_text("utf-8"))
DUMPS = {"sqlite-file": "sqlite.sql", "postgresql": "postgresql.sql"}

RENAMED_FIELDS = {"undoing": "undo", "act": "adjustment"}
"""Fields that were renamed since these readings were made, and nothing else about them."""

RENAMED_KINDS = {"adjustment": "points"}
"""The same for kinds of adjustments."""

REWORDED = {
    "by an act of an admin, or by a change of rules": "by an adjustment, or by a change of the rules",
    "and 2 more days in a row to earn Steady": "and 2 more weeks in a row to earn Steady",
    "and 1 more day in a row to earn Steady": "and 1 more week in a row to earn Steady",
    "2 days in a row": "2 weeks in a row",
}
"""Parts of sentences that say the same in other words."""

NEW_FIELDS = {"categories", "neededDays", "doneDays", "previous", "earnedAt", "principal", "liftPrincipal"}
"""Fields that answers did not have."""

NO_LONGER_READ = {"signedOut"}
"""Sessions of the console were cookies signed by the database, and those that had ended were stored; none is valid today."""

RENAMED_TABLES = {"acts": "adjustments", "upkeep": "maintenance_runs"}

MORE_COLUMNS = {
    "awards": (None,),
    "ledger": (None,),
    "users": (None, None),
    "closings": (None, None, None),
    "acts": (None, None, None, None),
    "amnesties": (None, None, None, None),
}
"""What migrating adds to each row."""

Row = tuple[Any, ...]

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", DUMPS)]


def renamed(reading: Any) -> Any:
    """An earlier reading with the names of today."""
    if isinstance(reading, dict):
        return {
            RENAMED_FIELDS.get(name, name): RENAMED_KINDS.get(value, value) if name == "kind" else renamed(value)
            for name, value in reading.items()
        }
    if isinstance(reading, list):
        return [renamed(one) for one in reading]
    if isinstance(reading, str):
        for before, after in REWORDED.items():
            reading = reading.replace(before, after)
    return reading


def without_new_fields(reading: Any, around: bool = False) -> Any:
    """A reading without fields of leaderboards that came later, such as `previous`, and `next` of the lines around a user."""
    if isinstance(reading, dict):
        new = (
            {*NEW_FIELDS, "rankedTeams", "meHidden"}
            | ({"next"} if around else set())
            | ({"name"} & reading.keys() if "team" in reading else set())
            | ({"title"} & reading.keys() if "freezes" in reading else set())
        )
        return {
            name: without_new_fields(value, around or name in {"around", "aroundMe"})
            for name, value in reading.items()
            if name not in new
        }
    if isinstance(reading, list):
        return [without_new_fields(one, around) for one in reading]
    return reading


def count_the_current_run(users: dict[str, Any]) -> None:
    """The check of a streak counted an ended run too, and so differed from its sentence, which was right."""
    for user in users.values():
        for explanation in user["explanations"]:
            missing = re.match(r"(\d+) more days in a row to earn Week Warrior", explanation["sentence"])
            if missing:
                (check,) = explanation["checks"]
                check["current"] = check["target"] - int(missing[1])


EXCLUSIONS = {"gus": 4, "hal": 5}
"""The revisions at which users were excluded from leaderboards: their own history no longer has them."""


def leave_out_exclusions(users: dict[str, Any]) -> None:
    """Take them out of the histories in profiles."""
    for user_id, revision in EXCLUSIONS.items():
        users[user_id]["profile"]["history"]["entries"].remove(revision)


HIDDEN_MEMBER, SCORE = "cyd", 22
"""A hidden user who counted for a team, in two periods that are open."""

OPEN = {"teams": "2026-02", "team_mean": "2026 February"}
"""The open periods of the leaderboards of teams. Closed ones stay as they are."""


def leave_out_hidden_members(boards: dict[str, Any]) -> None:
    """Take the hidden member out of the totals in open periods."""
    for board, period in OPEN.items():
        of_period = boards[board]["periods"][period]
        for page in (*of_period["pages"], of_period["me"]):
            page["rankedUsers"] -= 1
            team = next(one for one in page["teams"] if one["team"] == "team:blue")
            team |= {"total": team["total"] - SCORE, "members": team["members"] - 1}
            team["score"] = float(team["total"] / (team["members"] if board == "team_mean" else 1))


def of_open_team(row: tuple[Any, ...]) -> bool:
    """Whether a tally is one of those that a hidden member changed."""
    return any(f"{board}/team/team:blue" in row and period in row for board, period in OPEN.items())


@pytest.fixture
async def earlier(engine: str, database: str) -> AsyncIterator[Store]:
    """A store on a database as the earlier version left it, not migrated."""
    store = open_store(database)
    await run_script(store, (FOLDER / DUMPS[engine]).read_text("utf-8"))
    yield store
    await store.close()


def test_the_catalog_has_the_fingerprint_that_the_stored_progress_was_made_under(engine: str) -> None:
    assert CATALOG.rules == "0134fb00ab5948b4"


async def test_every_reading_is_as_before_and_writes_nothing(earlier: Store) -> None:
    await earlier.migrate()
    app = Laurels(earlier, CATALOG, clock=lambda: datetime.fromisoformat(EXPECTED["now"]))
    before = await contents(earlier)
    found = await read_again(app, EXPECTED)
    assert found.keys() == EXPECTED.keys() - NO_LONGER_READ
    for section in found:
        today = renamed(EXPECTED[section])
        if section == "users":
            count_the_current_run(today)
            leave_out_exclusions(today)
        if section == "leaderboards":
            leave_out_hidden_members(today)
        assert without_new_fields(found[section]) == without_new_fields(today), section
    assert await contents(earlier) == before
    assert found["verify"]["wrongTallies"] == 0
    assert [one["differences"] for one in found["users"].values()] == [[]] * 14


def of_key(row: Row) -> Row:
    """What an API key may do that could do everything, or an admin key."""
    return ("", "owner", None, "") if row[2].startswith("laurels_admin_") else (" ".join(sorted(ALL)), "", None, "")


async def test_migrating_renames_and_changes_no_other_value(earlier: Store) -> None:
    before = await contents(earlier)
    await earlier.migrate()
    after = await contents(earlier)
    ran = {name for name, *_ in after.pop("migrations")} - {name for name, *_ in before.pop("migrations")}
    assert ran
    for table in (
        "catalog_revisions",
        "board_rules",
        "operator_sessions",
        "second_factors",
        "unfinished_erasures",
        "audit",
        "supplies",
        "former_states",
    ):
        assert after.pop(table) == []
    after["maintenance_runs"].remove(("first_former_state", to_micros(NOT_STARTED), "{}"))
    assert before.pop("signed_out")
    assert after.keys() == {RENAMED_TABLES.get(table, table) for table in before}
    of_points = {tuple(row) for row in before["acts"] if "adjustment" in row}
    assert len(of_points) == 3
    before["acts"] = sorted(
        (tuple("points" if value == "adjustment" else value for value in row) for row in before["acts"]), key=repr
    )
    before["api_keys"] = sorted(((*row, None, *of_key(row)) for row in before["api_keys"]), key=repr)
    before["standings"] = [row for row in before["standings"] if row[0] != HIDDEN_MEMBER or not of_open_team(row)]
    for contained in (before, after):  # that they add up is in test_hidden_members.py
        contained["tallies"] = [row for row in contained["tallies"] if not of_open_team(row)]
    for table, rows in before.items():
        new = MORE_COLUMNS.get(table, ())
        assert after[RENAMED_TABLES.get(table, table)] == sorted([(*row, *new) for row in rows], key=repr), table


async def test_migrating_again_does_nothing(earlier: Store) -> None:
    assert await earlier.migrate()
    before = await contents(earlier)
    assert await earlier.migrate() == []
    await earlier.ready()
    assert await contents(earlier) == before


async def test_the_migrations_that_had_run_count_as_unsafe_for_older_processes(earlier: Store) -> None:
    known = [name for (name,) in await sql(earlier, "SELECT name FROM migrations")]
    await earlier.migrate()
    marks = dict(await sql(earlier, "SELECT name, mark FROM migrations"))
    assert {marks[name] for name in known} == {"post"}
