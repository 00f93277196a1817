"""A file that earlier versions judged by is adopted, also where its fingerprint has changed since."""

from __future__ import annotations

import pytest

from laurels import Event, Laurels
from laurels.engine.catalog import Catalog
from laurels.errors import CatalogDiffers
from laurels.service.admin import Admin
from tests.support import catalog, count, sql

pytestmark = pytest.mark.anyio

OF_ERRORS = {"kind": "sum", "events": ["run"], "of": "errors"}
CHANGED = {
    "the lowest of a sum over data": catalog(
        metrics={"errors": OF_ERRORS},
        leaderboards=[{"id": "b", "by": "metric", "of": "errors", "order": "lowest", "period": "week"}],
    ),
    "teams of hidden users": catalog(
        metrics={"runs": count("run")},
        leaderboards=[{"id": "b", "by": "metric", "of": "runs", "teams": "team:", "visibility": "hidden"}],
    ),
}


async def as_an_earlier_version(database: str, judged_by: str, of: Catalog) -> None:
    """Two users with events, judged by this fingerprint, in a database without revisions."""
    async with Laurels.open(database, of) as laurels:
        await laurels.record_many([Event(user, "1", "run", data={"errors": 0}) for user in ("ada", "bob")])
        await sql(laurels.store, f"UPDATE users SET rules = '{judged_by}' RETURNING 1")
        await sql(laurels.store, "DELETE FROM catalog_revisions RETURNING 1")


@pytest.mark.parametrize("engine", ["sqlite-file", "postgresql"])
@pytest.mark.parametrize("of", CHANGED.values(), ids=CHANGED)
async def test_the_file_by_which_users_were_judged_is_adopted_under_its_earlier_fingerprint(
    database: str, of: Catalog
) -> None:
    assert of.rules != of.rules_before
    await as_an_earlier_version(database, of.rules_before, of)
    async with Laurels.open(database, of) as laurels:
        assert await Admin(laurels).verify("ada") == []
        await laurels.record(Event("ada", "2", "run", data={"errors": 0}))
        assert [row.number for row in await laurels.store.catalog_revisions()] == [1]


async def test_another_file_is_still_refused(file: str) -> None:
    of = CHANGED["teams of hidden users"]
    await as_an_earlier_version(file, of.rules_before, of)
    with pytest.raises(CatalogDiffers, match="judged under other rules"):
        async with Laurels.open(file, CHANGED["the lowest of a sum over data"]):
            pass


@pytest.fixture
def file(tmp_path: object) -> str:
    return f"sqlite:///{tmp_path}/laurels.db"


def test_no_other_fingerprint_has_changed() -> None:
    assert Catalog.default().rules == Catalog.default().rules_before
