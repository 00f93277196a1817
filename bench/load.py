"""Servers as child processes, and the load that wrk puts on them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import processor_seconds, processors

WRK_MISSING = "wrk is not installed: all that is measured over HTTP is skipped. Install it with: apt-get install wrk"

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


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    pid: int
    port: int

    def get(self, path: str, headers: dict[str, str]) -> bytes:
        """One request, outside of any measure."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw, and the processor time that the server took for it."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    processor_seconds: float

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds

    @property
    def microseconds_each(self) -> float:
        """Processor time of one request: what others do on the machine bears less on it than on the rate."""
        return self.processor_seconds / self.requests * 1e6


@contextmanager
def serving(kind: str, *arguments: Path) -> Iterator[Server]:
    """`bench.serve` in a process of its own, from here until the end of the block."""
    command = [sys.executable, "-m", "bench.serve", kind, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {' '.join(command)}")
        yield Server(process.pid, int(line))
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def has_wrk() -> bool:
    """Whether the load generator is there."""
    return shutil.which("wrk") is not None


def put_load(server: Server, script: str, seconds: float, connections: int) -> Load:
    """Run a Lua script in wrk on the other processor, for so long. Raises RuntimeError when any request fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script + DONE, "utf-8")
        command = ["taskset", "-c", str(processors()[1]), "wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s"]
        command += ["--timeout", "10s", "-s", str(file), f"http://127.0.0.1:{server.port}"]
        before = processor_seconds(server.pid)
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=False)
        taken = processor_seconds(server.pid) - before
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not found:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    raw = json.loads(found[0].removeprefix("RESULT "))
    if raw["failed"]:
        raise RuntimeError(f"{raw['failed']} of {raw['requests']} requests failed: {done.stdout}")
    return Load(raw["requests"], raw["microseconds"] / 1e6, raw["p50"] / 1000, raw["p99"] / 1000, taken)
