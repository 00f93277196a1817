"""The machine: its processors, its versions, where files live between runs, and what a process holds in memory."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from laurels.storage.sqlite import driver

RESULTS = Path(__file__).parent / "results.json"


def processors() -> tuple[int, int]:
    """The processor for what is measured, and another one for the load generator (the same if there is only one)."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin(processor: int) -> None:
    """Pin this process, and those that it starts from now on, to one processor."""
    os.sched_setaffinity(0, {processor})


def cache_folder() -> Path:
    """Where databases are stored between runs: on a real disk, because in memory a commit costs nothing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "laurels-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process, in MB. Pages of mapped files are shared with every process that maps them."""

    own: float
    mapped: float


def memory_of(pid: int) -> Memory:
    """Resident memory, from /proc."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    values = {name: value for name, _, value in (line.partition(":") for line in lines)}
    own, mapped = (int(values[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    return Memory(own, mapped)


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used, including that in the kernel."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text("utf-8").split()] if listed.exists() else []


def versions() -> dict[str, str]:
    """The versions of what was measured and of its environment."""
    return {
        "python": platform.python_version(),
        "sqlite": driver.version(),
        "asyncpg": metadata.version("asyncpg"),
        "uvicorn": metadata.version("uvicorn"),
        "msgspec": metadata.version("msgspec"),
        "laurels": metadata.version("laurels"),
        "processor": f"{_processor_name()}, {os.cpu_count()} cores",
    }


def _processor_name() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.processor()
