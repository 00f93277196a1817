"""Revisions of the catalog in the console: who applied which, how, and how they differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from tests.support import badge, catalog, catalog_text, count
from tests.support.app import App, event, open_app
from tests.support.operator import operator_over

pytestmark = pytest.mark.anyio

RULES: dict[str, Any] = {"metrics": {"m": count("m")}, "badges": [badge("two", 50, metric="m", at_least=2)]}
EASIER = catalog_text(**{**RULES, "badges": [badge("two", 60, metric="m", at_least=1)]})
DEARER = catalog_text(**{**RULES, "badges": [badge("two", 70, metric="m", at_least=1)]})


@pytest.fixture
async def one() -> AsyncIterator[App]:
    """A user, and three revisions: the first, one without a plan, and one with a plan and silent."""
    async with open_app(catalog(**RULES)) as home:
        await home.record(event("ada", "m"))
        admin = Admin(home.laurels)
        await admin.apply_catalog(Catalog.parse(EASIER), "easier", "bea")
        dearer = Catalog.parse(DEARER)
        plan = await admin.plan_catalog(dearer, silent=True)
        await admin.apply_catalog(dearer, "worth <more>", "cem", plan=plan.token, silent=True)
        yield home


async def test_revisions_say_who_applied_them_why_and_how(one: App) -> None:
    async with operator_over(one, role="viewer") as work:
        page = await work.page("/console/catalog/revisions")

    assert "Revision 3 in force" in page.text
    assert page.text.index("Revision 3") < page.text.index("Revision 2") < page.text.index("Revision 1")
    assert "a program for bea easier notified as users are read" in page.text
    assert "a program for cem worth <more> not notified" in page.text


async def test_a_revision_shows_its_text_and_what_it_changed(one: App) -> None:
    async with operator_over(one, role="viewer") as work:
        page = await work.page("/console/catalog/revisions/2")
        first = await work.page("/console/catalog/revisions/1")

    assert "badges 'two'.points: from 50 to 60" in page.text
    assert "badges 'two'.when: from '2 m' to '1 m'" in page.text
    assert "Each user when next read or written" in page.text
    assert " ".join(EASIER.split()) in page.text
    assert page.form("/differences").fields == {"to": "2", "from": "3"}
    assert "It is the first revision." in first.text


async def test_two_revisions_are_compared_in_both_directions(one: App) -> None:
    async with operator_over(one, role="viewer") as work:
        forward = await work.page("/console/catalog/differences?from=1&to=3")
        back = await work.page("/console/catalog/differences?from=3&to=1")
        same = await work.page("/console/catalog/differences?from=2&to=2")

    assert "badges 'two'.points: from 50 to 70" in forward.text
    assert "badges 'two'.points: from 70 to 50" in back.text
    assert "Nothing but comments differs." in same.text


@pytest.mark.parametrize("path", ["revisions/4", "revisions/0", "revisions/01", "differences?from=1&to=x"])
async def test_a_revision_that_does_not_exist_is_not_found(one: App, path: str) -> None:
    async with operator_over(one) as work:
        assert (await work.client.get(f"/console/catalog/{path}")).status_code == 404


async def test_without_a_user_there_is_no_revision() -> None:
    async with open_app(catalog(**RULES)) as home, operator_over(home) as work:
        assert "No revisions yet" in (await work.page("/console/catalog/revisions")).text
