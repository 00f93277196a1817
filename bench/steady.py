"""An open loop: requests are sent at fixed times, whether or not earlier ones were answered, as those of real users are.

`python -m bench.steady PORT RATE SECONDS REQUESTS` sends the requests of a file (a pickled list of bytes) in turn, over up
to CONNECTIONS connections, and prints the latencies' percentiles as JSON. A latency counts from the scheduled time, so a
server that stalls cannot hide it by making the client wait. Run it on another processor than the server.
"""

from __future__ import annotations

import json
import pickle
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pin, processors

CONNECTIONS = 64
PATIENCE = 30.0
"""How long to wait for the last answers, in seconds."""


@dataclass(frozen=True, slots=True)
class Steadily:
    """Latencies in milliseconds under a steady load of `rate` requests a second."""

    rate: float
    p50: float
    p99: float
    most: float


def measure(port: int, rate: float, seconds: float, requests: Sequence[bytes], folder: Path) -> Steadily:
    """Put a steady load on a server, from a separate process. Raises RuntimeError if a request fails."""
    file = folder / "requests"
    file.write_bytes(pickle.dumps(list(requests)))
    command = [sys.executable, "-m", "bench.steady", str(port), str(rate), str(seconds), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + PATIENCE + 60, check=False)
    if done.returncode:
        raise RuntimeError(f"the steady load failed: {done.stderr}")
    return Steadily(**json.loads(done.stdout))


def send(port: int, rate: float, seconds: float, requests: Sequence[bytes]) -> list[float]:
    """The latency of every request, in seconds, smallest first."""
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in idle:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    busy: dict[socket.socket, tuple[float, bytes]] = {}
    latencies: list[float] = []
    amount, sent = min(int(rate * seconds), len(requests)), 0
    start = time.perf_counter()
    while len(latencies) < amount:
        now = time.perf_counter() - start
        while sent < amount and idle and sent / rate <= now:
            connection = idle.pop()
            connection.sendall(requests[sent])
            busy[connection] = (sent / rate, b"")
            sent += 1
        if now > seconds + PATIENCE:
            raise RuntimeError(f"{amount - len(latencies)} of {amount} requests are not answered")
        pause = max(0.0, sent / rate - now) if sent < amount and idle else 1.0
        for connection in select.select(list(busy), [], [], pause)[0]:
            due, before = busy[connection]
            received = before + connection.recv(65536)
            if _is_whole(received):
                latencies.append(time.perf_counter() - start - due)
                del busy[connection]
                idle.append(connection)
            else:
                busy[connection] = (due, received)
    return sorted(latencies)


def _is_whole(answer: bytes) -> bool:
    """Whether a response is complete. Raises RuntimeError unless its status is 200."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if end and not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {answer[:200]!r}")
    return bool(end) and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0])


def main(port: str, rate: str, seconds: str, file: str) -> None:
    """Send the requests, and print the latencies."""
    pin(processors()[1])
    requests = pickle.loads(Path(file).read_bytes())
    found = [1000 * latency for latency in send(int(port), float(rate), float(seconds), requests)]
    p50, p99 = (found[int(share * (len(found) - 1))] for share in (0.5, 0.99))
    print(json.dumps({"rate": float(rate), "p50": p50, "p99": p99, "most": found[-1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
