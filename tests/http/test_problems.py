"""Errors: each is a problem document of a documented kind, and tells nothing that is not the caller's business."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from laurels import errors
from laurels.http.problems import ALL_KINDS, BadRequest, Kind, kind_of, problem_response
from tests.support.app import CATALOG, EVENTS, LEADERBOARDS, PROFILE, SESSIONS, USERS, App, check_problem

pytestmark = pytest.mark.anyio

DOCUMENT = Path(__file__).parents[2] / "docs/problems.md"


def every_error(kind: type[Exception] = errors.LaurelsError) -> list[type[Exception]]:
    return [kind, *(one for below in kind.__subclasses__() for one in every_error(below))]


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.code)
def test_every_kind_has_its_section_in_the_documents(kind: Kind) -> None:
    sections = dict(
        re.findall(r"^## ([\w-]+)\n\n(.*?)(?=^## |\Z)", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )

    for told in (kind.title, str(kind.status), f'"error": "{kind.error}"', kind.fix):
        assert told in sections[kind.code]


def test_the_documents_tell_of_no_other_kind() -> None:
    headings = re.findall(r"^## (.+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)

    assert sorted(headings) == sorted(kind.code for kind in ALL_KINDS)


def test_codes_are_unique_and_fit_into_an_address() -> None:
    codes = [kind.code for kind in ALL_KINDS]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.code)
async def test_the_type_of_a_problem_is_the_address_of_its_page(home: App, kind: Kind) -> None:
    page = await home.client.get(f"/problems/{kind.code}")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert all(told in page.text for told in (kind.title, str(kind.status), kind.fix))


async def test_an_unknown_kind_has_no_page(home: App) -> None:
    assert (await home.client.get("/problems/nonsense")).status_code == 404


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_that_a_caller_can_cause_has_its_own_kind(error: type[Exception]) -> None:
    at_the_operators_desk = {"LaurelsError", "Conflict", "StoreError", "NotEmpty", "SettingsError"}
    at_the_operators_desk |= {"MissingExtra"}
    at_the_operators_desk |= {
        "StaleForm",
        "IdentityError",
        "LacksFactor",
        "MissingRole",
        "SignedOut",
    }  # which the console answers with pages of its own

    assert (kind_of(error.__new__(error)).code == "internal") == (error.__name__ in at_the_operators_desk)


def test_an_unexpected_error_is_logged_in_full_and_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = problem_response(ValueError("the password is swordfish"))

    assert answer.status == 500
    assert b"swordfish" not in answer.body
    assert "swordfish" in caplog.text
    assert caplog.records[0].exc_info


def test_a_mistake_of_a_caller_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    problem_response(BadRequest("nonsense"))

    assert not caplog.records


def test_overload_is_logged_from_time_to_time_and_has_retry_after(caplog: pytest.LogCaptureFixture) -> None:
    answers = [problem_response(errors.Overloaded(retry_after=7)) for _ in range(1000)]

    assert len(caplog.records) <= 1
    assert all((b"retry-after", b"7") in answer.headers for answer in answers)


async def test_a_failed_write_has_retry_after(filed: App) -> None:
    await filed.laurels.group_commit.close()

    answer = await filed.send({"userId": "ada", "id": "e", "type": "t"})

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/gamification", "/docs/nothing", "/docs/assets/nothing"])
async def test_an_unknown_address_is_404(home: App, path: str) -> None:
    answer = await home.client.get(path)

    assert answer.status_code == 404
    check_problem(answer.json(), 404)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (PROFILE, "GET, HEAD, OPTIONS"),
        (EVENTS, "OPTIONS, POST"),
        (SESSIONS, "DELETE, OPTIONS, POST"),
        (CATALOG, "GET, HEAD, OPTIONS"),
        (LEADERBOARDS, "GET, HEAD, OPTIONS"),
        (f"{LEADERBOARDS}/points", "GET, HEAD, OPTIONS"),
        (f"{USERS}/ada", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_405_and_says_which_there_are(home: App, path: str, methods: str) -> None:
    answer = await home.client.request("PATCH", path)

    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == methods


async def test_the_options_of_an_address_are_those_of_its_refusals(home: App) -> None:
    for path in (PROFILE, EVENTS, f"{USERS}/ada"):
        refused = await home.client.request("PATCH", path)
        options = await home.client.options(path)

        assert options.status_code == 204
        assert sorted(options.headers["allow"].split(", ")) == sorted(refused.headers["allow"].split(", "))


async def test_a_head_of_an_error_has_its_headers_and_no_body(home: App) -> None:
    answer = await home.client.head(PROFILE)

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["content-length"]) > 0
