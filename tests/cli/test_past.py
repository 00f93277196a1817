"""`laurels diff` and `laurels bisect`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.test_history import Laurel


@pytest.fixture
def laurel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Laurel:
    monkeypatch.setenv("LAURELS_DATABASE", f"sqlite:///{tmp_path / 'laurels.db'}")
    monkeypatch.chdir(tmp_path)
    one = Laurel(tmp_path, capsys)
    one("migrate")
    return one


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_a_difference_is_said_in_sentences_and_as_json(laurel: Laurel) -> None:
    laurel.record({"id": "m1", "type": "message.sent", "quantity": 100})
    since = now()
    laurel.record({"id": "m2", "type": "message.sent", "quantity": 900})

    said, as_json = laurel("diff", "ada", since, now()), laurel("diff", "ada", since, now(), "--json")

    assert said.out.splitlines()[0] == 'Points: from 100 to 600 (+500): +500 badge "message_1000".'
    assert as_json.json["gained"] == ["message_1000"]


def test_the_cause_is_named(laurel: Laurel) -> None:
    laurel.record({"id": "m1", "type": "message.sent", "quantity": 100})
    laurel.record({"id": "m2", "type": "message.sent", "quantity": 900})

    said = laurel("bisect", "ada", "--badge", "message_1000")

    assert said.code == 0
    assert "because of the event m2" in " ".join(said.out.split())
    assert laurel("bisect", "ada", "--points", "100", "--json").json["id"] == "m1"


def test_what_was_never_so_ends_with_1(laurel: Laurel) -> None:
    laurel.record({"id": "m1", "type": "message.sent"})

    assert laurel("bisect", "ada", "--badge", "message_1000").code == 1
    said = laurel("bisect", "bob", "--badge", "message_1000")
    assert "there is no user 'bob'" in said.err
    assert "SINCE" in laurel("diff", "ada", "yesterday", "today").err
