"""Another floor on PostgreSQL: what `pgbench`, the server's own load generator in C, reaches with equivalent statements."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from bench import postgres
from bench.community import NOON, SESSIONS
from bench.machine import processors
from laurels.storage.codec import to_micros
from laurels.storage.columns import EVENTS, USERS

RANDOM_USER = "(SELECT user_id FROM bench.people WHERE n = :n)"

READ = f"""
\\set n random(1, {SESSIONS})
SELECT s.expires_at FROM bench.people p JOIN sessions s USING (user_id, token_hash) WHERE p.n = :n;
SELECT {USERS} FROM users WHERE user_id = {RANDOM_USER};
SELECT s.user_id, u.name, -s.sort_key, s.reached_at FROM standings s JOIN users u ON u.user_id = s.user_id
WHERE s.board = 'points' AND s.period = 'all' ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT 10;
"""

WRITE = f"""
\\set n random(1, {SESSIONS})
\\set event random(1, 1000000000000000)
BEGIN;
SELECT {USERS} FROM users WHERE user_id = {RANDOM_USER} FOR NO KEY UPDATE;
SELECT {EVENTS} FROM events WHERE user_id = {RANDOM_USER} AND event_id = 'pgbench-' || :event;
UPDATE users SET revision = revision + 1, progress = progress || '' WHERE user_id = {RANDOM_USER};
INSERT INTO events (user_id, event_id, revision, type, occurred_at, recorded_at, day, quantity)
SELECT user_id, 'pgbench-' || :event, revision, 'message.sent', {to_micros(NOON)}, {to_micros(NOON)}, {NOON.toordinal()}, 1
FROM users WHERE user_id = {RANDOM_USER};
COMMIT;
"""


def is_there() -> bool:
    """Whether pgbench is installed."""
    return postgres.programs() is not None


def transactions(address: str, script: str, clients: int, seconds: float) -> float:
    """How often the script ran per second, on the processor where the server would run."""
    folder = postgres.programs()
    assert folder is not None
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "script.sql"
        file.write_text(script, "utf-8")
        command = ["taskset", "-c", str(processors()[0]), str(folder / "pgbench"), "--no-vacuum", "--protocol=prepared"]
        command += [f"--client={clients}", "--jobs=1", f"--time={max(1, round(seconds))}", f"--file={file}", address]
        environment = {**os.environ, "PGOPTIONS": "-c search_path=laurels -c jit=off"}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=seconds + 60, check=False
        )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])
