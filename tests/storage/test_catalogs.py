"""What every engine stores of a revision of the catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from laurels.engine.succession import Ids
from laurels.storage.contract import CatalogChange, CatalogRow, Store
from tests.support import MONDAY, catalog

pytestmark = pytest.mark.anyio

OF = catalog()


async def apply(store: Store, row: CatalogRow) -> None:
    await store.change_catalog(lambda _: CatalogChange(row), lambda _: Ids())


async def test_how_many_users_were_brought_under_a_revision_is_stored_until_all_were(store: Store) -> None:
    row = CatalogRow(1, OF.text, OF.digest, OF.rules, MONDAY, "anna", "because", silent=True, filled=0)
    await apply(store, row)
    await store.note_filled((1, "another"), 7)
    await store.note_filled((2, OF.digest), 7)
    assert await store.catalog_revisions() == [row]
    await store.note_filled(row.key, 7)
    assert await store.catalog_revisions() == [replace(row, filled=7)]
    await store.note_filled(row.key, 9, MONDAY)
    await store.note_filled(row.key, 8)
    assert await store.catalog_revisions() == [replace(row, filled=9, filled_at=MONDAY)]


async def test_a_revision_without_a_plan_has_no_users_brought_under_it(store: Store) -> None:
    row = CatalogRow(1, OF.text, OF.digest, OF.rules, MONDAY, "anna", "because")
    await apply(store, row)
    await store.note_filled(row.key, 7, MONDAY)
    assert await store.catalog_revisions() == [row]
