"""What a test may need that cannot be installed everywhere.

`python -m tests.support.external` prints the list; `.ci/run` does so last.
"""

from __future__ import annotations

EXTERNAL_NEEDS: dict[str, str] = {"vulnerabilities": "a source of known vulnerabilities of Python packages"}
"""Each name, and what it is. Only a test marked `needs_external(NAME)` may skip in CI."""


if __name__ == "__main__":
    listed = "; ".join(f"{name} ({what})" for name, what in EXTERNAL_NEEDS.items())
    print(f"External needs: {listed or 'none'}")  # noqa: T201  # this is what the command is for
