"""The registry of adjustments: adding a kind is adding one class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from laurels.cli import run
from laurels.engine.adjustments import (
    KINDS,
    Adjustment,
    Data,
    Exclusion,
    Freezes,
    Grant,
    Pause,
    Points,
    Revocation,
    folded,
    kinds_for,
    parse_adjustment,
    register,
)
from laurels.engine.fields import Field
from laurels.engine.progress import ManualState
from laurels.errors import InvalidInput
from laurels.present.adjustments_in import (
    adjustment_bodies,
    data_of,
    decoder_for,
    examples_for,
    kind_of,
    own_adjustment_bodies,
)
from tests.support import badge, catalog, count
from tests.support.app import event, open_app
from tests.support.operator import operator_over

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Bonus(Adjustment):
    """Give ten points for each star."""

    kind = "bonus"
    verb = "Give a bonus"
    noun = "bonus"
    command = "bonus"
    applied_by = frozenset({"app", "user"})
    example = {"stars": 3}  # noqa: RUF012  # as every kind has one

    stars: Annotated[int, Field("number", "Stars", "from 1 to 5", least=1, most=5)]

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        return replace(state, adjusted=state.adjusted + 10 * data["stars"])


@pytest.fixture
def bonus() -> Iterator[type[Adjustment]]:
    yield register(Bonus)
    del KINDS["bonus"]


RULES = {"metrics": {"messages": count("message")}, "badges": [badge("many", 5, metric="messages", at_least=99)]}


@pytest.mark.usefixtures("bonus")
def test_a_new_kind_is_checked() -> None:
    assert parse_adjustment("bonus", {"stars": 3}) == Bonus(3)
    with pytest.raises(InvalidInput, match="must be a whole number from 1 to 5") as caught:
        parse_adjustment("bonus", {"stars": 6})
    assert caught.value.field == "stars"


@pytest.mark.usefixtures("bonus")
def test_a_new_kind_is_a_body_of_the_http_api() -> None:
    bodies = [decoder_for(adjustment_bodies()).decode(json.dumps(examples_for("app")["bonus"]))]
    bodies += [decoder_for(own_adjustment_bodies()).decode(json.dumps(examples_for("user")["bonus"]))]
    assert [(kind_of(body), data_of(body)) for body in bodies] == [("bonus", {"stars": 3})] * 2


def test_the_bodies_are_made_once() -> None:
    names = ["GrantIn", "RevocationIn", "PointsIn", "FreezesIn", "PauseIn", "RepairIn", "TimeZoneIn", "ExclusionIn"]
    assert adjustment_bodies() == adjustment_bodies()
    assert [body.__name__ for body in adjustment_bodies()] == names
    assert [body.__name__ for body in own_adjustment_bodies()] == ["OwnPauseIn", "OwnRepairIn"]


@pytest.mark.usefixtures("bonus")
def test_a_new_kind_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.jsonl").write_text('{"userId": "ada", "id": "m", "type": "message.sent"}\n')
    database = ["--database", f"sqlite:///{tmp_path}/laurels.db"]
    assert run(["record", f"{tmp_path}/events.jsonl", *database]) == 0
    capsys.readouterr()
    assert run(["user", "bonus", "ada", "3", "--reason", "a gift", "--json", *database]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == {"before": 0, "after": 30}
    assert run(["user", "--help"]) == 0
    assert "Give ten points for each star." in capsys.readouterr().out


@pytest.mark.usefixtures("bonus")
async def test_a_new_kind_is_a_form_of_the_console() -> None:
    async with open_app(catalog(**RULES)) as home, operator_over(home) as operator:
        await home.record(event("ada", "message", "m1"))
        assert "Give a bonus" in (await operator.page("/console/users/ada")).links
        page = await operator.do("/console/users/ada/adjustments/bonus", stars="3", reason="a gift")
        assert "Bonus recorded. Points: 0 → 30." in page.text


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError, match="the kind 'grant' exists already"):
        register(Grant)


def test_every_kind_has_its_words_and_a_valid_example() -> None:
    for kind in KINDS.values():
        assert kind.verb
        assert kind.noun
        assert kind.meaning().endswith(".")
        if kind.applied_by:
            assert parse_adjustment(kind.kind, kind.example).data().items() >= kind.example.items()
    assert len({kind.command for kind in KINDS.values()}) == len(KINDS)


def test_users_may_pause_and_repair_only() -> None:
    assert [kind.kind for kind in kinds_for("user")] == ["pause", "repair"]
    with pytest.raises(InvalidInput, match="a user may apply a pause or repair only"):
        parse_adjustment("grant", {"badge": "b"}, "user")


def test_a_reversal_has_a_command_of_its_own() -> None:
    with pytest.raises(InvalidInput, match="unknown kind 'reversal'"):
        parse_adjustment("reversal", {"event": "e"})


@pytest.mark.parametrize(
    ("kind", "data", "field", "text"),
    [
        ("grnt", {}, "kind", "unknown kind 'grnt'; did you mean 'grant'?"),
        ("grant", {}, "badge", "is missing; 'grant' needs badge"),
        ("grant", {"badge": 1}, "badge", "must be a text"),
        ("freezes", {"streak": "s", "cont": 1}, "cont", "unknown field of 'freezes'; did you mean 'count'?"),
        ("freezes", {"streak": "s", "count": 1001}, "count", "must be a whole number from 1 to 1000"),
        ("points", {"amount": 0}, "amount", "must be a whole number that is not 0"),
        ("points", {"amount": True}, "amount", "must be a whole number that is not 0"),
        ("pause", {"first": "soon", "last": "2026-01-01"}, "first", "must be a date such as 2026-03-01"),
        ("pause", {"first": 20260101, "last": "2026-01-01"}, "first", "must be a date such as 2026-03-01"),
        ("repair", {"streak": "", "day": "2026-01-01"}, "streak", "must have 1 to 100 characters, not 0"),
        ("exclusion", {"more": 1}, "more", "unknown field of 'exclusion'; it has no fields"),
    ],
)
def test_a_wrong_field_is_named_with_its_fix(kind: str, data: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_adjustment(kind, data)
    assert (caught.value.field, str(caught.value)) == (field, text)


def test_a_pause_that_names_no_streak_is_for_all_of_them() -> None:
    pause = parse_adjustment("pause", {"first": "2026-01-06", "last": "2026-01-09"})
    assert isinstance(pause, Pause)
    assert pause.data() == {"first": "2026-01-06", "last": "2026-01-09", "streak": ""}


def test_users_must_name_the_streak_that_they_pause() -> None:
    body = {"id": "p", "kind": "pause", "first": "2026-01-06", "last": "2026-01-09"}
    with pytest.raises(msgspec.ValidationError, match="missing required field `streak`"):
        decoder_for(own_adjustment_bodies()).decode(json.dumps(body))


@pytest.mark.parametrize(
    ("adjustment", "question"),
    [
        (Points(-50), "Take 50 points from Maple Fox?"),
        (Points(-1), "Take 1 point from Maple Fox?"),
        (Revocation("many"), "Revoke Chatterbox from Maple Fox?"),
        (Exclusion(), "Exclude Maple Fox from all leaderboards?"),
    ],
)
def test_an_adjustment_that_takes_something_away_asks_for_confirmation(adjustment: Adjustment, question: str) -> None:
    assert adjustment.takes_away()
    assert adjustment.question("Maple Fox", {"many": "Chatterbox"}) == question


@pytest.mark.parametrize("adjustment", [Points(50), Grant("many"), Freezes("login", 1)])
def test_what_only_gives_does_not_ask(adjustment: Adjustment) -> None:
    assert not adjustment.takes_away()


def test_adjustments_fold_in_their_order() -> None:
    grant, revocation = ("grant", {"badge": "b"}), ("revocation", {"badge": "b"})
    assert folded([grant, revocation]) == ManualState(barred=frozenset({"b"}))
    assert folded([revocation, grant]) == ManualState(granted=frozenset({"b"}))
    assert folded([("points", {"amount": 5}), ("points", {"amount": -2})]).adjusted == 3
