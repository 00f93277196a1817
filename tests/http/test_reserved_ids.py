"""Ids that Laurels makes up for users with a pseudonym belong to no new user."""

from __future__ import annotations

import pytest

from tests.support import KINDS, new_database
from tests.support.app import SESSIONS, USERS, App, event, open_app

pytestmark = pytest.mark.anyio

ALIAS = "alias:amber-otter-4821-93f1c07be2d45a68"


async def create(app: App, user_id: str) -> list[int]:
    """The statuses of every way in which the back end creates a user."""
    answers = [
        await app.send(event(user_id)),
        await app.client.put(f"{USERS}/{user_id}", json={"name": "Ada"}, headers=app.by_key),
        await app.client.post(SESSIONS, json={"userId": user_id}, headers=app.by_key),
    ]
    for answer in answers:
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["pointer"] == "/userId"
            assert "'alias:'" in answer.json()["detail"]
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_user_is_created_under_the_form_of_a_pseudonym(kind: str) -> None:
    with new_database(kind) as database:
        async with open_app(database=database) as app:
            assert await create(app, ALIAS) == [422, 422, 422]
            assert await create(app, "aliases") == [200, 200, 201]
            (mixed, good) = (await app.send([event(ALIAS), event("bob")])).json()["results"]
            assert (mixed["status"], good["status"]) == ("rejected", "recorded")
            assert await app.laurels.store.user(ALIAS) is None


async def test_a_user_who_has_such_an_id_keeps_it(home: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("laurels.commands.unit_of_work.check_new_id", lambda _: None)
        assert await create(home, ALIAS) == [200, 200, 201]

    assert (await home.send(event(ALIAS, event_id="later"))).status_code == 200
    assert await create(home, ALIAS) == [200, 200, 201]
