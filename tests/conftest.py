from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from laurels.storage import open_store
from laurels.storage.contract import Store
from tests.support import ENGINES, postgres
from tests.support.external import EXTERNAL_NEEDS
from tests.support.fixtures import filed, home, work  # noqa: F401  # fixtures of several packages

settings.register_profile(
    "laurels",
    derandomize=True,  # the same examples on every run: a red test is a finding, never luck
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("laurels")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs_external(name): needs something of EXTERNAL_NEEDS; skips where it is missing"
    )
    if not hasattr(config, "workerinput"):  # this process began the run
        postgres.begin_run()
        config.add_cleanup(postgres.end_run)


def external_needs(item: pytest.Item) -> list[str]:
    """The names of what this test needs from outside. Raises KeyError for a name that is not in the list."""
    names = [str(mark.args[0]) for mark in item.iter_markers("needs_external")]
    return [name for name in names if EXTERNAL_NEEDS[name]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With LAURELS_TEST_NO_SKIP set, as in CI, a skipped test has failed, unless it is marked `needs_external`."""
    report = yield
    no_skip = os.environ.get("LAURELS_TEST_NO_SKIP") and not external_needs(item)
    if report.skipped and no_skip and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With LAURELS_TEST_NO_SKIP set, a failure is printed at once: a run that is stopped early still says what failed."""
    if report.failed and os.environ.get("LAURELS_TEST_NO_SKIP") and not os.environ.get("PYTEST_XDIST_WORKER"):
        print(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext}", flush=True)  # noqa: T201


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine of storage, one test for each."""
    return request.param


@pytest.fixture
def database(engine: str, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of this engine."""
    with ENGINES[engine](tmp_path) as address:
        yield address


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """An empty store with its schema, one test for each engine."""
    store = open_store(database)
    await store.migrate()
    yield store
    await store.close()
