from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from laurels.errors import SettingsError
from laurels.http.limits import BURST_SECONDS
from laurels.server.run import address_of, listen
from tests.cli.conftest import Cli, Server
from tests.support.files import opened

Serving = Callable[..., Server]

FILE = ("--database", "sqlite:///app.db", "--port", "0")


def key_of(cli: Cli) -> dict[str, str]:
    key = cli("key", "create", "--name", "my-app", "--database", "sqlite:///app.db").out.strip()
    return {"Authorization": f"Bearer {key}"}


def stored(cli: Cli) -> set[str]:
    with opened(cli.folder / "app.db") as connection:
        return {row[0] for row in connection.execute("SELECT event_id FROM events")}


@pytest.mark.parametrize("workers", [1, 2])
def test_it_serves_until_stopped_and_loses_nothing_it_has_answered(serving: Serving, cli: Cli, workers: int) -> None:
    server = serving("serve", *FILE, "--workers", str(workers))
    headers = key_of(cli)
    answered: set[str] = set()
    first_ten = threading.Event()

    def send(sender: int) -> None:
        """Send event after event, until the server is gone."""
        for number in range(10_000):
            event = {"userId": f"user-{sender}", "id": f"{sender}-{number}", "type": "message.sent"}
            try:
                status, _, _ = server.ask("/api/gamification/events", event, headers=headers)
            except (urllib.error.URLError, ConnectionError):
                return
            if status != 200:
                return
            answered.add(event["id"])
            if len(answered) > 10:
                first_ten.set()

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for sender in senders:
        sender.start()
    assert first_ten.wait(30)
    code = server.stop()
    for sender in senders:
        sender.join(30)

    assert code == 0
    assert answered
    assert answered <= stored(cli)
    assert sorted(path.name for path in cli.folder.glob("app.db*")) == ["app.db"]
    assert server.errors.read_text() == ""


def test_ctrl_c_ends_it_in_order(serving: Serving) -> None:
    assert serving("serve", *FILE).stop(signal.SIGINT) == 0


def test_it_says_nothing_of_its_server_and_keeps_no_access_log(serving: Serving) -> None:
    server = serving("serve", *FILE)

    status, headers, body = server.ask("/livez")

    assert status == 200
    assert body["status"] == "ok"
    assert "server" not in headers
    assert server.stop() == 0
    assert server.errors.read_text() == ""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc to tell the workers")
def test_every_worker_serves_and_one_that_dies_is_replaced(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2")
    headers = key_of(cli)
    server.ask("/livez")
    before = _workers(server, 2)

    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    after = _workers(server, 2, without=victim)
    status, _, _ = server.ask("/api/gamification/events", {"userId": "a", "id": "1", "type": "t"}, headers=headers)

    assert status == 200
    assert len(after - before) == 1
    assert server.stop() == 0


def _workers(server: Server, number: int, without: int = 0) -> set[int]:
    """The serving processes, once there is this number; multiprocessing's own helper process is not one."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = {pid for pid in server.children() if "spawn_main" in _command(pid)} - {without}
        if len(found) == number:
            return found
        time.sleep(0.05)
    raise AssertionError("not so many workers")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_a_database_in_memory_serves_from_one_process_only(serving: Serving, cli: Cli) -> None:
    server = serving("serve", "--database", "sqlite://", "--port", "0")

    assert server.ask("/readyz")[0] == 200
    ended = cli("serve", "--database", "sqlite://", "--workers", "2")
    assert ended.code == 2
    assert "several workers cannot share a database in memory" in ended.err


def test_settings_of_the_environment_reach_the_workers(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, LAURELS_WORKERS="2", LAURELS_LIMITS_EVENTS="1")
    headers = key_of(cli)
    events = [{"userId": "a", "id": str(number), "type": "t"} for number in range(2)]

    status, _, _ = server.ask("/api/gamification/events", events, headers=headers)

    assert status == 413


def test_of_several_workers_each_allows_its_share_of_a_rate(serving: Serving, cli: Cli) -> None:
    server = serving("serve", *FILE, "--workers", "2", "--key-rate", "2")
    headers = key_of(cli)
    began = time.monotonic()

    statuses = [server.ask("/api/gamification/users/nobody", headers=headers)[0] for _ in range(60)]

    passed = time.monotonic() - began
    assert set(statuses) == {404, 429}
    assert statuses.count(404) <= 2 * (BURST_SECONDS + passed) + 1
    assert server.stop() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_it_allows_itself_the_files_that_its_connections_need() -> None:
    script = (
        "import resource; from laurels.server.run import allow_connections\n"
        "from laurels.settings import LimitSettings, Settings\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))\n"
        "allow_connections(Settings(limits=LimitSettings(requests=50))); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert int(ran.stdout) > 200


def test_a_taken_port_is_an_error(cli: Cli) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            ended = cli("serve", "--database", cli.database, "--port", str(port), "--workers", workers)

            assert (ended.code, ended.out) == (2, "")
            assert f"cannot listen on 127.0.0.1, port {port}" in ended.err
            assert "--port" in ended.err


def test_an_address_of_another_machine_is_refused() -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        with pytest.raises(SettingsError, match=f"cannot listen on {host}"):
            listen(host, 0)


def test_the_printed_address_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as everywhere, listen("localhost", 0) as here:
        assert address_of(everywhere).startswith("http://127.0.0.1:")
        with socket.create_connection(here.getsockname()[:2], timeout=5):
            pass


def test_a_fault_stops_it_before_it_listens(cli: Cli) -> None:
    faulty = cli.file("faulty.toml", "[[levels]]\n")

    assert cli("serve", "--catalog", faulty).code == 2
    assert cli("serve", "--workers", "0").code == 2
    assert cli("serve", "--database", "sqlite:////nowhere/at/all.db", "--port", "0").code == 4
