"""What came out of running scenarios: for people, as JSON, and as a JUnit XML file for CI."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from laurels.engine.events import UNSAFE
from laurels.present.base import Answer, UtcTime


class ScenarioDifference(Answer, frozen=True):
    """Something that is not as a scenario expects. `step` is null after the last step; `text` says it in a sentence."""

    step: int | None
    at: UtcTime
    what: str
    expected: str
    actual: str
    text: str


class ScenarioResult(Answer, frozen=True):
    """How one scenario ended. `checks` is how many expectations were compared."""

    file: str
    name: str
    ok: bool
    steps: int
    checks: int
    seconds: float
    differences: list[ScenarioDifference]


class ScenarioResults(Answer, frozen=True):
    """How all scenarios ended."""

    ok: bool
    passed: int
    failed: int
    seconds: float
    scenarios: list[ScenarioResult]


def results_of(results: Sequence[ScenarioResult]) -> ScenarioResults:
    """All results, added up."""
    passed = sum(result.ok for result in results)
    seconds = round(sum(result.seconds for result in results), 3)
    return ScenarioResults(
        ok=passed == len(results),
        passed=passed,
        failed=len(results) - passed,
        seconds=seconds,
        scenarios=list(results),
    )


def junit_xml(results: ScenarioResults) -> bytes:
    """A JUnit XML file: a suite for each scenario file, a case for each scenario, and its differences as its failure."""
    root = ET.Element("testsuites", {"name": "laurels simulate", **_counts(results.scenarios)})
    for file, group in groupby(results.scenarios, key=lambda result: result.file):
        cases = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _xml(file), **_counts(cases)})
        for case in cases:
            _add_case(suite, case)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _add_case(suite: ET.Element, result: ScenarioResult) -> None:
    seconds = f"{result.seconds:.3f}"
    case = ET.SubElement(
        suite, "testcase", classname=_xml(result.file), name=_xml(result.name), file=_xml(result.file), time=seconds
    )
    if not result.ok:
        sentences = [_xml(difference.text) for difference in result.differences]
        ET.SubElement(case, "failure", message=sentences[0], type="difference").text = "\n".join(sentences)


def _counts(results: Sequence[ScenarioResult]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(not result.ok for result in results)),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _xml(text: str) -> str:
    """A text without the control characters that XML does not allow."""
    return UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)
