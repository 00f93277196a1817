"""The rig: some workers that live through a story over one database, and incidents that break things under them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Incident = Callable[[random.Random], None]
"""Something that goes wrong. It returns when it is over, or goes on by itself."""


class Rig:
    """Workers over one database. Each is a process, which is started again when it is killed."""

    def __init__(self, database: str, folder: Path, seed: int, workers: int) -> None:
        self.database = database
        self.seed = seed
        self.folder = folder
        self.workers = workers
        self.lives: Counter[int] = Counter()
        self.happened: Counter[str] = Counter()
        self._living: dict[int, int] = {}
        self._began = time.time()
        self._stop = folder / "stop"
        self._nursery: subprocess.Popen[str] | None = None

    @contextmanager
    def alive(self) -> Iterator[None]:
        """All workers at work; whatever happens, none is left."""
        command = [sys.executable, "-m", "tests.torture.child"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as self._nursery:
            try:
                for worker in range(self.workers):
                    self.start(worker)
                yield
            finally:
                for process in self._living.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                assert self._nursery.stdin
                self._nursery.stdin.close()

    def _tell(self, order: Any) -> int:
        assert self._nursery
        assert self._nursery.stdin
        assert self._nursery.stdout
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def start(self, worker: int, quota: int | None = None) -> None:
        """Let a worker live, perhaps under a limit on the size of files."""
        self._living[worker] = self._tell(
            {
                "database": self.database,
                "seed": self.seed,
                "worker": worker,
                "workers": self.workers,
                "life": self.lives[worker],
                "began": self._began,
                "log": str(self.log_of(worker)),
                "stop": str(self._stop),
                "quota": quota,
            }
        )
        self.lives[worker] += 1

    def log_of(self, worker: int) -> Path:
        return self.folder / f"worker-{worker}.log"

    def kill_one(self, dice: random.Random, quota: int | None = None) -> None:
        """End a worker in the middle of whatever it does, and let it live again."""
        worker = dice.randrange(self.workers)
        process = self._living.pop(worker)
        os.kill(process, signal.SIGKILL)
        assert self._tell(process) == -signal.SIGKILL
        self.start(worker, quota)

    def suffer(self, incidents: dict[str, Incident], seconds: float, tell: Callable[[str], None]) -> None:
        """Let these things happen, each at least once, and drawn by the seed, for so long; tell of each."""
        dice = random.Random(f"{self.seed} incidents")
        deadline = time.monotonic() + seconds
        names = [*incidents]
        while time.monotonic() < deadline or len(self.happened) < len(incidents):
            time.sleep(dice.uniform(0.05, 0.4))
            name = (
                names[sum(self.happened.values())] if sum(self.happened.values()) < len(names) else dice.choice(names)
            )
            tell(name)
            incidents[name](dice)
            self.happened[name] += 1

    def end(self) -> None:
        """Tell all workers to stop, and wait for them."""
        self._stop.touch()
        for worker, process in [*self._living.items()]:
            code = self._tell(process)
            del self._living[worker]
            assert code == 0, f"worker {worker} ended with {code}"

    def lines(self) -> list[dict[str, Any]]:
        """All that the workers have written, each line with its worker."""
        return [
            {**json.loads(line), "worker": worker}
            for worker in range(self.workers)
            for line in self.log_of(worker).read_text().splitlines()
        ]
