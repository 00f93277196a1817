"""Servers as child processes, and the load that wrk puts on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import children, processor_seconds, processors
from bench.serve import READY

WRK_MISSING = "wrk is not installed: all measures over HTTP are skipped. Install it with: apt-get install wrk"

DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "microseconds": %d, "failed": %d, "p50": %d, "p99": %d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""

READ = """
local requests = {}
init = function(args)
  math.randomseed(os.time())
  for token in io.lines("%(tokens)s") do
    requests[#requests + 1] = wrk.format("GET", "%(path)s", {["Cookie"] = "laurels-session=" .. token})
  end
end
request = function() return requests[math.random(#requests)] end
"""

POST = """
local bodies = {}
local next_body = 0
init = function(args)
  wrk.headers["Authorization"] = "Bearer %(key)s"
  wrk.headers["Content-Type"] = "application/json"
  for body in io.lines("%(bodies)s") do bodies[#bodies + 1] = wrk.format("POST", "%(path)s", nil, body) end
end
request = function()
  next_body = next_body + 1
  return bodies[next_body] or bodies[#bodies]
end
"""

MIXED = """
local reads = {}
local writes = {}
local written = 0
init = function(args)
  math.randomseed(os.time())
  for token in io.lines("%(tokens)s") do
    reads[#reads + 1] = wrk.format("GET", "%(read_path)s", {["Cookie"] = "laurels-session=" .. token})
  end
  local headers = {["Authorization"] = "Bearer %(key)s", ["Content-Type"] = "application/json"}
  for body in io.lines("%(bodies)s") do writes[#writes + 1] = wrk.format("POST", "%(path)s", headers, body) end
end
request = function()
  if math.random() < %(reads)s then return reads[math.random(#reads)] end
  written = written + 1
  return writes[written] or writes[#writes]
end
"""


START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: the started process, its workers, and its port."""

    pid: int
    workers: tuple[int, ...]
    port: int

    def get(self, path: str, headers: dict[str, str]) -> bytes:
        """Send one request that is not measured."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()

    def processor_seconds(self) -> float:
        """The processor time that the workers have used."""
        return sum(processor_seconds(pid) for pid in self.workers)


@dataclass(frozen=True, slots=True)
class Load:
    """The results of wrk, and the processor time that the server used."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    processor_seconds: float

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds

    @property
    def microseconds_each(self) -> float:
        """Processor time of one request; other work on the machine affects it less than the rate."""
        return self.processor_seconds / self.requests * 1e6


@contextmanager
def serving(kind: str, what: str, notes: Path, workers: int = 1) -> Iterator[Server]:
    """`bench.serve` in separate processes, until the end of the block."""
    command = [sys.executable, "-m", "bench.serve", kind, what, str(notes), str(workers)]
    for old in notes.glob(f"{READY}*"):
        old.unlink()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {' '.join(command)}")
        pids = (process.pid,) if workers == 1 else _wait_for(process.pid, notes, workers)
        yield Server(process.pid, pids, int(line))
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            for pid in (*children(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


def _wait_for(parent: int, notes: Path, workers: int) -> tuple[int, ...]:
    """Wait until all workers serve, and return their process ids."""
    deadline = time.monotonic() + START_SECONDS
    while len(found := [*notes.glob(f"{READY}*")]) < workers:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(found)} of {workers} workers of process {parent} have started")
        time.sleep(0.05)
    time.sleep(0.5)  # from its application to its first accepted connection
    return tuple(int(file.name.removeprefix(READY)) for file in found)


def has_wrk() -> bool:
    """Whether the load generator is installed."""
    return shutil.which("wrk") is not None


def put_load(server: Server, script: str, seconds: float, connections: int) -> Load:
    """Run a Lua script in wrk: on the other processor, or with several workers on all processors.

    Raises RuntimeError if any request fails.
    """
    pinned = ["taskset", "-c", str(processors()[1])] if len(server.workers) == 1 else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script + DONE, "utf-8")
        command = [*pinned, "wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s"]
        command += ["--timeout", "10s", "-s", str(file), f"http://127.0.0.1:{server.port}"]
        before = server.processor_seconds()
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=False)
        taken = server.processor_seconds() - before
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not found:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    raw = json.loads(found[0].removeprefix("RESULT "))
    if raw["failed"]:
        raise RuntimeError(f"{raw['failed']} of {raw['requests']} requests failed: {done.stdout}")
    return Load(raw["requests"], raw["microseconds"] / 1e6, raw["p50"] / 1000, raw["p99"] / 1000, taken)
