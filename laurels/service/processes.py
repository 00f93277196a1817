"""Processes that belong to another one: workers of a server, and of a long command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Send this process SIGTERM as soon as the process that started it has ended, even by SIGKILL.

    The system closes a dead process's end of the pipe that multiprocessing keeps between the two, so this needs no polling
    and no signal of one system.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def processors() -> int:
    """How many processors this process may use, as far as the system says; macOS and Windows say how many there are."""
    if sys.platform == "linux" and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
