from __future__ import annotations

from tests.cli.conftest import Cli


def test_the_doctor_lists_unknown_event_types_with_the_one_that_was_probably_meant(cli: Cli) -> None:
    types = ["mesage.sent", "mesage.sent", "message.sent"]
    lines = [f'{{"userId": "ada", "id": "{index}", "type": "{kind}"}}' for index, kind in enumerate(types)]
    cli("record", cli.file("some.jsonl", "\n".join(lines)), "--database", cli.database)

    ended = cli("doctor", "--database", cli.database, "--json")

    (found,) = [one for one in ended.json["findings"] if one["what"] == "unknown type"]
    assert found["found"] == "2 events of the type 'mesage.sent', which no rule of the catalog names"
    assert found["proposal"] == "did you mean 'message.sent'?"
    assert ended.code == 0
