"""Times on the command line are cut off to the microsecond, too."""

from __future__ import annotations

from tests.cli.conftest import Cli

LINES = """
{"userId":"ada","id":"a","type":"login","occurredAt":"2026-01-31T23:59:59.999999999Z"}
{"userId":"ada","id":"b","type":"login","occurredAt":"2026-01-31T23:59:60Z"}
{"userId":"ada","id":"c","type":"login","occurredAt":"31 January"}
"""


def test_a_recorded_line_keeps_its_day(cli: Cli) -> None:
    at = ("--database", cli.database)
    assert cli("clock", "set", "2026-01-31T23:59:59.999999999Z", *at).out == "2026-01-31T23:59:59Z\n"
    assert cli("clock", "set", "2026-02-01T12:00:00Z", *at).code == 0

    recorded = cli("record", str(cli.file("events.jsonl", LINES)), *at, "--json")

    assert (recorded.json["recorded"], recorded.json["rejected"]) == (2, 1)
    assert "occurredAt" in recorded.json["rejections"][0]["reason"]
    history = cli("user", "history", "ada", *at, "--json").json
    assert "2026-02-01" not in str([entry["event"]["day"] for entry in history["entries"]])


def test_the_clock_can_be_set_to_a_leap_second(cli: Cli) -> None:
    said = cli("clock", "set", "2026-01-31T23:59:60", "--database", cli.database)

    assert said.out == "2026-01-31T23:59:59Z\n"
