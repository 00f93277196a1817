"""A small filesystem that can be filled to its last byte."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK = b"\0" * 65536


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A folder on a filesystem of this size alone; the test is skipped where none may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="laurels-disk-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "laurels-torture", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"needs the right to mount a small filesystem, to fill it: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(BLOCK)


def empty(folder: Path) -> None:
    """Give the room back."""
    (folder / "ballast").unlink(missing_ok=True)
