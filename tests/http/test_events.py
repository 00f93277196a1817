"""POST /api/gamification/events: one event or an array, each with its own result."""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from laurels.settings import LimitSettings, Settings
from tests.support import catalog, check_ledgers
from tests.support.app import EVENTS, USERS, App, check_problem, event, open_app

pytestmark = pytest.mark.anyio

NOON = "2026-01-05T12:00:00Z"
CAMEL = re.compile(r"^[a-z][a-zA-Z]*$")


def counts(answer: Any) -> tuple[int, int, int]:
    return answer["recorded"], answer["duplicates"], answer["rejected"]


def statuses(results: list[Any]) -> list[str]:
    return [result["status"] for result in results]


# ---- one, several -----------------------------------------------------------------------------


async def test_a_single_event_says_all_that_it_changed(home: App) -> None:
    await home.give_points("ada", agents=1)

    answer = await home.send(event("ada", "message.sent", "m-1", quantity=100))

    assert answer.status_code == 200
    assert answer.json() == {
        "recorded": 1,
        "duplicates": 0,
        "rejected": 0,
        "results": [
            {
                "id": "m-1",
                "userId": "ada",
                "status": "recorded",
                "awards": [{"id": "message_100", "name": "Century Club", "icon": "💬", "points": 100}],
                "points": {"before": 50, "after": 150},
                "level": {"before": 1, "after": 2, "title": "Beginner"},
                "rank": {"before": 1, "after": 1},
            }
        ],
    }


async def test_an_event_that_changes_nothing_says_nothing_more(home: App) -> None:
    answer = (await home.send(event("ada", "coffee.drunk"))).json()

    assert answer["results"] == [{"id": "coffee.drunk", "userId": "ada", "status": "recorded", "counted": False}]


async def test_a_login_says_how_the_streak_changed(home: App) -> None:
    (result,) = await home.record(event("ada", "login"))

    assert result["streaks"] == {"login": {"before": 0, "after": 1}}


async def test_an_empty_array_records_nothing(home: App) -> None:
    answer = await home.send([])

    assert answer.json() == {"recorded": 0, "duplicates": 0, "rejected": 0, "results": []}


async def test_results_stand_in_the_order_of_the_events(home: App) -> None:
    events = [event(f"user-{index % 7}", "message.sent", f"e-{index}") for index in range(100)]
    random.Random(1).shuffle(events)

    results = await home.record(*events)

    assert [(result["userId"], result["id"]) for result in results] == [(one["userId"], one["id"]) for one in events]


async def test_both_roads_to_the_events_answer_alike(home: App) -> None:
    """The framework's own handler stands behind the hot lane, and serves the address with a slash at its end."""
    await home.record(event("ada", "agent.created"))
    for content in (event("ada", "agent.created"), [event("ada", "agent.created"), 5], event("ada", quantity=0), "no"):
        hot = await home.send(content)
        framework = await home.client.post(EVENTS + "/", json=content, headers=home.by_key)

        assert (hot.status_code, hot.content) == (framework.status_code, framework.content)
        assert dict(hot.headers) == dict(framework.headers)


async def test_the_answer_is_not_stored_on_the_way(home: App) -> None:
    answer = await home.send(event("ada"))

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


# ---- good, bad, duplicate, conflicting --------------------------------------------------------


async def test_one_bad_event_never_spoils_the_others(home: App) -> None:
    await home.record(event("ada", "agent.created", "known"))
    await home.record(event("eve"))
    await home.client.delete(f"{USERS}/eve", headers=home.by_key)

    answer = (
        await home.send(
            [
                event("ada", "message.sent", "good", quantity=100),
                event("ada", "agent.created", "known"),
                event("ada", "agent.created", "known", quantity=2),
                event("ada", "message.sent", "late", occurredAt="2025-01-01T00:00:00Z"),
                event("eve", "message.sent", "of-nobody"),
                {"userId": "ada", "id": "half"},
                event("ada", "message.sent", "laurels:mine"),
                "no event",
                event("ada", "message.sent", "good-too"),
            ]
        )
    ).json()

    assert counts(answer) == (2, 1, 6)
    problems = [result.get("problem", {}).get("status") for result in answer["results"]]
    assert problems == [None, None, 409, 422, 410, 422, 422, 422, None]
    assert (await home.profile_of("ada"))["points"] == 150


async def test_a_rejected_item_carries_a_whole_problem_with_its_place(home: App) -> None:
    results = await home.record(
        event("ada"), event("ada", "message.sent", "m-2", quantity=0), 7, {"id": 5, "userId": "ada"}
    )

    assert [(one["id"], one["userId"]) for one in results[1:]] == [("m-2", "ada"), (None, None), (None, "ada")]
    for result, pointer in zip(results[1:], ["/1/quantity", "/2", "/3/id"], strict=True):
        check_problem(result["problem"], 422)
        assert [wrong["pointer"] for wrong in result["problem"]["errors"]] == [pointer]


async def test_an_array_of_one_is_an_array(home: App) -> None:
    answer = await home.send([event("ada", "message.sent", "laurels:mine")])

    assert answer.status_code == 200
    assert answer.json()["results"][0]["problem"]["errors"][0]["pointer"] == "/0/id"


async def test_a_single_bad_event_is_422_with_the_fields_pointer(home: App) -> None:
    for wrong, pointer in (
        (event("ada", quantity=0), "/quantity"),
        (event("ada", "message.sent", "laurels:mine"), "/id"),
        (event("ada", occurredAt="yesterday"), "/occurredAt"),
        (event("ada", occured_at=NOON), "/occured_at"),
        ({"id": "e", "type": "t"}, "/userId"),
        (event("ada", data={"a/b": "\x00", "c": [1e400]}), "/data"),
    ):
        answer = await home.send_raw(json.dumps(wrong).replace("Infinity", "1e400").encode())

        assert answer.status_code == 422, wrong
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_single_event_that_conflicts_is_a_rejected_result(home: App) -> None:
    await home.record(event("ada"))

    answer = await home.send(event("ada", quantity=2))

    assert answer.status_code == 200
    check_problem(answer.json()["results"][0]["problem"], 409)


async def test_a_single_late_event_points_into_itself(home: App) -> None:
    answer = (await home.send(event("ada", occurredAt="2025-01-01T00:00:00Z"))).json()

    (result,) = answer["results"]
    assert result["problem"]["type"] == "/problems/event-too-late"
    assert result["problem"]["errors"][0]["pointer"] == "/occurredAt"


async def test_a_duplicate_gets_the_original_answer_again(home: App) -> None:
    await home.give_points("bob", agents=3)
    events = [event("ada", "agent.created"), event("ada", "message.sent", quantity=100), event("ada", "login")]
    first = [(await home.record(one))[0] for one in events]
    await home.give_points("cleo", agents=10)

    again = [(await home.record(one))[0] for one in events]

    assert statuses(again) == ["duplicate"] * 3
    assert [{**one, "status": "recorded"} for one in again] == first


async def test_a_duplicate_in_the_same_request_gets_the_same_answer(home: App) -> None:
    await home.give_points("bob", agents=3)
    one = event("ada", "message.sent", quantity=100)

    first, second = await home.record(one, one)

    assert statuses([first, second]) == ["recorded", "duplicate"]
    assert {**second, "status": "recorded"} == first


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 2},
        {"type": "agent.created"},
        {"data": {}},
        {"data": None},
        {"occurredAt": NOON},
    ],
    ids=str,
)
async def test_the_same_id_with_another_body_is_refused(home: App, change: Any) -> None:
    one = event("ada", "message.sent", "m-1", data={"a": 1})
    await home.record(one)

    (result,) = await home.record({**one, **change})

    assert result["problem"]["type"] == "/problems/event-conflict"


async def test_the_same_event_written_otherwise_is_a_duplicate(home: App) -> None:
    await home.record(event("ada", "message.sent", "m-1", occurredAt=NOON, data={"a": 1, "b": [True, None]}))

    answer = await home.send_raw(
        b' {"type": "message.sent", "data": {"b": [true, null], "a": 1}, "quantity": 1,'
        b' "occurredAt": "2026-01-05T13:00:00.000+01:00", "id": "m-1", "userId": "\\u0061da"} '
    )

    assert counts(answer.json()) == (0, 1, 0)


async def test_the_same_id_of_two_users_is_two_events(home: App) -> None:
    results = await home.record(event("ada", "message.sent", "m-1"), event("bob", "message.sent", "m-1"))

    assert statuses(results) == ["recorded", "recorded"]


# ---- when it occurred -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("occurred_at", "problem"),
    [
        ("2025-12-06T12:00:00Z", None),
        ("2025-12-06T11:59:59Z", "/problems/event-too-late"),
        ("2026-01-05T12:05:00Z", None),
        ("2026-01-05T12:05:01Z", "/problems/event-too-early"),
        ("2026-01-05T22:04:59+10:00", None),
        ("9998-12-31T23:59:59-23:59", "/problems/event-too-early"),
        ("1970-01-01T00:00:00+14:00", "/problems/event-too-late"),
    ],
)
async def test_an_event_may_be_thirty_days_late_and_five_minutes_early(
    home: App, occurred_at: str, problem: str | None
) -> None:
    (result,) = await home.record(event("ada", occurredAt=occurred_at))

    assert result.get("problem", {}).get("type") == problem


@pytest.mark.parametrize(
    "occurred_at", ["2026-01-05T12:00:00", "2026-01-05", "", 1767614400, "0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
)
async def test_a_time_without_an_offset_is_refused(home: App, occurred_at: Any) -> None:
    answer = await home.send(event("ada", occurredAt=occurred_at))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/occurredAt"


async def test_a_late_event_counts_on_its_own_day(home: App) -> None:
    token = await home.sign_in("ada")
    await home.visit(token)

    await home.record(event("ada", "login", occurredAt="2026-01-04T09:00:00Z"))

    assert (await home.visit(token)).json()["streak"] == 2


# ---- rank -------------------------------------------------------------------------------------


@pytest.fixture
async def payday() -> AsyncIterator[App]:
    """A server where each unit of work is a point."""
    rule = {"id": "work", "events": ["work"], "amount": 1, "per": "quantity"}
    async with open_app(catalog(points=[rule])) as home:
        yield home


def naive_rank(board: dict[str, tuple[int, str]], user_id: str) -> int | None:
    order = sorted(board, key=lambda one: (-board[one][0], board[one][1], one))
    return order.index(user_id) + 1 if user_id in board else None


async def test_the_rank_before_and_after_is_that_of_a_naive_sort(payday: App) -> None:
    dice = random.Random(2)
    board: dict[str, tuple[int, str]] = {}
    for index in range(300):
        user_id, amount = f"u{dice.randrange(25):02}", dice.choice([1, 1, 2, 5, 100, 2**40])
        moment = f"2026-01-05T11:{dice.randrange(60):02}:00Z"
        before = naive_rank(board, user_id)
        points, reached = board.get(user_id, (0, ""))
        board[user_id] = (points + amount, max(moment, reached))

        (result,) = await payday.record(event(user_id, "work", f"e-{index}", quantity=amount, occurredAt=moment))

        assert result["rank"] == {"before": before, "after": naive_rank(board, user_id)}


async def test_the_ranks_of_a_batch_are_those_before_and_after_it(payday: App) -> None:
    await payday.record(*[event(f"u{index}", "work", quantity=10 * index) for index in range(1, 6)])

    results = await payday.record(
        event("u1", "work", "more", quantity=100), event("new", "work", quantity=35), event("u5", "work", "more")
    )

    ranks = [(one["rank"]["before"], one["rank"]["after"]) for one in results]
    assert ranks == [(5, 1), (None, 4), (1, 2)]


# ---- limits -----------------------------------------------------------------------------------


async def test_a_thousand_events_are_taken_and_one_more_is_413(home: App) -> None:
    events = [event("ada", "message.sent", f"e-{index}") for index in range(1001)]

    refused = await home.send(events)
    assert refused.status_code == 413
    assert "1001" in refused.json()["detail"]

    assert counts((await home.send(events[:1000])).json()) == (1000, 0, 0)


async def test_a_thousand_wrong_events_are_read_and_one_more_is_413(home: App) -> None:
    assert counts((await home.send([5] * 1000)).json()) == (0, 0, 1000)
    assert (await home.send([5] * 1001)).status_code == 413


async def small_context() -> AsyncIterator[App]:
    async with open_app(settings=Settings(limits=LimitSettings(body_bytes=1024))) as home:
        yield home


tight = pytest.fixture(small_context)


async def pieces(size: int, piece: int = 100) -> AsyncIterator[bytes]:
    """A body of this size, sent in chunks without saying its length."""
    whole = json.dumps(event("ada", data={"x": ""})).encode()
    whole += b" " * (size - len(whole))
    for start in range(0, size, piece):
        yield whole[start : start + piece]


async def test_a_body_over_the_limit_is_413_by_its_announced_length(tight: App) -> None:
    answer = await tight.send_raw(b" " * 1025)

    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


async def test_a_chunked_body_over_the_limit_is_413(tight: App) -> None:
    headers = {**tight.by_key, "content-type": "application/json"}

    assert (await tight.client.post(EVENTS, content=pieces(1025), headers=headers)).status_code == 413
    assert (await tight.client.post(EVENTS, content=pieces(1024), headers=headers)).status_code == 200


async def test_a_body_that_says_less_than_it_has_is_413_all_the_same(tight: App) -> None:
    answer = await tight.send_raw(b" " * 5000, {"content-length": "10"})

    assert answer.status_code == 413


# ---- data -------------------------------------------------------------------------------------


def nested(levels: int) -> Any:
    data: Any = {}
    for _ in range(levels - 1):
        data = {"d": data}
    return data


@pytest.mark.parametrize(
    "data",
    [{}, nested(20), {"x": [[]]}, {"x": "y" * 16_374}, {"n": [0, -(2**63), 2**64 - 1, 1.5, True, None]}, {"": "\x00"}],
    ids=["empty", "20 levels", "lists", "16 KiB", "numbers", "nul"],
)
async def test_data_within_the_limits_is_returned_unchanged(home: App, data: Any) -> None:
    await home.record(event("ada", data=data))

    history = (await home.client.get(f"{USERS}/ada/history", headers=home.by_key)).json()

    assert history["entries"][0]["event"]["data"] == data


@pytest.mark.parametrize(
    "data",
    [nested(21), {"x": "y" * 16_385}, {"x": [2**64]}, {"x": {"y": -(2**63) - 1}}, {"x": list(range(20_000))}],
    ids=["21 levels", "over 16 KiB", "2**64", "-(2**63) - 1", "20,000 numbers"],
)
async def test_data_beyond_the_limits_is_refused_and_spoils_nothing(home: App, data: Any) -> None:
    results = await home.record(event("ada", "message.sent", "m-1", data=data), event("ada", "agent.created"))

    assert statuses(results) == ["rejected", "recorded"]
    assert results[0]["problem"]["errors"][0]["pointer"] == "/0/data"
    assert (await home.send(event("ada", data=data))).status_code == 422
    await check_ledgers(home.laurels.store)


# ---- who may send -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "wrong", "laurels_key_" + "a" * 46, "Bearer", "\xe4\xf6\xfc"])
async def test_without_a_valid_key_it_is_401(home: App, key: str) -> None:
    answer = await home.client.post(
        EVENTS, json=event("ada"), headers={"authorization": f"Bearer {key}".encode("latin-1")}
    )

    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"


async def test_without_any_key_it_is_401_before_the_body_is_read(home: App) -> None:
    assert (await home.client.post(EVENTS, content=b"{{{" * 10_000_000)).status_code == 401


async def test_a_users_session_may_not_send_events(home: App) -> None:
    token = await home.sign_in("ada")

    answer = await home.client.post(EVENTS, json=event("ada"), headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
async def test_only_a_bearer_is_a_key(home: App, scheme: str) -> None:
    answer = await home.client.post(
        EVENTS, json=event("ada"), headers={"authorization": f"{scheme} {home.key}".strip()}
    )

    assert answer.status_code == 401


# ---- what is a body ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonx",
        "application/xml+json2",
        "text/json",
        "*/*",
        "",
    ],
)
async def test_another_content_type_is_415(home: App, content_type: str) -> None:
    answer = await home.send_raw(json.dumps(event("ada")).encode(), {"content-type": content_type})

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"; profile=x',
        "application/cloudevents+json",
        "application/json;",
    ],
)
async def test_json_by_any_of_its_names_is_taken(home: App, content_type: str) -> None:
    answer = await home.send_raw(json.dumps(event("ada")).encode(), {"content-type": content_type})

    assert answer.status_code == 200


async def test_a_body_without_a_type_is_415(home: App) -> None:
    answer = await home.client.post(EVENTS, content=json.dumps(event("ada")), headers=home.by_key)

    assert answer.status_code == 415


async def test_a_compressed_body_is_415_and_says_so(home: App) -> None:
    answer = await home.send_raw(b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"})

    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[", b"[{}", b"{]", b"nonsense", b"{'a': 1}", b'{"id": "e",}', b"\xff\xfe"]
)
async def test_a_body_that_is_not_json_is_400(home: App, body: bytes) -> None:
    answer = await home.send_raw(body)

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/malformed"


@pytest.mark.parametrize("body", [b"null", b"5", b'"text"', b"true"])
async def test_json_that_is_not_an_event_is_422(home: App, body: bytes) -> None:
    answer = await home.send_raw(body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == ""


# ---- names ------------------------------------------------------------------------------------


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


async def test_every_name_is_in_camel_case(home: App) -> None:
    await home.record(event("ada", "message.sent", quantity=100), event("ada", "login"), event("ada", quantity=2))
    token = await home.sign_in("ada", timeZone="Europe/Berlin")
    by_key = [f"{USERS}/ada", f"{USERS}/ada/history", "/api/gamification/catalog"]

    answers = [(await home.client.get(path, headers=home.by_key)).json() for path in by_key]
    answers.append((await home.visit(token, "/api/gamification/profile?include=rank,next,streaks,history")).json())
    answers.append(await home.record(event("ada", "login"), event("ada", quantity=2), 5))

    assert {name for name in keys_of(answers) if not CAMEL.match(name)} == set()
