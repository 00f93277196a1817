"""What Laurels is built from: all of it is pinned, listed, and looked up among known vulnerabilities."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import sbom

REQUIREMENTS = sbom.ROOT / "requirements"
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Package -> version of one of the pinned lists."""
    return dict(PIN.findall((REQUIREMENTS / name).read_text("utf-8")))


@pytest.mark.parametrize("name", ["run.txt", "build.txt", "test.txt"])
def test_every_package_is_pinned_with_hashes_and_no_address(name: str) -> None:
    text = (REQUIREMENTS / name).read_text("utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]

    assert len(entries) == len(pins(name)) > 0
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "index-url" not in re.sub(r"--no-emit-index-url", "", text)


def test_the_packages_that_build_laurels_are_pinned() -> None:
    build = tomllib.loads((sbom.ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]

    assert build == [f"hatchling=={pins('build.txt')['hatchling']}"]


def test_the_bill_of_materials_lists_every_package_with_its_hashes(tmp_path: Path) -> None:
    components = sbom.write(tmp_path / "sbom.json")["components"]

    assert {one["name"]: one["version"] for one in components} == pins("run.txt")
    for one in components:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert any(reference.get("hashes") for reference in one["externalReferences"]), one["name"]


@pytest.mark.needs_external("vulnerabilities")
def test_no_package_has_a_known_vulnerability() -> None:
    command = ["-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    files = [argument for name in ("run.txt", "build.txt") for argument in ("-r", str(REQUIREMENTS / name))]
    done = subprocess.run([sys.executable, *command, *files], capture_output=True, text=True, timeout=300, check=False)

    if not done.stdout.startswith("{"):
        pytest.skip(f"the source of known vulnerabilities cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    found = json.loads(done.stdout)["dependencies"]
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if len(unknown) == len(found):
        pytest.skip("the source of known vulnerabilities cannot be reached: it knows none of the packages")
    assert unknown == []
    assert [one for one in found if one["vulns"]] == []
