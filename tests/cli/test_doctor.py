from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.support.files import opened


def findings(cli: Cli, *arguments: str) -> dict[str, dict[str, Any]]:
    ended = cli("doctor", "--database", cli.database, "--json", *arguments)
    document = ended.json
    assert (ended.code == 0) == document["ok"] == all(not one["fix"] for one in document["findings"])
    return {one["what"]: one for one in document["findings"]}


def wrong(cli: Cli, *arguments: str) -> set[str]:
    return {what for what, one in findings(cli, *arguments).items() if one["fix"]}


@pytest.fixture
def made(cli: Cli) -> Cli:
    cli(
        "record",
        cli.file("one.jsonl", '{"userId": "ada", "id": "1", "type": "agent.created"}'),
        "--database",
        cli.database,
    )
    return cli


def test_where_all_is_well_it_says_so(made: Cli) -> None:
    ended = made("doctor", "--database", made.database)

    assert ended.code == 0
    assert "All is well." in ended.out
    assert "1 user, 1 event, 1 award, 0 sessions" in ended.out


def test_it_checks_everything_that_an_operator_needs(made: Cli) -> None:
    assert set(findings(made)) >= {
        "Python", "SQLite", "tzdata", "settings", "catalog", "database", "rows", "disk", "write-ahead log", "clock"
    }  # fmt: skip


def test_a_missing_database_is_reported_with_the_fix_and_not_created(cli: Cli) -> None:
    found = findings(cli)

    assert wrong(cli) == {"database"}
    assert "laurels migrate" in found["database"]["fix"]
    assert list(cli.folder.iterdir()) == []


def test_a_schema_of_another_version_is_reported(made: Cli) -> None:
    with opened(made.folder / "laurels.db") as connection:
        connection.execute("UPDATE migrations SET checksum = 'other'")

    assert wrong(made) == {"database"}


def test_a_file_that_is_not_a_database_is_reported(cli: Cli) -> None:
    cli.file("laurels.db", "no pages\n" * 1000).chmod(0o600)

    assert wrong(cli) == {"database"}


def test_a_wrong_setting_is_reported_and_ends_the_checks(made: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_PORT", "high")

    assert wrong(made) == {"settings"}


def test_a_faulty_or_missing_catalog_is_reported(made: Cli) -> None:
    faulty = made.file("faulty.toml", "[[levels]]\n")

    assert wrong(made, "--catalog", str(faulty)) == {"catalog"}
    assert wrong(made, "--catalog", "none.toml") == {"catalog"}


def test_a_clock_before_the_newest_event_is_reported(made: Cli) -> None:
    tomorrow = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1_000_000)
    with opened(made.folder / "laurels.db") as connection:
        connection.execute("UPDATE events SET recorded_at = ?", (tomorrow,))

    assert wrong(made) == {"clock"}
    assert "NTP" in findings(made)["clock"]["fix"]


def test_a_log_that_keeps_growing_is_reported(made: Cli) -> None:
    with opened(made.folder / "laurels.db") as reader:  # keeps the log from being removed
        reader.execute("SELECT count(*) FROM users").fetchone()
        os.truncate(made.folder / "laurels.db-wal", 300_000_000)  # a hole: it takes no space

        found = wrong(made)

    assert found == {"write-ahead log"}


def test_problems_are_counted_for_people(cli: Cli) -> None:
    ended = cli("doctor", "--database", cli.database)

    assert ended.code == 1
    assert "1 problem." in ended.out


PROXY = """
[console]
sign_in = "both"
[console.proxy]
header = "X-Forwarded-User"
addresses = ["10.0.0.5"]
[console.proxy.names]
owner = ["anna@example.com"]
"""


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (("", ""), "console", "10.0.0.5, or with admin keys"),
        (("10.0.0.5", "10.0.0.0/16"), "proxy", "65,536 addresses"),
        (("10.0.0.5", "127.0.0.1"), "proxy", "every program on this machine"),
        (('owner = ["anna@example.com"]', ""), "roles", "no one can sign in"),
        (('sign_in = "both"', ""), "console", "admin keys"),
    ],
)
def test_it_says_who_else_could_name_an_operator(made: Cli, change: tuple[str, str], what: str, words: str) -> None:
    made.file("laurels.toml", PROXY.replace(*change))
    found = findings(made)
    assert words in found[what]["found"]
    assert bool(found[what]["fix"]) == (what == "roles")
    assert bool(found[what]["proposal"]) == (what == "proxy" or "both" not in PROXY.replace(*change))


@pytest.mark.parametrize(
    "change",
    [
        ('addresses = ["10.0.0.5"]', ""),
        ('"10.0.0.5"', '"0.0.0.0/0"'),
        ('"10.0.0.5"', '"10.0.0.5/8"'),
        ('"10.0.0.5"', '"proxy.internal"'),
        ("X-Forwarded-User", "X_Forwarded_User"),
        ("X-Forwarded-User", "Authorization"),
        ("X-Forwarded-User", "cookie"),
        ('header = "X-Forwarded-User"', ""),
        ("[console.proxy.names]", "[console.proxy.groups]"),
        ("addresses", 'groups_header = "x-forwarded-user"\naddresses'),
        ("addresses", 'sign_out = "javascript:alert(1)"\naddresses'),
        ("addresses", 'sign_out = "//evil.test"\naddresses'),
        ('"both"', '"none"'),
    ],
)
def test_a_proxy_that_could_be_anyone_is_refused_by_every_command(made: Cli, change: tuple[str, str]) -> None:
    made.file("laurels.toml", PROXY.replace(*change))
    ended = made("settings")
    assert ended.code == 2
    assert "console." in ended.err
    assert wrong(made) == {"settings"}
