"""What pip installs: a wheel with every file, few packages without extras, and a clear message where an extra is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import laurels
from laurels import extras
from laurels.errors import MissingExtra
from tests.cli.conftest import environment

ROOT = Path(__file__).parents[1]
PACKAGE = Path(laurels.__file__).parent
SECONDS = 300

NEVER_IMPORTED = {
    "h11": "uvicorn requires it; ours is httptools",
    "packaging": "swagger-ui-py requires it",
    "rich-rst": "cyclopts requires it, for help written in reStructuredText",
}
"""Packages that are installed and not imported, each with its reason."""

EVERYTHING = """
import importlib, pkgutil, re, sys
from importlib import metadata, resources
import laurels
for module in pkgutil.walk_packages(laurels.__path__, "laurels."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from laurels.cli import run
from laurels.server.run import server_config
from laurels.settings import Settings
run(["serve", "--help"])
server_config("", Settings()).get_loop_factory()
resources.files("swagger_ui")
modules = {name.partition(".")[0] for name in sys.modules}
packages = metadata.packages_distributions()
names = {name for module in modules for name in packages.get(module, ())}
print("imported:", *sorted(re.sub(r"[-_.]+", "-", name).lower() for name in names))
"""

EVENT = '{"userId": "ada", "id": "1", "type": "agent.created"}'

LIBRARY = """
from laurels import BlockingLaurels, Event
with BlockingLaurels("sqlite:///library.db") as laurels:
    laurels.record(Event("ada", "1", "agent.created"))
    print(len(laurels.profile("ada").badges))
"""

WITHOUT_EXTRA = """
import asyncio, sys
from laurels import Laurels, MissingExtra
async def use():
    async with Laurels.open("postgresql://laurels@127.0.0.1/laurels"):
        raise AssertionError
for what in (lambda: asyncio.run(use()), lambda: __import__("laurels.server.app")):
    try:
        what()
    except MissingExtra as error:
        print(error)
"""


def project() -> dict[str, list[str]]:
    """The requirements of the library, and those of each extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", one)[0] for one in requirements}


def ran(*command: str | Path, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `pip wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    built = ran(*pip, folder=folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("laurels-*.whl"))


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new virtual environment with the wheel and without extras."""
    folder = tmp_path_factory.mktemp("plain")
    assert ran(sys.executable, "-m", "venv", folder / "venv", folder=folder).returncode == 0
    constraints = folder / "constraints.txt"
    constraints.write_text(re.sub(r" \\\n +--hash=\S+", "", (ROOT / "requirements/run.txt").read_text("utf-8")))
    pip = (folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "-c", constraints, wheel)
    installed = ran(*pip, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "venv/bin"


# ---- the wheel --------------------------------------------------------------------------------


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    in_folder = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as file:
        in_wheel = {name for name in file.namelist() if ".dist-info/" not in name}

    assert in_wheel == in_folder
    for name in ("site/static/laurels.js", "console/templates/base.html", "demo/templates/playground.html"):
        assert f"laurels/{name}" in in_wheel


# ---- without extras ---------------------------------------------------------------------------


@pytest.mark.slow
def test_without_extras_the_library_and_the_commands_work_over_sqlite(plain: Path, tmp_path: Path) -> None:
    database = ("--database", "sqlite:///app.db")

    library = ran(plain / "python", "-c", LIBRARY, folder=tmp_path)
    help_ = ran(plain / "laurels", "--help", folder=tmp_path)
    recorded = ran(plain / "laurels", "record", "-", *database, folder=tmp_path, stdin=EVENT)
    profile = ran(plain / "laurels", "user", "show", "ada", *database, folder=tmp_path)

    assert (library.returncode, library.stderr, library.stdout) == (0, "", "1\n")
    assert (help_.returncode, help_.stderr) == (0, "")
    assert (recorded.returncode, profile.returncode) == (0, 0), recorded.stderr + profile.stderr
    assert "ada" in profile.stdout


@pytest.mark.slow
def test_a_command_that_misses_an_extra_says_how_to_install_it(plain: Path, tmp_path: Path) -> None:
    for extra, command in (
        ("server", ("serve",)),
        ("server", ("demo",)),
        ("server", ("serve", "--help")),
        ("postgres", ("migrate", "--database", "postgresql://laurels@127.0.0.1/laurels")),
        ("postgres", ("leaderboard", "--database", "postgres://laurels@127.0.0.1/laurels")),
    ):
        ended = ran(plain / "laurels", *command, folder=tmp_path)

        assert (ended.returncode, ended.stdout) == (2, ""), command
        assert ended.stderr.endswith(f'packages that are not installed; run: pip install "laurels[{extra}]"\n')
        assert ended.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_library_says_it_too(plain: Path, tmp_path: Path) -> None:
    ended = ran(plain / "python", "-c", WITHOUT_EXTRA, folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        'PostgreSQL needs packages that are not installed; run: pip install "laurels[postgres]"',
        'The HTTP server needs packages that are not installed; run: pip install "laurels[server]"',
    ]


def test_a_missing_extra_is_an_import_error_too_and_other_missing_packages_are_not_extras() -> None:
    assert issubclass(MissingExtra, ImportError)
    assert extras.missing_extra(ModuleNotFoundError(name="uvicorn.config")) is not None
    assert extras.missing_extra(ModuleNotFoundError(name="something")) is None


# ---- what is installed ------------------------------------------------------------------------


def test_the_packages_of_each_extra_are_those_of_the_project() -> None:
    imported_as = {"swagger-ui-py": "swagger_ui"}

    for extra, packages in extras.PACKAGES.items():
        assert {imported_as.get(name, name) for name in names(project()[extra])} == {*packages}
    assert project()["all"] == ["laurels[server,postgres]"]


def test_importing_the_library_loads_neither_server_nor_driver_nor_command_line(tmp_path: Path) -> None:
    heavy = {package for packages in extras.PACKAGES.values() for package in packages} | {"apsw", "rich", "cyclopts"}
    program = "import sys, laurels; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    ended = ran(sys.executable, "-c", program, folder=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert not heavy & {*ended.stdout.split()}


WITHOUT_UNIX = """
import asyncio, sys
sys.modules |= dict.fromkeys(["fcntl", "pwd", "resource"])  # each import of one fails from now on
from laurels import BlockingLaurels, Event
with BlockingLaurels("sqlite:///library.db") as laurels:
    laurels.record(Event("ada", "1", "agent.created"))
    laurels.erase_user("ada")
"""


def test_the_library_needs_no_module_that_windows_lacks(tmp_path: Path) -> None:
    ended = ran(sys.executable, "-c", WITHOUT_UNIX, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_nothing_is_installed_that_is_never_imported(tmp_path: Path) -> None:
    pinned = {*re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/run.txt").read_text("utf-8"), re.MULTILINE)}

    ended = ran(sys.executable, "-c", EVERYTHING, folder=tmp_path)
    imported = {*ended.stdout.rpartition("imported: ")[2].split()}

    assert ended.returncode == 0, ended.stderr
    assert {*NEVER_IMPORTED} == pinned - imported
