"""The software bill of materials: every package that runs Laurels, with its version and hashes.

`python -m tests.support.sbom FILE` writes it as CycloneDX JSON, and prints how many packages it has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PINNED = ROOT / "requirements" / "run.txt"


def write(file: Path) -> dict[str, Any]:
    """Write it to a file, and return it. Made from the pinned packages, so that every machine writes the same list."""
    command = ["-m", "cyclonedx_py", "requirements", str(PINNED), "--pyproject", str(ROOT / "pyproject.toml")]
    options = ["--output-format", "JSON", "--output-reproducible", "--output-file", str(file)]
    subprocess.run([sys.executable, "-W", "ignore::UserWarning", *command, *options], check=True)
    return json.loads(file.read_text("utf-8"))


if __name__ == "__main__":
    written = write(Path(sys.argv[1]))
    print(f"{sys.argv[1]}: {len(written['components'])} packages")  # noqa: T201  # this is what the command is for
