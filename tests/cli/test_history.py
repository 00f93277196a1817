"""The commands that repair a history: each does what it says, says what it did, and ends with the right code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from laurels.cli import run
from laurels.cli.doctor import gaps
from laurels.service.opening import command_line
from tests.support.files import opened


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Laurel:
    """Runs commands in this process on one database, without settings from outside."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def record(self, *events: dict[str, Any]) -> None:
        lines = "".join(json.dumps({"userId": "ada", "type": "login", **event}) + "\n" for event in events)
        file = self.folder / "events.jsonl"
        file.write_text(lines)
        assert self("record", file).code == 0

    @contextmanager
    def sql(self) -> Iterator[apsw.Connection]:
        with opened(self.folder / "laurels.db") as connection:
            yield connection


@pytest.fixture
def laurels(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Laurel:
    """A sandbox on 1 March 2026, 09:00 UTC, where ada sent 100 messages and came on 26 and 27 February and today."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LAURELS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "operator")
    laurels = Laurel(tmp_path, capsys)
    assert laurels("clock", "set", "2026-03-01T09:00:00Z").code == 0
    laurels.record(
        {"id": "messages", "type": "message.sent", "quantity": 100},
        {"id": "login-1", "occurredAt": "2026-02-26T10:00:00Z"},
        {"id": "login-2", "occurredAt": "2026-02-27T10:00:00Z"},
        {"id": "login-3"},
    )
    return laurels


def points(laurels: Laurel) -> int:
    return laurels("user", "show", "ada", "--json").json["profile"]["points"]


def streak(laurels: Laurel) -> dict[str, Any]:
    return laurels("explain", "ada", "--streak", "login", "--json").json


# ---- explain ----------------------------------------------------------------------------------


def test_an_earned_badge_is_explained_by_its_event(laurels: Laurel) -> None:
    said = laurels("explain", "ada", "message_100")
    shape = laurels("explain", "ada", "message_100", "--json").json

    assert "was earned on 2026-03-01 with the event messages: 100 messages" in said.out
    assert (shape["earned"], shape["event"]["id"]) == (True, "messages")


def test_a_missing_badge_is_explained_by_what_is_missing(laurels: Laurel) -> None:
    said = laurels("explain", "ada", "message_1000")

    assert "900 more messages to earn" in said.out
    assert "1,000 messages" in said.out


def test_a_streak_is_explained_day_by_day(laurels: Laurel) -> None:
    said = laurels("explain", "ada", "--streak", "login")

    assert "is 1 day long, since 2026-03-01" in said.out
    assert "without another event it ends 2026-03-03 00:00 (UTC)" in said.out
    assert "Sat 2026-02-28  missed" in said.out
    assert [day["why"] for day in streak(laurels)["days"]] == ["credited", "missed", "credited", "credited"]


def test_a_streak_that_ended_says_by_which_day(laurels: Laurel) -> None:
    laurels("clock", "advance", "--days", 4)

    assert "2026-03-02 closed without an event" in laurels("explain", "ada", "--streak", "login").out


def test_the_streak_of_a_user_without_events(laurels: Laurel) -> None:
    laurels.record({"userId": "bob", "id": "m", "type": "message.sent"})

    assert "has not begun" in laurels("explain", "bob", "--streak", "login").out


@pytest.mark.parametrize(
    ("excuse", "why"),
    [
        (["amnesty", "add", "--from", "2026-02-28", "--to", "2026-02-28", "--reason", "our outage"], "our outage"),
        (["user", "repair", "ada", "login", "2026-02-28", "--reason", "sorry"], "the gap was repaired"),
        (
            ["user", "pause", "ada", "", "--from", "2026-02-28", "--to", "2026-02-28", "--reason", "ill"],
            "a pause covers it",
        ),
    ],
)
def test_an_excused_day_says_by_what(laurels: Laurel, excuse: list[str], why: str) -> None:
    assert laurels(*excuse).code == 0

    assert streak(laurels)["length"] == 3
    assert why in laurels("explain", "ada", "--streak", "login").out


def test_a_correction_of_the_zone_is_applied_refused_and_undone(laurels: Laurel) -> None:
    correct = ["user", "zone", "ada", "Asia/Tokyo", "--from", "2026-02-27", "--reason", "on a journey", "--id", "c-1"]
    refused = laurels(*correct, "--to", "2026-02-26")
    assert (refused.code, "must not be before 'first'" in refused.err) == (2, True)

    assert "timeZone, ada, id c-1" in laurels(*correct, "--to", "2026-02-28").out
    assert "Undone" in laurels("user", "undo", "ada", "c-1").out


def test_explain_needs_a_badge_or_a_streak(laurels: Laurel) -> None:
    assert laurels("explain", "ada").code == 2
    assert laurels("explain", "ada", "message_100", "--streak", "login").code == 2


# ---- acts -------------------------------------------------------------------------------------


def test_a_grant_counts_once_under_its_id_and_can_be_undone(laurels: Laurel) -> None:
    grant = ("user", "grant", "ada", "early_adopter", "--reason", "our conference", "--id", "grant-1")
    first, again = laurels(*grant, "--json").json, laurels(*grant, "--json").json

    assert (first["status"], first["points"]) == ("applied", {"before": 100, "after": 600})
    assert first["actor"] == "operator"
    assert again["status"] == "duplicate"
    assert laurels("user", "undo", "ada", "grant-1", "--json").json["revoked"] == ["early_adopter"]
    assert points(laurels) == 100


def test_ids_are_new_where_none_is_given(laurels: Laurel) -> None:
    for _ in range(2):
        laurels("user", "adjust", "ada", 50, "--reason", "a gift", "--actor", "grace")

    assert points(laurels) == 200


def test_points_can_be_taken_away_and_never_more_than_there_are(laurels: Laurel) -> None:
    said = laurels("user", "adjust", "ada", "-30", "--reason", "paid twice")

    assert "points   100 → 70" in said.out
    assert laurels("user", "adjust", "ada", "-71", "--reason", "too much").code == 1
    spent = laurels("user", "adjust", "ada", 20, "--spend", "--reason", "a sticker", "--id", "order")
    assert "balance  70 → 50" in spent.out
    assert "50 to spend" in laurels("user", "show", "ada").out
    assert laurels("user", "adjust", "ada", 51, "--spend", "--reason", "a cup").code == 1
    assert laurels("user", "undo", "ada", "order", "--json").json["balance"] == {"before": 50, "after": 70}
    assert "to spend" not in laurels("user", "show", "ada").out
    assert points(laurels) == 70


def test_a_revoked_badge_is_not_awarded_again(laurels: Laurel) -> None:
    laurels("user", "revoke", "ada", "message_100", "--reason", "bought")
    laurels.record({"id": "more", "type": "message.sent", "quantity": 5})

    assert points(laurels) == 0
    assert "was revoked" in laurels("explain", "ada", "message_100").out


def test_a_reversal_takes_back_all_that_followed(laurels: Laurel) -> None:
    reverse = ("user", "reverse", "ada", "messages", "--reason", "by a script")

    assert laurels(*reverse, "--json").json["revoked"] == ["message_100"]
    assert laurels(*reverse, "--json").json["status"] == "duplicate"
    assert points(laurels) == 0
    assert laurels("user", "undo", "ada", "reversal:messages").code == 0
    assert points(laurels) == 100


def test_an_excluded_user_is_on_no_leaderboard_until_it_is_undone(laurels: Laurel) -> None:
    assert laurels("user", "exclude", "ada", "--reason", "points from a script", "--id", "fraud").code == 0

    assert laurels("leaderboard", "--json").json["rankedUsers"] == 0
    assert points(laurels) == 100
    assert laurels("user", "undo", "ada", "fraud").code == 0
    assert laurels("leaderboard", "--json").json["standings"][0]["userId"] == "ada"


def test_freezes_cover_days_to_come(laurels: Laurel) -> None:
    laurels("user", "freeze", "ada", "login", 2, "--reason", "a gift")
    laurels("clock", "advance", "--days", 3)

    assert (streak(laurels)["status"], streak(laurels)["freezes"]) == ("frozen", 0)
    assert "a freeze covered it" in laurels("explain", "ada", "--streak", "login").out


def test_the_history_shows_events_and_adjustments_with_actor_and_reason(laurels: Laurel) -> None:
    laurels("user", "grant", "ada", "early_adopter", "--reason", "our conference", "--actor", "grace", "--id", "g")
    laurels("user", "undo", "ada", "g")

    said = laurels("user", "history", "ada")
    by = command_line().name
    assert f"grant early_adopter, by {by} for grace: our conference; undone" in " ".join(said.out.split())
    assert "message.sent × 100" in said.out
    page = laurels("user", "history", "ada", "--limit", 2, "--json").json
    shown = next(entry["adjustment"] for entry in page["entries"] if entry["adjustment"])
    assert (shown["actor"], shown["principal"]) == ("grace", {"kind": "cli", "name": command_line().name})
    assert shown["undo"]["principal"] == {"kind": "cli", "name": command_line().name}
    assert len(page["entries"]) == 2
    assert laurels("user", "history", "ada", "--before", page["next"], "--json").json["entries"]


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "ada", "nonsense"],
        ["explain", "nobody", "message_100"],
        ["explain", "ada", "--streak", "nonsense"],
        ["explain", "nobody", "--streak", "login"],
        ["user", "history", "nobody"],
        ["user", "undo", "ada", "nonsense"],
        ["user", "grant", "nobody", "early_adopter", "--reason", "x"],
        ["user", "grant", "ada", "nonsense", "--reason", "x"],
        ["user", "freeze", "ada", "nonsense", "1", "--reason", "x"],
        ["rebuild", "--user", "nobody"],
        ["verify", "--user", "nobody"],
        ["amnesty", "lift", "nonsense"],
    ],
)
def test_what_does_not_exist_ends_with_3(laurels: Laurel, command: list[str]) -> None:
    said = laurels(*command)

    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("laurels: ")


# ---- amnesties --------------------------------------------------------------------------------


def test_an_amnesty_is_added_listed_and_lifted(laurels: Laurel) -> None:
    days = ("--from", "2026-02-28", "--to", "2026-02-28")
    added = laurels("amnesty", "add", *days, "--reason", "our outage", "--json").json

    assert streak(laurels)["length"] == 3
    assert "our outage" in laurels("amnesty", "list").out
    assert laurels("amnesty", "lift", added["id"]).code == 0
    assert streak(laurels)["length"] == 1
    assert laurels("amnesty", "list", "--json").json["amnesties"][0]["liftedAt"]
    assert laurels("amnesty", "lift", added["id"]).code == 3


def test_an_amnesty_for_a_group_leaves_others_alone(laurels: Laurel) -> None:
    days = ("--from", "2026-02-28", "--to", "2026-02-28")

    assert laurels("amnesty", "add", *days, "--reason", "local", "--group", "berlin").code == 0
    assert streak(laurels)["length"] == 1


@pytest.mark.parametrize(
    "days", [("2026-03-02", "2026-03-01"), ("yesterday", "2026-03-01"), ("2025-01-01", "2026-03-01")]
)
def test_days_that_make_no_sense_are_refused(laurels: Laurel, days: tuple[str, str]) -> None:
    assert laurels("amnesty", "add", "--from", days[0], "--to", days[1], "--reason", "x").code == 2
    assert laurels("amnesty", "list", "--json").json == {"amnesties": []}


# ---- verify and rebuild -----------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_verify_finds_no_difference_in_a_sound_database(laurels: Laurel, processes: int) -> None:
    laurels.record(*({"userId": f"user-{number}", "id": "login"} for number in range(700)))

    said = laurels("verify", "--processes", processes)

    assert (said.code, said.out) == (0, "")
    assert "701 users compared, no difference." in said.err


def test_verify_prints_each_difference_and_rebuild_fixes_it(laurels: Laurel) -> None:
    with laurels.sql() as connection:
        connection.execute("UPDATE users SET points = 7 WHERE user_id = 'ada'")
        connection.execute("UPDATE tallies SET amount = amount + 1 WHERE level = 0")

    found = laurels("verify")
    as_json = laurels("verify", "--json")
    assert (found.code, as_json.code) == (1, 1)
    assert "ada: points" in found.out
    assert "wrong tall" in found.out
    assert {one["userId"] for one in as_json.json["differences"]} == {"ada"}
    assert as_json.json["wrongTallies"] > 0
    assert laurels("verify", "--user", "ada").code == 1

    assert laurels("rebuild", "--json").json["differed"] == 1
    assert laurels("verify").code == 0
    assert laurels("rebuild", "--json").json == {"users": 1, "differed": 0, "wrongTallies": 0}


def test_one_user_is_rebuilt_alone(laurels: Laurel) -> None:
    laurels.record({"userId": "bob", "id": "m", "type": "message.sent", "quantity": 100})
    with laurels.sql() as connection:
        connection.execute("UPDATE users SET points = 7")

    assert laurels("rebuild", "--user", "ada", "--json").json["differed"] == 1
    assert laurels("verify", "--user", "ada").code == 0
    assert laurels("verify", "--user", "bob").code == 1


# ---- the clock --------------------------------------------------------------------------------


def test_a_sandbox_lives_through_a_week(laurels: Laurel) -> None:
    for day in range(7):
        laurels.record({"userId": "eve", "id": f"login-{day}"})
        laurels("clock", "advance", "--days", 1)

    assert laurels("explain", "eve", "login_streak_7", "--json").json["earned"]
    shown = laurels("clock", "show", "--json").json
    assert (shown["sandbox"], shown["now"][:10]) == (True, "2026-03-08")


def test_a_database_of_the_real_clock_does_not_become_a_sandbox_by_mistake(laurels: Laurel) -> None:
    real = ("--database", "sqlite:///real.db")
    laurels("record", laurels.folder / "events.jsonl", "--any-age", *real)

    refused = laurels("clock", "advance", "--days", 1, *real)
    assert refused.code == 2
    assert "--mark-as-sandbox" in refused.err
    assert not laurels("clock", "show", "--json", *real).json["sandbox"]
    assert laurels("clock", "advance", "--days", 1, "--mark-as-sandbox", *real).code == 0
    assert laurels("clock", "show", "--json", *real).json["sandbox"]


@pytest.mark.parametrize(
    "arguments", [["set", "noon"], ["set", "0001-01-01"], ["advance"], ["advance", "--days", "-1"]]
)
def test_a_clock_is_set_to_valid_times_only(laurels: Laurel, arguments: list[str]) -> None:
    assert laurels("clock", *arguments).code == 2


# ---- the doctor -------------------------------------------------------------------------------


def test_the_doctor_proposes_an_amnesty_for_a_gap_in_all_events(laurels: Laurel) -> None:
    said = laurels("doctor")

    assert said.code == 0
    assert "no user has an event on 2026-02-28" in said.out
    command = "laurels amnesty add --from 2026-02-28 --to 2026-02-28 --reason 'an outage'"
    assert command in " ".join(said.out.split())
    assert "its clock is at 2026-03-01 09:00 UTC" in said.out
    laurels(*command.replace("'an outage'", "outage").split()[1:])
    after = laurels("doctor")
    assert "no user has an event" not in after.out
    assert "1 in force: 2026-02-28 (outage)" in after.out


def test_gaps_lie_between_days_with_events() -> None:
    assert gaps([70, 71, 80, 90, 91, 100], 100) == [(80, 80), (90, 91)]
    assert gaps(list(range(70, 101)), 100) == []
    assert gaps([], 100) == []
