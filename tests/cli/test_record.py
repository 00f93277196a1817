from __future__ import annotations

import contextlib
import io
import json
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from laurels.cli.record import BATCH, CHUNK, Line, read_lines
from tests.cli.conftest import Cli, environment
from tests.support.files import opened

CLEAN = {"ignored": 0, "uncounted": {}}
Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def made_before(cli: Cli) -> None:
    """The database exists, so that no command says that it created one."""
    assert cli("migrate", "--database", cli.database).code == 0


def line(number: int, user: str = "ada", **more: object) -> str:
    event = {"userId": user, "id": f"message-{number}", "type": "message.sent", **more}
    return json.dumps(event) + "\n"


def stored(cli: Cli) -> int:
    with database(cli.folder / "laurels.db") as connection:
        return connection.execute("SELECT count(*) FROM events").fetchone()[0]


@contextmanager
def database(file: Path) -> Iterator[apsw.Connection]:
    with opened(file) as connection:
        yield connection


def test_every_line_is_recorded_once(cli: Cli) -> None:
    events = cli.file("events.jsonl", "".join(line(number, f"user-{number % 7}") for number in range(2 * BATCH + 3)))

    first = cli("record", events, "--database", cli.database, "--json")
    again = cli("record", events, "--database", cli.database, "--json")

    assert first.code == again.code == 0
    assert first.json == {"recorded": 2 * BATCH + 3, "duplicates": 0, "rejected": 0, "rejections": [], **CLEAN}
    assert again.json == {"recorded": 0, "duplicates": 2 * BATCH + 3, "rejected": 0, "rejections": [], **CLEAN}
    assert stored(cli) == 2 * BATCH + 3


def test_the_summary_is_printed_to_standard_error(cli: Cli) -> None:
    ended = cli("record", cli.file("events.jsonl", line(1) + line(2) + line(1)), "--database", cli.database)

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "2 recorded, 1 duplicates, 0 rejected\n"


def test_standard_input_is_the_default(process: Process) -> None:
    for arguments in (["record"], ["record", "-"]):
        ended = process(*arguments, "--database", "sqlite:///app.db", "--json", stdin=line(1) + line(2))

        assert ended.returncode == 0
        assert json.loads(ended.stdout)["rejected"] == 0
    assert json.loads(ended.stdout)["duplicates"] == 2


LATE = (datetime.now(UTC) - timedelta(days=400)).isoformat()
SOON = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

BAD = {
    "not JSON": ("nonsense\n", "JSON is malformed"),
    "cut off": ('{"userId": "ada"\n', "truncated"),
    "an array": ("[]\n", "Expected `object`"),
    "without an id": ('{"userId": "ada", "type": "message.sent"}\n', "`id`"),
    "an unknown field": (line(1, usrId="ada"), "usrId"),
    "a quantity of 0": (line(1, quantity=0), "quantity"),
    "a time without its offset": (line(1, occurredAt="2026-01-01T00:00:00"), "occurredAt"),
    "too late": (line(1, occurredAt=LATE), "occurredAt: lies more than 30 days back"),
    "too early": (line(1, occurredAt=SOON), "occurredAt: lies more than 5 minutes in the future"),
    "an id of Laurels' own": (line(1).replace("message-1", "laurels:x"), "id: ids that begin with 'laurels:'"),
    "a control character": (line(1, user="a\u0000b"), "userId: must not hold control characters"),
    "a lone surrogate": (line(1, data={"text": "\ud800"}), ""),
    "nested too deeply": (line(1).replace("}\n", ', "data": ' + '{"a":' * 50_000 + "1" + "}" * 50_001 + "\n"), ""),
    "not UTF-8": (b'{"userId": "ad\xff", "id": "1", "type": "message.sent"}\n', ""),
}


@pytest.mark.parametrize(("bad", "reason"), BAD.values(), ids=BAD)
def test_a_bad_line_is_reported_with_its_number_and_the_rest_is_recorded(
    cli: Cli, bad: str | bytes, reason: str
) -> None:
    wrong = bad if isinstance(bad, bytes) else bad.encode()
    events = cli.file("events.jsonl", line(100).encode() + b"\n" + wrong + line(101).encode())

    ended = cli("record", events, "--database", cli.database, "--json")

    assert ended.code == 1
    assert (ended.json["recorded"], ended.json["rejected"]) == (2, 1)
    assert ended.json["rejections"][0]["line"] == 3
    assert reason in ended.json["rejections"][0]["reason"]
    assert ended.err.startswith("line 3: ")
    assert stored(cli) == 2


def test_an_id_with_another_body_is_rejected(cli: Cli) -> None:
    events = cli.file("events.jsonl", line(1) + line(1, quantity=5))

    ended = cli("record", events, "--database", cli.database)

    assert ended.code == 1
    assert "line 2: An event with this id and another body" in ended.err


def test_a_line_of_10_megabytes_is_rejected_and_the_rest_is_recorded(cli: Cli) -> None:
    huge = line(2, data={"text": "x" * 10_000_000})
    events = cli.file("events.jsonl", line(1) + huge + line(3))

    ended = cli("record", events, "--database", cli.database, "--json")

    assert ended.code == 1
    assert (ended.json["recorded"], ended.json["rejected"]) == (2, 1)
    assert ended.json["rejections"] == [{"line": 2, "reason": "is longer than limits.body_bytes"}]


def test_old_events_are_accepted_with_any_age(cli: Cli) -> None:
    events = cli.file("events.jsonl", line(1, occurredAt=LATE))

    assert cli("record", events, "--database", cli.database).code == 1
    assert cli("record", events, "--database", cli.database, "--any-age").code == 0
    assert stored(cli) == 1


def test_events_are_judged_by_the_catalog_of_the_settings(cli: Cli) -> None:
    text = (
        (Path(__file__).parents[2] / "laurels/engine/default.toml").read_text("utf-8").replace("at_least = 100\n", "")
    )
    catalog = cli.file("mine.toml", text.replace("at_least = 100 }", "at_least = 1 }"))

    cli("record", cli.file("events.jsonl", line(1)), "--database", cli.database, "--catalog", catalog)
    shown = cli("user", "show", "ada", "--database", cli.database, "--catalog", catalog, "--json").json

    assert [badge["id"] for badge in shown["profile"]["badges"]] == ["message_100"]


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_do_no_harm(cli: Cli) -> None:
    text = b"\xef\xbb\xbf" + line(1).encode().replace(b"\n", b"\r\n") + b"\r\n\n  \n" + line(2).encode().rstrip()

    ended = cli("record", cli.file("events.jsonl", text), "--database", cli.database, "--json")

    assert (ended.code, ended.json["recorded"], ended.json["rejected"]) == (0, 2, 0)


def test_only_the_first_rejections_are_returned_and_all_are_printed(cli: Cli) -> None:
    ended = cli("record", cli.file("events.jsonl", "nonsense\n" * 1000), "--database", cli.database, "--json")

    assert (ended.json["rejected"], len(ended.json["rejections"])) == (1000, 100)
    assert ended.err.count("line ") == 1000


def test_an_interrupted_import_can_be_continued(tmp_path: Path) -> None:
    total = 40_000
    events = tmp_path / "events.jsonl"
    events.write_text("".join(line(number, f"user-{number % 100}") for number in range(total)))
    command = [sys.executable, "-m", "laurels", "record", "events.jsonl", "--database", "sqlite:///app.db", "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        _wait_for_events(tmp_path / "app.db", first)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    part = json.loads(out)
    rest = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    whole = json.loads(rest.stdout)

    assert first.returncode == 130
    assert b"Run the same command again" in err
    assert 0 < part["recorded"] < total
    assert (whole["recorded"], whole["duplicates"]) == (total - part["recorded"], part["recorded"])


def _wait_for_events(file: Path, writer: subprocess.Popen[bytes]) -> None:
    """Return when the first events are stored; fail where their writer has ended without any."""
    while writer.poll() is None:
        if file.is_file():
            with database(file) as connection, contextlib.suppress(apsw.Error):
                if connection.execute("SELECT 1 FROM events LIMIT 1").fetchone():
                    return
        time.sleep(0.005)
    raise AssertionError(writer.stderr.read() if writer.stderr else "it ended")


def test_a_live_pipe_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "laurels", "record", "--database", "sqlite:///app.db"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as pipe:
        assert pipe.stdin
        pipe.stdin.write(line(1).encode())
        pipe.stdin.flush()
        _wait_for_events(tmp_path / "app.db", pipe)  # while the pipe is still open
        pipe.stdin.close()

        assert pipe.wait(60) == 0


# ---- reading lines ----------------------------------------------------------------------------


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a pipe does."""

    def __init__(self, text: bytes, dice: random.Random) -> None:
        self._text = io.BytesIO(text)
        self._dice = dice

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._text.read(min(len(buffer), self._dice.randint(1, 40)))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def read_all(text: bytes, longest: int, dice: random.Random) -> list[Line]:
    return [one for lines in read_lines(io.BufferedReader(Trickle(text, dice)), longest) for one in lines]


def test_lines_are_the_same_however_they_arrive() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        texts = [b"x" * dice.randint(0, 60) for _ in range(dice.randint(0, 12))]
        ending = b"\n" if dice.random() < 0.5 or not texts or not texts[-1] else b""

        lines = read_all(b"\n".join(texts) + (ending if texts else b""), 30, dice)

        assert lines == [Line(number, text if len(text) <= 30 else None) for number, text in enumerate(texts, start=1)]


def test_a_batch_holds_no_more_lines_than_one_transaction_takes() -> None:
    text = b"{}\n" * CHUNK

    batches = [len(lines) for lines in read_lines(io.BufferedReader(io.BytesIO(text)), 100)]

    assert sum(batches) == CHUNK
    assert max(batches) == BATCH


def test_a_long_line_is_never_held_whole() -> None:
    class Endless(io.RawIOBase):
        """A line of 100 megabytes."""

        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if self.given >= 10**8:
                return 0
            self.given += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    tracemalloc.start()
    lines = [one for batch in read_lines(io.BufferedReader(Endless(), 1_000_000), 1_000_000) for one in batch]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert lines == [Line(1, None)]
    assert peak < 10_000_000
