"""`laurels audit`: who did what, as JSON lines."""

from __future__ import annotations

import json

import pytest

from laurels.service.opening import command_line
from tests.cli.conftest import Cli

DATABASE = ("--database", "sqlite:///laurels.db")


@pytest.fixture
def by() -> dict[str, str]:
    return {"kind": "cli", "name": command_line().name}


def audit(cli: Cli, *options: str) -> list[dict[str, object]]:
    ended = cli("audit", *options, *DATABASE)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.fixture
def filled(cli: Cli) -> Cli:
    assert cli("key", "create", "--name", "my-app", "--create", *DATABASE).code == 0
    assert cli("key", "revoke", "my-app", *DATABASE).code == 0
    events = cli.file("events.jsonl", '{"userId": "ada", "id": "e", "type": "message.sent"}\n')
    assert cli("record", events, *DATABASE).code == 0
    given = ("user", "adjust", "ada", "5", "--reason", "a gift", "--id", "x", "--actor", "anna", *DATABASE)
    assert cli(*given).code == 0
    assert cli("user", "undo", "ada", "x", "--reason", "a mistake", *DATABASE).code == 0
    return cli


def test_the_commands_name_the_user_of_the_system_and_the_actor(filled: Cli, by: dict[str, str]) -> None:
    entries = audit(filled)
    kinds = ["adjustment.undone", "adjustment.points", "key.revoked", "key.created"]
    assert [entry["kind"] for entry in entries] == kinds
    assert [entry["principal"] for entry in entries] == [by] * 4
    assert entries[0]["reason"] == "a mistake"
    assert (entries[1]["actor"], entries[1]["undone"], entries[2]["target"]) == ("anna", True, "my-app")


def test_backups_copies_and_restores_are_in_the_audit_of_their_database(filled: Cli, by: dict[str, str]) -> None:
    assert filled("backup", "backup.db", *DATABASE).code == 0
    assert audit(filled, "--kind", "database.backed_up")[0]["principal"] == by
    assert filled("restore", "backup.db", "--database", "sqlite:///restored.db").code == 0
    assert filled("copy", "sqlite:///laurels.db", "sqlite:///copied.db").code == 0
    for database, kind in (("restored", "database.restored"), ("copied", "database.copied")):
        ended = filled("audit", "--kind", kind, "--database", f"sqlite:///{database}.db")
        assert [(entry["principal"], entry["kind"]) for entry in map(json.loads, ended.out.splitlines())] == [
            (by, kind)
        ]


def test_the_environment_cannot_change_the_principal(
    filled: Cli, by: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "anna")
    filled("user", "adjust", "ada", "5", "--reason", "a gift", "--id", "y", *DATABASE)
    entry = audit(filled, "--limit", "1")[0]
    assert (entry["principal"], entry["kind"]) == (by, "adjustment.points")


def test_entries_are_filtered(filled: Cli) -> None:
    assert [entry["kind"] for entry in audit(filled, "--user", "ada")] == ["adjustment.undone", "adjustment.points"]
    assert [entry["kind"] for entry in audit(filled, "--kind", "adjustment")] == ["adjustment.points"]
    assert len(audit(filled, "--who", command_line().name, "--limit", "3")) == 3
    assert audit(filled, "--who", "anna") == audit(filled, "--to", "2020-01-01") == []


def test_an_unknown_kind_is_an_error_with_the_nearest_one(filled: Cli) -> None:
    ended = filled("audit", "--kind", "user.erasd", *DATABASE)
    assert (ended.code, ended.out) == (2, "")
    assert "user.erased" in ended.err


def test_json_prints_one_document_with_the_same_entries(filled: Cli) -> None:
    lines = audit(filled)
    assert json.loads(filled("audit", "--json", *DATABASE).out) == {"entries": lines}
    assert json.loads(filled("audit", "--kind", "user.erased", "--json", *DATABASE).out) == {"entries": []}
