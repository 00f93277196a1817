"""The docs are correct: every snippet runs; every setting, command, condition and problem is documented."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs import catalog_reference, settings_table
from docs.pictures import MOST_BYTES, PICTURES
from laurels import Catalog, Laurels, testing
from laurels.engine.conditions import KINDS
from laurels.engine.leaderboards import ORDERS, SOURCES, TIES
from laurels.engine.periods import KINDS as KINDS_OF_PERIOD
from laurels.http.endpoints import API
from laurels.http.problems import ALL_KINDS
from laurels.settings import Settings, read_settings
from laurels.storage.columns import TABLES
from tests.support import postgres

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"^make (\w+)", re.MULTILINE)


SERVER = re.compile(r"postgresql://laurels@db/\w+")
"""How the docs write the address of a PostgreSQL database; each distinct one becomes an empty database."""


def blocks(document: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(document.read_text("utf-8")) if found == language]


def snippets(language: str, *without: Path) -> list[pytest.param]:
    return [
        pytest.param(text, id=f"{document.relative_to(ROOT)}-{index}")
        for document in DOCUMENTS
        if document not in without
        for index, text in enumerate(blocks(document, language), start=1)
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("snippet", snippets("python"))
def test_a_python_snippet_runs(snippet: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.returncode == 0, ran.stderr


def test_every_python_snippet_passes_mypy_strict(tmp_path: Path) -> None:
    for index, snippet in enumerate(snippets("python")):
        (tmp_path / f"snippet_{index}_{re.sub(r'[^0-9a-z]', '_', str(snippet.id).lower())}.py").write_text(
            str(snippet.values[0]), "utf-8"
        )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path / 'cache'}", "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_command_has_a_password_in_an_address() -> None:
    for document in DOCUMENTS:
        for text in [*blocks(document, "sh"), *blocks(document, "text")]:
            assert not re.search(r"://[^/\s@:]+:[^/\s@]+@", text), document.name


@pytest.mark.parametrize("document", [pytest.param(d, id=d.name) for d in DOCUMENTS if blocks(d, "sh")])
def test_the_shell_snippets_of_a_document_run_in_order(document: Path, tmp_path: Path) -> None:
    script = "\n".join(text for text in blocks(document, "sh") if not MAKE.search(text))
    with contextlib.ExitStack() as databases:
        for shown in sorted({*SERVER.findall(script)}):
            script = script.replace(shown, databases.enter_context(postgres.database()))
        run_shell(script, tmp_path)


def run_shell(script: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LAURELS_PORT": str(port),
    }
    strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body --show-error "$@"; echo; }\n'
    log = tmp_path / "shell.log"
    with log.open("w") as file:
        shell = subprocess.Popen(
            [shutil.which("bash") or "bash", "-c", strict + script.replace(":8000", f":{port}")],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=300)
        finally:
            _end_group(shell.pid)

    assert code == 0, log.read_text()
    assert '"rejected":0' in log.read_text() or "/events" not in script


def _end_group(group: int) -> None:
    """Stop the servers that a script left running in the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


SETTINGS = ROOT / "docs/settings.md"
CONSOLE = ROOT / "docs/console.md"


@pytest.mark.parametrize("snippet", [*blocks(SETTINGS, "toml"), *blocks(CONSOLE, "toml")])
def test_a_settings_snippet_is_valid(snippet: str, tmp_path: Path) -> None:
    (tmp_path / "laurels.toml").write_text(snippet, "utf-8")

    assert read_settings({}, {}, tmp_path)[0] != Settings()


@pytest.mark.parametrize("snippet", snippets("toml", SETTINGS, CONSOLE))
def test_a_catalog_snippet_is_valid(snippet: str) -> None:
    whole = snippet if "[levels]" in snippet else _within_the_default(snippet)

    assert Catalog.parse(whole).badges


def _within_the_default(snippet: str) -> str:
    """A snippet with leaderboards or metrics is added to the default catalog; one with a badge replaces that badge."""
    if snippet.startswith(("[[leaderboards]]", "[metrics.")):
        return (ROOT / "laurels/engine/default.toml").read_text("utf-8") + "\n" + snippet
    return _with_badge(snippet)


def _with_badge(badge: str) -> str:
    text = (ROOT / "laurels/engine/default.toml").read_text("utf-8")
    badge_id = re.search(r'^id = "(\w+)"', badge, re.MULTILINE)
    assert badge_id
    entries = text.split("[[badges]]")
    kept = [entry for entry in entries if f'id = "{badge_id[1]}"' not in entry]
    assert len(kept) == len(entries) - 1
    return "[[badges]]".join(kept) + "\n" + badge


def test_every_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {target for document in DOCUMENTS for text in blocks(document, "sh") for target in MAKE.findall(text)}

    assert shown <= targets
    assert {"demo", "test"} <= shown


def test_every_setting_is_documented_as_its_field_declares_it() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")

    assert settings_table.table() in text, "run: python -m docs.settings_table"


def test_the_reference_of_the_catalog_is_made_from_its_declarations() -> None:
    text = (ROOT / "docs/catalog-reference.md").read_text("utf-8")

    assert catalog_reference.reference() == text, "run: python -m docs.catalog_reference"


def test_every_kind_of_condition_is_documented() -> None:
    text = (ROOT / "docs/catalog.md").read_text("utf-8")

    assert all(f"{kind} = " in text for kind in KINDS)


def test_the_parameters_of_open_are_documented_under_their_names() -> None:
    section = (ROOT / "docs/library.md").read_text("utf-8").split("### Settings")[1].split("###")[0]
    rows = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)

    assert rows == list(inspect.signature(Laurels.open).parameters)[1:]


def test_the_keywords_of_the_sandboxes_are_documented_under_their_names() -> None:
    sentence = (ROOT / "docs/testing.md").read_text("utf-8").split("the keywords ")[1].split(".\n")[0]

    for sandbox in (testing.sandbox, testing.blocking_sandbox):
        keywords = [name for name in inspect.signature(sandbox).parameters if name != "catalog"]
        assert re.findall(r"`([^`]+)`", sentence) == keywords


def test_every_key_of_a_streak_is_documented_under_its_name() -> None:
    section = (ROOT / "docs/catalog.md").read_text("utf-8").split("## Streaks")[1].split("\n## ")[0]
    rows = [
        row
        for first in re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
        for row in re.findall(r"`([^`]+)`", first)
    ]
    source = (ROOT / "laurels/engine/streaks.py").read_text("utf-8")
    read = re.findall(r'table\.(?!fault)\w+\("(\w+)"', source)

    assert set(rows) == {*read, "where"}


def test_every_key_of_a_leaderboard_is_documented_with_its_choices() -> None:
    text = (ROOT / "docs/leaderboards.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    read = re.findall(r'table\.\w+\("(\w+)"', (ROOT / "laurels/engine/leaderboards.py").read_text("utf-8"))

    assert len(set(read)) > 8
    assert set(rows) >= set(read)
    for key, choices in (("by", SOURCES), ("period", KINDS_OF_PERIOD), ("order", ORDERS)):
        assert all(f'"{choice}"' in rows[key] for choice in choices), key
    assert all(f'| `"{tie}"` |' in text for tie in TIES)


def test_every_picture_has_a_title_a_description_and_both_color_schemes() -> None:
    pictures = sorted((ROOT / "docs").rglob("*.svg"))

    assert pictures
    for picture in pictures:
        text = picture.read_text("utf-8")
        assert all(part in text for part in ("<title", "<desc", "prefers-color-scheme: dark", 'role="img"')), picture
        assert ET.fromstring(text).get("viewBox")
        shown = re.compile(rf"\]\((?:docs/)?{re.escape(picture.name)}\)")
        assert any(shown.search(document.read_text("utf-8")) for document in DOCUMENTS), picture


def test_every_screenshot_in_the_docs_has_a_row_in_pictures_and_is_small() -> None:
    made = {picture.file for picture in PICTURES}
    shown = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for target in re.findall(r"[(\"]([^()\"\s]+\.png)[)\"]", document.read_text("utf-8"))
    }

    assert len(made) == len(PICTURES)
    assert shown <= made
    assert {*(ROOT / "docs/pictures").iterdir()} == made
    assert all(picture.stat().st_size <= MOST_BYTES for picture in made)


def test_every_kind_of_problem_is_documented_with_its_fix() -> None:
    text = (ROOT / "docs/problems.md").read_text("utf-8")

    for kind in ALL_KINDS:
        assert f"## {kind.code}\n" in text
        assert f"{kind.title}. Status {kind.status}" in text
        assert kind.fix in text


SHOWN = {
    "{userId}": "ada",
    "{eventId}": "agent-1",
    "{adjustmentId}": "grant-1",
    "{badgeId}": "message_100",
    "{number}": "1",
    "{amnestyId}": "$AMNESTY",
    "{sessionId}": "$SESSION",
    "{board}": "weekly",
}


def test_every_address_is_documented() -> None:
    text = (ROOT / "docs/http.md").read_text("utf-8")

    for one in API:
        shown = "/".join(SHOWN.get(part, part) for part in one.path.split("/"))
        assert any(shown.replace("/ada", f"/{user}") in text for user in ("ada", "cyd")), one.path


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text("utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "laurels", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    commands = re.findall(r"^│ (\w+)", ran.stdout, re.MULTILINE)

    assert {"serve", "demo", "record"} <= set(commands)
    assert all(f"laurels {command}" in text for command in commands)


def test_links_between_documents_work() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_inventory_of_data_has_every_table() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    inventory = text.partition("\n## Data\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", inventory)) >= {*TABLES, "tallies"}
