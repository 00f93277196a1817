"""One word, one meaning: retired names and phrases stay out of the code, the docs and the README."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KINDS_OF_FILE = {".py", ".md", ".html", ".js", ".css", ".sql", ".toml", ".svg", ".json"}

IDENTIFIERS = {
    # a retired identifier in Python code, and what replaced it
    "Told": "ManualState",
    "told": "an applied adjustment, a result, a notification",
    "Tell": "a command",
    "tell": "apply, for an adjustment",
    "Saying": "AdjustmentResult",
    "saying": "AdjustmentResult",
    "Act": "Adjustment",
    "ActRow": "AdjustmentRow",
    "Moment": "Notification, or an instant",
    "moment": "a plain name such as at, now or occurred_at; notification",
    "Desk": "UnitOfWork",
    "desk": "unit_of_work",
    "House": "DecisionContext",
    "house": "context",
    "Kept": "StoredOutcome",
    "Asked": "LoadRequest",
    "Found": "Loaded",
    "Whole": "UserSnapshot",
    "seat": "partition",
    "seats": "partitions",
    "nobody": "an erased user",
    "Plan": "RuleIndex",
    "upkeep": "MaintenanceRun",
    "pulse": "ProcessStatus",
    "climbing": "rank_changes",
    "quiet_days": "days_without_events",
    "survey": "community_report",
}

MODULES = {
    # a retired module, and what replaced it
    "acts": "commands",
    "aliases": "pseudonyms",
    "door": "guards",
    "lines": "pool",
    "listening": "listeners",
    "moving": "copying",
    "plain": "values",
    "reading": "parsing",
    "sharing": "cors",
    "stories": "personas",
    "survey": "report",
    "telling": "adjustments",
    "together": "batching",
}

WIRE = {
    # a pattern of a retired name on the wire, and what replaced it
    r"/acts\b": "/adjustments",
    r"\btellAct\b": "applyAdjustment",
    r"\bact-(?:not-found|conflict|refused)\b": "adjustment-not-found, -conflict, -refused",
    r"\"kind\": \"adjustment\"": '"kind": "points"',
    r"\"undoing\"": '"undo"',
    r"event: moment\b": "event: notification",
    r"\blaurels-moment\b": "laurels-notification",
}

ALLOWED = {
    # a retired identifier that stays in one file, and why
    ("laurels/engine/conditions.py", "moment"): "the name of a field is part of the catalog's fingerprint",
    ("laurels/engine/tiers.py", "moment"): "reads that field",
    ("laurels/cli/record.py", "tell"): "the method of a file",
}

PHRASES = (
    "told",
    "anew",
    "afresh",
    "as of now",
    "behalf",
    "beside",
    "by itself",
    "by themselves",
    "circles",
    "evermore",
    "for ever",
    "forthwith",
    "hear",
    "heed",
    "hence",
    "henceforth",
    "herein",
    "in the stead",
    "is no more",
    "lest",
    "of whom",
    "shall",
    "thence",
    "thereby",
    "therein",
    "thereof",
    "thereupon",
    "upon",
    "wherein",
    "whereby",
    "with whom",
    "mend",
    "mends",
    "mended",
    "whoever",
    "nobody",
    "nobody's",
    "somebody",
    "somebody's",
    "everybody",
    "everybody's",
    "so many",
)

Find = Callable[[Path], Iterator[tuple[int, str]]]


@cache
def files(*folders: str) -> tuple[Path, ...]:
    """The text files in these folders; a name with a suffix is a file of its own."""
    paths = (ROOT / name for name in folders)
    return tuple(
        file
        for path in paths
        for file in ([path] if path.suffix else sorted(path.rglob("*")))
        if file.suffix in KINDS_OF_FILE and not migration(file)
    )


def migration(path: Path) -> bool:
    """Whether this is a migration: one that has run never changes."""
    return path.parent.name == "migrations"


@cache
def names(path: Path) -> tuple[tuple[int, str], ...]:
    """Every identifier in a Python file with its line; no comments and no strings."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    return tuple((token.start[0], token.string) for token in tokens if token.type == tokenize.NAME)


def matches(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Every match of a pattern with its line."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        yield from ((number, match[0]) for match in pattern.finditer(line))


def places(paths: tuple[Path, ...], find: Find) -> str:
    """Where `find` finds something, as 'file:line: word', one per line."""
    shown = ((path.relative_to(ROOT).as_posix(), number, word) for path in paths for number, word in find(path))
    return "\n".join(f"{path}:{number}: {word}" for path, number, word in shown)


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_a_retired_identifier_does_not_come_back(name: str) -> None:
    code = tuple(path for path in files("laurels", "docs", "bench", "examples") if path.suffix == ".py")
    code = tuple(path for path in code if (path.relative_to(ROOT).as_posix(), name) not in ALLOWED)

    found = places(code, lambda path: ((number, found) for number, found in names(path) if found == name))

    assert not found, f"use {IDENTIFIERS[name]}:\n{found}"


@pytest.mark.parametrize("name", MODULES)
def test_a_retired_module_does_not_come_back(name: str) -> None:
    found = [
        path for path in (ROOT / "laurels").rglob("*") if path.stem == name and (path.is_dir() or path.suffix == ".py")
    ]

    assert not found, f"use {MODULES[name]}"


@pytest.mark.parametrize("pattern", WIRE)
def test_a_retired_name_on_the_wire_does_not_come_back(pattern: str) -> None:
    found = places(files("laurels", "docs", "README.md"), lambda path: matches(path, re.compile(pattern)))

    assert not found, f"use {WIRE[pattern]}:\n{found}"


@pytest.mark.parametrize("phrase", PHRASES)
def test_an_old_phrase_does_not_come_back(phrase: str) -> None:
    pattern = re.compile(rf"(?<![\w'-]){re.escape(phrase)}(?![\w'-])", re.IGNORECASE)

    found = places(
        files("laurels", "docs", "bench", "examples", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
        lambda path: matches(path, pattern),
    )

    assert not found, found
