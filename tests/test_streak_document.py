"""The published rules and cases of streaks: Laurels reads every case as it says, and each rule has its cases."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs/streaks.md").read_text("utf-8")
RULE = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^#|\n\n)", re.MULTILINE | re.DOTALL)
PROGRAM = ROOT / "examples/check_streak_cases.py"


def runner() -> Any:
    """The published program as a module."""
    spec = util.spec_from_file_location("check_streak_cases", PROGRAM)
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RUNNER = runner()
CASES = {case["name"]: case for case in RUNNER.cases()}


def named(text: str) -> list[str]:
    """The cases that a rule names."""
    _, found, after = text.partition("Case")
    assert found, text
    return re.findall(r"\*([^*]+)\*", " ".join(after.split()))


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_laurels_reads_a_case_as_it_says(case: dict[str, Any]) -> None:
    assert await RUNNER.check(RUNNER.laurels_reads, case) == []


@pytest.mark.anyio
async def test_an_engine_that_fails_a_case_gets_the_difference() -> None:
    async def too_long(case: Any) -> Any:
        reading = await RUNNER.laurels_reads(case)
        return replace(reading, length=reading.length + 1)

    assert await RUNNER.check(too_long, CASES["leap day kept"]) == ["leap day kept: length is 4, and should be 3"]


def test_the_program_runs_on_its_own(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(PROGRAM)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert (ran.returncode, ran.stdout) == (0, f"All {len(CASES)} cases are read as they say.\n"), ran.stderr


def test_the_rules_are_numbered_in_order() -> None:
    assert [int(number) for number, _ in RULE.findall(DOCUMENT)] == list(range(1, 28))


def test_every_rule_names_a_case_that_exists() -> None:
    for number, text in RULE.findall(DOCUMENT):
        assert named(text), number
        assert set(named(text)) <= CASES.keys(), number


def test_every_case_belongs_to_a_rule() -> None:
    assert CASES.keys() == {name for _, text in RULE.findall(DOCUMENT) for name in named(text)}


def test_every_field_of_a_case_is_described() -> None:
    fields = {key for case in CASES.values() for part in (case, case.get("rule", {})) for key in part}

    assert all(f"`{field}`" in DOCUMENT for field in fields), fields


def test_the_cases_hold_those_of_the_conformance_suite() -> None:
    conformance = json.loads((ROOT / "tests/conformance/streaks.json").read_text("utf-8"))["cases"]

    assert all(CASES[case["name"]] == case for case in conformance)
