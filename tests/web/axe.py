"""axe-core, which finds what keeps people from using a page. No part of Laurels: npm fetches it once, for the tests."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
MEMBER = "package/axe.min.js"
FOLDER = Path(__file__).parent.parent.parent / ".cache"
SECONDS = 120


def axe_script() -> str:
    """The text of axe-core: the file that LAURELS_TEST_AXE names, or else VERSION; where there is none, the test is skipped."""
    if named := os.environ.get("LAURELS_TEST_AXE"):
        return Path(named).read_text("utf-8")
    text, why = _kept()
    if text is None:
        pytest.skip(f"needs axe-core {VERSION}: install npm, or name axe.min.js in LAURELS_TEST_AXE ({why})")
    return text


@cache
def _kept() -> tuple[str | None, str]:
    """The script, kept in FOLDER since it was first fetched; or None and why there is none."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"axe-core-{VERSION}.js"
    with (FOLDER / "axe-core.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the test processes fetches, the others wait
        if not file.exists():
            body, why = _fetch()
            if body is None:
                return None, why
            part = file.with_suffix(".part")
            part.write_bytes(body)
            part.replace(file)
    body = file.read_bytes()
    assert hashlib.sha256(body).hexdigest() == SHA256, f"{file} is not axe-core {VERSION}; delete it"
    return body.decode(), ""


def _fetch() -> tuple[bytes | None, str]:
    npm = shutil.which("npm")
    if npm is None:
        return None, "there is no npm"
    with tempfile.TemporaryDirectory() as folder:
        pack = (npm, "pack", f"axe-core@{VERSION}", "--silent", "--fetch-retries=1", "--pack-destination", folder)
        try:
            ran = subprocess.run(pack, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None, f"npm said nothing for {SECONDS} seconds"
        packed = Path(folder) / f"axe-core-{VERSION}.tgz"
        if ran.returncode or not packed.exists():
            return None, f"npm: {ran.stderr.strip() or ran.returncode}"
        with tarfile.open(fileobj=io.BytesIO(packed.read_bytes())) as archive:
            member = archive.extractfile(MEMBER)
            assert member
            return member.read(), ""
