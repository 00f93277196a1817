"""Reading, planning and applying catalogs over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from laurels.auth.keys import Rights, create_key
from laurels.http import plan_streams
from laurels.service import planning
from laurels.service.admin import Admin
from tests.support import badge, catalog, catalog_text, count, sql
from tests.support.app import CATALOG, App, event, open_app

pytestmark = pytest.mark.anyio

RULES: dict[str, Any] = {"metrics": {"m": count("m")}, "badges": [badge("two", 50, metric="m", at_least=2)]}
EASIER = catalog_text(**{**RULES, "badges": [badge("two", 60, metric="m", at_least=1)]})
PLANS, REVISIONS = f"{CATALOG}/plans", f"{CATALOG}/revisions"


@pytest.fixture
async def one() -> AsyncIterator[App]:
    """Two users, one of whom has a badge; EASIER gives it to the other one, too."""
    async with open_app(catalog(**RULES)) as home:
        await home.record(event("ada", "m"), event("bob", "m", "m-1"), event("bob", "m", "m-2"))
        yield home


async def post(one: App, path: str, key: str | None = None, **body: Any) -> httpx2.Response:
    headers = one.by_key if key is None else {"authorization": f"Bearer {key}"}
    return await one.client.post(path, json=body, headers=headers)


def lines(answer: httpx2.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


async def plan(one: App, **body: Any) -> Any:
    """The plan in the last line."""
    return lines(await post(one, PLANS, **body))[-1]["plan"]


async def get(one: App, path: str) -> httpx2.Response:
    return await one.client.get(path, headers=one.by_key)


async def test_revisions_say_who_when_and_why_and_one_has_its_text(one: App) -> None:
    listed = (await get(one, REVISIONS)).json()
    shown = (await get(one, f"{REVISIONS}/1")).json()

    assert listed["users"] == 2
    assert [(row["number"], row["reason"], row["silent"]) for row in listed["revisions"]] == [
        (1, "the first user", False)
    ]
    assert "text" not in listed["revisions"][0]
    assert shown == {**listed["revisions"][0], "text": catalog(**RULES).text}


@pytest.mark.parametrize("number", ["2", "0", "x", "01"])
async def test_a_revision_that_does_not_exist_is_not_found(one: App, number: str) -> None:
    answer = await get(one, f"{REVISIONS}/{number}")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/revision-not-found")


async def test_a_plan_says_what_applying_would_do_and_stores_nothing(one: App) -> None:
    (last,) = lines(await post(one, PLANS, text=EASIER))
    made = last["plan"]

    assert (last["done"], last["of"]) == (2, 2)
    assert (made["base"], made["basis"], made["affected"], made["silent"]) == (1, "progress", 1, False)
    assert made["differences"] == ["badges 'two'.points: from 50 to 60", "badges 'two'.when: from '2 m' to '1 m'"]
    assert made["warnings"] == ["the points of all users grow by 120.0 %, from 50 to 110"]
    assert [user["userId"] for user in made["mostAffected"]] == ["ada"]
    assert made["token"].startswith("plan-")
    assert len((await get(one, REVISIONS)).json()["revisions"]) == 1
    assert (await plan(one, text=EASIER, inflation=200))["warnings"] == []


async def test_a_plan_is_applied_and_users_are_brought_under_it_in_the_background(one: App) -> None:
    one.clock.advance(seconds=1)
    token = (await plan(one, text=EASIER))["token"]
    answer = await post(one, REVISIONS, text=EASIER, plan=token, reason="too hard", actor="anna")
    applied = answer.json()

    assert (answer.status_code, applied["isNew"], applied["moved"]) == (200, True, [])
    revision = applied["revision"]
    assert (revision["number"], revision["appliedBy"], revision["reason"]) == (2, "anna", "too hard")
    assert revision["principal"]["kind"] == "key"
    async with asyncio.timeout(20):
        while (await get(one, f"{REVISIONS}/2")).json()["filledAt"] is None:  # noqa: ASYNC110  # over HTTP
            await asyncio.sleep(0.01)
    assert (await get(one, f"{REVISIONS}/2")).json()["filled"] == 2
    assert await sql(one.laurels.store, "SELECT user_id, points FROM users ORDER BY user_id") == [
        ("ada", 60),
        ("bob", 50),
    ]
    again = await post(one, REVISIONS, text=EASIER, plan=token, reason="too hard", actor="anna")
    assert (again.status_code, again.json()["isNew"]) == (200, False)
    audited = await sql(one.laurels.store, "SELECT detail FROM audit WHERE kind = 'catalog.applied'")
    assert [json.loads(detail)["reason"] for (detail,) in audited] == ["too hard"]


async def test_an_earlier_revision_is_planned_and_applied_again(one: App) -> None:
    token = (await plan(one, text=EASIER))["token"]
    await post(one, REVISIONS, text=EASIER, plan=token, reason="too hard")
    back = await plan(one, revision=1, silent=True)
    answer = await post(one, REVISIONS, revision=1, silent=True, plan=back["token"], reason="a mistake")

    assert (back["base"], back["silent"]) == (2, True)
    revision = answer.json()["revision"]
    assert (revision["number"], revision["silent"], revision["text"]) == (3, True, catalog(**RULES).text)


async def test_a_plan_of_something_else_is_refused_as_outdated(one: App) -> None:
    token = (await plan(one, text=EASIER))["token"]
    other = EASIER.replace("60", "70")

    for body in ({"text": other}, {"text": EASIER, "silent": True}):
        answer = await post(one, REVISIONS, **body, plan=token, reason="why")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/plan-outdated")
    newer = (await plan(one, text=other))["token"]
    assert (await post(one, REVISIONS, text=other, plan=newer, reason="why")).status_code == 200
    late = await post(one, REVISIONS, text=EASIER, plan=token, reason="why")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/plan-outdated")
    assert "began from revision 1" in late.json()["detail"]


async def test_the_faults_of_a_catalog_are_listed(one: App) -> None:
    for path, more in ((PLANS, {}), (REVISIONS, {"plan": "plan-x.y", "reason": "why"})):
        answer = await post(one, path, text=EASIER.replace("at_least", "at_most_of") + "\nmore = 1", **more)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-catalog")
        assert len(problem["errors"]) >= 2
        assert {error["pointer"] for error in problem["errors"]} == {"/text"}
        assert any("'more'" in error["detail"] for error in problem["errors"])


async def test_a_catalog_that_must_not_follow_has_no_plan(one: App) -> None:
    answer = await post(one, PLANS, text=catalog_text(**{**RULES, "badges": []}))

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-catalog")
    assert "badges 'two': is gone, but 1 user" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/text"),
        ({"text": EASIER, "revision": 1}, "/text"),
        ({"revision": 1.5}, "/revision"),
        ({"revision": 7}, "/revision"),
        ({"revision": 1, "inflation": 0}, "/inflation"),
    ],
)
async def test_what_is_to_be_planned_must_be_clear(one: App, body: Any, pointer: str) -> None:
    answer = await post(one, PLANS, **body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_token_that_was_not_signed_here_is_refused(one: App) -> None:
    answer = await post(one, REVISIONS, text=EASIER, plan="plan-x.y", reason="why")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/plan")


async def test_a_long_plan_says_how_far_it_is_and_no_second_one_begins(
    one: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PAGE", 1)
    monkeypatch.setattr(plan_streams, "PROGRESS_SECONDS", 0.01)
    read, go_on = one.laurels.store.users_after, asyncio.Event()

    async def slowly(after: str, limit: int) -> Any:
        if after:
            await go_on.wait()
        return await read(after, limit)

    monkeypatch.setattr(one.laurels.store, "users_after", slowly)
    first = asyncio.create_task(post(one, PLANS, text=EASIER))
    await asyncio.sleep(0.2)
    second = await post(one, PLANS, text=EASIER)
    go_on.set()
    *before, last = lines(await first)

    assert (second.status_code, second.json()["type"]) == (503, "/problems/overloaded")
    assert int(second.headers["retry-after"]) > 0
    assert {(line["done"], line["of"]) for line in before} >= {(1, 2)}
    assert all(line.keys() == {"done", "of"} for line in before)
    assert last["plan"]["users"] == 2


async def test_a_plan_that_another_catalog_overtakes_ends_with_that_problem(
    one: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = one.laurels.store.users_after

    async def overtaken(after: str, limit: int) -> Any:
        found = await read(after, limit)
        if not found:
            made = catalog(**{**RULES, "badges": [badge("two", 70, metric="m", at_least=2)]})
            await Admin(one.laurels).apply_catalog(made, "because", "a test")
        return found

    monkeypatch.setattr(one.laurels.store, "users_after", overtaken)
    last = lines(await post(one, PLANS, text=EASIER))[-1]

    assert last["problem"]["type"] == "/problems/plan-outdated"
    assert "plan" not in last


async def test_a_key_without_the_scope_reads_and_changes_nothing(one: App) -> None:
    key = await create_key(
        one.laurels.store, "reader", one.clock(), rights=Rights(scopes=frozenset({"users:read", "adjustments:write"}))
    )
    for answer in (
        await one.client.get(REVISIONS, headers={"authorization": f"Bearer {key}"}),
        await post(one, PLANS, key, text=EASIER),
        await post(one, REVISIONS, key, text=EASIER, plan="plan-x.y", reason="why"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/missing-scope")
