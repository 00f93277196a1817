"""Processes that others start: they end with the one that started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from laurels.demo.filling import demo_catalog
from laurels.server.run import is_free
from tests.cli.conftest import WAIT, Cli, Server, environment

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc to find the workers")

Serving = Callable[..., Server]
FILE = ("--database", "sqlite:///app.db", "--port", "0")


def workers_of(parent: int, number: int) -> set[int]:
    """The worker processes, once there are this many."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = set[int]()

    def enough() -> bool:
        found.clear()
        found.update(pid for pid in map(int, children.read_text().split()) if b"spawn_main" in command_of(pid))
        return len(found) == number

    wait_until(enough)
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def uses(pid: int, file: str) -> bool:
    """Whether a process has this file open."""
    opened = [one.readlink().name for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    return file in opened


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_workers_end_in_order_when_the_process_that_started_them_is_killed(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2")
    headers = {"Authorization": f"Bearer {cli('key', 'create', '--name', 'app', *FILE[:2]).out.strip()}"}
    workers = workers_of(server.started.pid, 2)
    event = {"userId": "ada", "id": "1", "type": "message.sent"}
    assert server.ask("/api/gamification/events", event, headers=headers)[0] == 200
    wait_until(lambda: all(uses(pid, "app.db") for pid in workers))  # one that still starts has nothing to close
    url = urlsplit(server.address)
    assert url.hostname
    assert url.port

    os.kill(server.started.pid, signal.SIGKILL)

    wait_until(lambda: not any(map(command_of, workers)))
    wait_until(lambda: is_free(url.hostname, url.port))  # a process that ends loses its command line before its sockets
    assert [path.name for path in cli.folder.glob("app.db*")] == ["app.db"]  # each closed the database
    assert server.errors.read_text() == ""
    again = serving("serve", "--database", "sqlite:///app.db", "--port", str(url.port), "--workers", "2")
    assert again.ask("/api/gamification/events", event, headers=headers)[2]["duplicates"] == 1


def test_a_request_that_runs_when_the_parent_is_killed_is_answered(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2")
    headers = {"Authorization": f"Bearer {cli('key', 'create', '--name', 'app', *FILE[:2]).out.strip()}"}
    workers = workers_of(server.started.pid, 2)
    assert server.ask("/livez")[0] == 200
    url = urlsplit(server.address)
    body = b'{"userId": "ada", "id": "2", "type": "message.sent"}'
    with socket.create_connection((url.hostname, url.port), timeout=WAIT) as slow:
        head = f"POST /api/gamification/events HTTP/1.1\r\nHost: x\r\nAuthorization: {headers['Authorization']}\r\n"
        slow.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        slow.sendall(body[:10])
        time.sleep(0.5)
        os.kill(server.started.pid, signal.SIGKILL)
        sender = threading.Timer(1, slow.sendall, [body[10:]])
        sender.start()
        answer = b"".join(iter(lambda: slow.recv(65536), b""))  # until the worker, which ends, closes the connection

    assert b" 200 " in answer
    assert b'"recorded":1' in answer
    wait_until(lambda: not any(map(command_of, workers)))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_processes_of_verify_end_with_it(cli: Cli, number: signal.Signals) -> None:
    lines = "".join(f'{{"userId": "u{one}", "id": "1", "type": "message.sent"}}\n' for one in range(3000))
    assert cli("record", cli.file("events.jsonl", lines), "--database", cli.database).code == 0
    command = [sys.executable, "-m", "laurels", "verify", "--processes", "2", "--database", cli.database]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as started:
        workers = workers_of(started.pid, 2)

        started.send_signal(number)

    wait_until(lambda: not any(map(command_of, workers)))


def test_a_killed_worker_is_replaced_with_one_line_and_later_each_time(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2")
    workers = workers_of(server.started.pid, 2)
    steady = max(workers)
    killed = list[int]()
    for _ in range(4):
        (next_one,) = workers - {steady}
        wait_until(lambda: server.ask("/livez")[0] == 200)
        os.kill(next_one, signal.SIGKILL)
        killed.append(next_one)
        wait_until(lambda: f"worker {killed[-1]} " in server.errors.read_text())
        workers = workers_of(server.started.pid, 2)
        assert server.ask("/livez")[0] == 200

    lines = [line.partition(": ")[2] for line in server.errors.read_text().splitlines()]
    said = [f"worker {pid} was ended by SIGKILL; it is replaced" for pid in killed]
    assert lines == [f"{line} {when}" for line, when in zip(said, ["now", "in 1 s", "in 2 s", "in 4 s"], strict=True)]
    assert server.stop() == 0


def test_a_worker_that_hangs_is_replaced_and_the_log_says_so(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2")
    before = workers_of(server.started.pid, 2)
    assert server.ask("/livez")[0] == 200
    hung = min(before)

    os.kill(hung, signal.SIGSTOP)

    wait_until(lambda: f"worker {hung} hung and was killed; it is replaced now" in server.errors.read_text())
    assert len(workers_of(server.started.pid, 2) - before) == 1
    assert server.stop() == 0


def test_a_replacement_that_cannot_start_is_tried_again_while_the_others_serve(serving: Serving, cli: Cli) -> None:
    text = demo_catalog()
    catalog = cli.file("catalog.toml", text)
    server = serving("serve", *FILE, "--workers", "2", "--catalog", str(catalog))
    workers = workers_of(server.started.pid, 2)
    wait_until(lambda: all(uses(pid, "app.db") for pid in workers))  # they have read the catalog
    victim = min(workers)
    catalog.write_text("[[levels]]\n")

    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "ended with exit code 3; it is replaced in 1 s" in server.errors.read_text())

    assert server.ask("/livez")[0] == 200
    catalog.write_text(text)
    workers_of(server.started.pid, 2)
    assert server.started.poll() is None
