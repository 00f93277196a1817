"""Editing, planning and applying a catalog in the console, without JavaScript."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from laurels.console.candidates import MOST_TEXT
from laurels.engine.catalog import Catalog
from laurels.http import plan_streams
from laurels.service import planning
from laurels.service.admin import Admin
from laurels.settings import LimitSettings, Settings
from tests.support import badge, catalog, catalog_text, count
from tests.support.app import App, event, open_app
from tests.support.operator import Form, Operator, Page, operator_over

pytestmark = pytest.mark.anyio

RULES: dict[str, Any] = {"metrics": {"m": count("m")}, "badges": [badge("two", 50, metric="m", at_least=2)]}
EASIER = catalog_text(**{**RULES, "badges": [badge("two", 60, metric="m", at_least=1)]})
DEARER = catalog_text(**{**RULES, "badges": [badge("two", 70, metric="m", at_least=1)]})
EDIT, REVISIONS = "/console/catalog/edit", "/console/catalog/revisions"


@pytest.fixture
async def one() -> AsyncIterator[App]:
    """Two users, one of whom has a badge; EASIER gives it to the other one, too."""
    async with open_app(catalog(**RULES)) as home:
        await home.record(event("ada", "m"), event("bob", "m", "m-1"), event("bob", "m", "m-2"))
        yield home


@pytest.fixture
async def work(one: App) -> AsyncIterator[Operator]:
    async with operator_over(one, role="editor") as operator:
        yield operator


async def planned(work: Operator, text: str, **fields: str) -> Page:
    """The page of the plan of a text that is pasted into the editor."""
    form = (await work.page(EDIT)).form("/edit").to("/plan")
    answer = await work.send(form, text=text, **fields)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def points(one: App, user_id: str) -> int:
    return (await one.laurels.profile(user_id)).points


# ---- the text ---------------------------------------------------------------------------------


async def test_the_editor_begins_with_the_catalog_in_force(work: Operator) -> None:
    form = (await work.page(EDIT)).form("/edit")

    assert form.fields["text"].strip() == catalog(**RULES).text.strip()
    assert (form.fields["base"], form.fields["silent"]) == ("1", "")


async def test_a_check_lists_the_faults_with_their_lines(work: Operator) -> None:
    text = EASIER.replace('"points" = 60', '"points" = "60"')
    line = text[: text.index("badges")].count("\n") + 1  # one line has all badges

    answer = await work.fill(EDIT, "/edit", text=text)

    page = Page(answer.text)
    assert answer.status_code == 422
    assert f"Line {line} badges[1] 'two'.points must be a whole number of 0 or more, not '60'." in page.text
    assert "Write points = 60." in page.text
    assert page.form("/edit").fields["text"].strip() == text.strip()


async def test_a_check_of_a_right_text_says_how_it_differs(work: Operator) -> None:
    answer = await work.fill(EDIT, "/edit", text=EASIER.replace("\n", "\r\n"))

    assert answer.status_code == 200
    assert "No faults. 2 differences from the catalog in force:" in Page(answer.text).text


async def test_a_check_compares_the_texts_of_all_languages_and_not_those_of_the_operator() -> None:
    texts = {"name": {"en": "Two", "de": "Zwei"}}
    club = catalog(**{**RULES, "badges": [{**badge("two", 50, metric="m", at_least=2), **texts}]})
    async with open_app(club) as home, operator_over(home, role="editor") as work:
        work.client.headers["accept-language"] = "de"
        same = await work.fill(EDIT, "/edit", text=club.text)
        other = await work.fill(EDIT, "/edit", text=club.text.replace("Zwei", "Beide"))

    assert "Nothing but comments differs" in same.text
    assert "No faults. 1 difference from the catalog in force:" in other.text
    assert "badges 'two'.name.de: from 'Zwei' to 'Beide'" in Page(other.text).text


async def test_markup_in_a_text_stays_text(work: Operator) -> None:
    answer = await work.fill(EDIT, "/edit", text="</textarea><script>alert(1)</script> = ")

    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("text", ["", "x" * (MOST_TEXT + 1)])
async def test_a_text_that_is_empty_or_too_long_is_refused_with_words(work: Operator, text: str) -> None:
    for path in ("/edit", "/plan"):
        form = (await work.page(EDIT)).form("/edit")
        answer = await work.send(form if path == "/edit" else form.to(path), text=text)

        assert answer.status_code == 422
        assert "laurels catalog plan FILE" in answer.text or "paste a catalog" in answer.text


async def test_the_check_while_typing_only_says_what_a_check_says(one: App, work: Operator) -> None:
    form = Form("/console/catalog/check", "post", (await work.page(EDIT)).form("/edit").fields)

    right, wrong = await work.send(form, text=EASIER), await work.send(form, text="[[badge]]")

    assert (right.status_code, wrong.status_code) == (200, 200)
    assert "<html" not in right.text
    assert "No faults. 2 differences" in right.text
    assert "Did you mean &#39;badges&#39;?</span>" in wrong.text
    assert len(await one.laurels.store.catalog_revisions()) == 1


async def test_checks_while_typing_count_against_a_rate_by_the_length_of_the_text() -> None:
    limits = LimitSettings(session_rate=1)
    async with open_app(catalog(**RULES), settings=Settings(limits=limits)) as one, operator_over(one) as work:
        form = Form("/console/catalog/check", "post", (await work.page(EDIT)).form("/edit").fields)
        long = await work.send(form, text="# x" * 50_000)
        refused = await work.send(form)

    assert long.status_code == 200
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


# ---- plans ------------------------------------------------------------------------------------


async def test_a_plan_says_who_gains_what_and_stores_nothing(one: App, work: Operator) -> None:
    page = await planned(work, EASIER)

    assert "Users affected 1 of 2" in page.text
    assert "badges 'two'.points: from 50 to 60" in page.text
    assert "two 1 0 0 0" in page.text  # gained, lost, kept without the condition, none left
    assert "All users together: 50 → 110." in page.text
    assert "Computed from the stored progress of users, which suffices: 2 users" in page.text
    assert "badge two stays as it was paid" in page.text
    assert page.links["ada"] == "/console/users/ada"
    assert len(await one.laurels.store.catalog_revisions()) == 1


async def test_a_plan_warns_first_of_what_users_lose(one: App, work: Operator) -> None:
    harder = {**badge("two", 50, metric="m", at_least=9), "holders": "lose", "description": "Last chance"}
    page = await planned(work, catalog_text(**{**RULES, "badges": [harder]}))

    assert page.text.index("1 user loses it, with its points") < page.text.index("'Last chance' speaks of a loss")
    assert "Badge two holders who do not meet the new condition lose it" in page.text


async def test_a_plan_draws_badges_and_levels() -> None:
    rules = {**RULES, "levels": [{"title": "One", "points": 0}, {"title": "Two", "points": 55}]}
    async with open_app(catalog(**rules)) as home, operator_over(home, role="editor") as work:
        await home.record(event("ada", "m"), event("bob", "m", "m-1"), event("bob", "m", "m-2"))
        easier = catalog_text(**{**rules, "badges": [badge("two", 60, metric="m", at_least=1)]})
        page = await planned(work, easier)
        same = await planned(work, catalog(**rules).text)

    assert "Users who gain and lose each badge." in page.text
    assert "1 One 2 1 2 Two 0 1" in page.text  # level, before, after
    assert "Users on each level" not in same.text


async def test_every_change_is_sent_as_csv(one: App, work: Operator) -> None:
    answer = await work.send((await planned(work, EASIER)).form("/plan.csv"))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[0] == "userId,change,of,period,before,after"
    assert "ada,badge gained,two,,0,1" in answer.text.splitlines()
    assert "bob" not in answer.text


async def test_a_plan_of_faults_shows_the_text_again(work: Operator) -> None:
    form = (await work.page(EDIT)).form("/edit").to("/plan")
    answer = await work.send(form, text=EASIER.replace('"points" = 60', '"pints" = 60'))

    assert answer.status_code == 422
    assert "Did you mean 'points'?" in Page(answer.text).text


async def test_a_catalog_that_must_not_follow_shows_why(work: Operator) -> None:
    other = catalog_text(**{**RULES, "badges": [badge("other", 60, metric="m", at_least=1)]})
    form = (await work.page(EDIT)).form("/edit").to("/plan")
    answer = await work.send(form, text=other)

    assert answer.status_code == 422
    assert "two" in Page(answer.text).text


async def test_a_long_plan_shows_how_far_it_is_and_no_second_one_begins(
    one: App, work: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PAGE", 1)
    monkeypatch.setattr(plan_streams, "PROGRESS_SECONDS", 0.01)
    read, go_on = one.laurels.store.users_after, asyncio.Event()

    async def slowly(after: str, limit: int) -> Any:
        if after:
            await go_on.wait()
        return await read(after, limit)

    monkeypatch.setattr(one.laurels.store, "users_after", slowly)
    form = (await work.page(EDIT)).form("/edit").to("/plan")
    first = asyncio.create_task(work.send(form, text=EASIER))
    await asyncio.sleep(0.2)
    second = await work.send(form, text=EASIER)
    go_on.set()
    page = Page((await first).text)

    assert (second.status_code, int(second.headers["retry-after"]) > 0) == (503, True)
    assert "another plan is being made" in second.text
    assert "Looking at all users: 1 of 2…" in page.text
    assert "Users affected 1 of 2" in page.text


async def test_a_plan_that_is_overtaken_says_so(one: App, work: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    read = one.laurels.store.users_after

    async def overtaken(after: str, limit: int) -> Any:
        if not after:
            await Admin(one.laurels).apply_catalog(Catalog.parse(DEARER), "meanwhile", "bea")
        return await read(after, limit)

    monkeypatch.setattr(one.laurels.store, "users_after", overtaken)
    page = await planned(work, EASIER)

    assert "another catalog was put in force while the plan was made" in page.text
    assert page.form("/plan").fields["text"].strip() == EASIER.strip()


# ---- applying ---------------------------------------------------------------------------------


async def test_a_plan_is_applied_with_its_reason_and_once(one: App, work: Operator) -> None:
    form = (await planned(work, EASIER)).form("/apply")

    first, again = await work.send(form, reason="easier"), await work.send(form, reason="easier")

    assert (first.status_code, again.status_code) == (303, 303)
    page = await work.page(first.headers["location"])
    assert "Revision 2 is in force." in page.text
    assert "By anna Reason easier Users are notified" in page.text
    assert "Revision 2 was in force already." in (await work.page(again.headers["location"])).text
    assert await points(one, "ada") == 60
    (_, row) = await one.laurels.store.catalog_revisions()
    assert (row.text.strip(), row.reason, row.silent) == (EASIER.strip(), "easier", False)
    assert row.principal is not None
    assert row.principal.kind == "operator"


async def test_a_silent_plan_is_applied_silently_only(one: App, work: Operator) -> None:
    form = (await planned(work, EASIER, silent="yes")).form("/apply")

    announced = await work.send(form, reason="easier", silent="")
    silent = await work.send(form, reason="easier")

    assert announced.status_code == 409
    assert "the plan was for a change that is silent, and this one is announced" in Page(announced.text).text
    assert silent.status_code == 303
    assert (await one.laurels.store.catalog_revisions())[-1].silent is True


async def test_a_plan_is_refused_if_the_text_moved(one: App, work: Operator) -> None:
    form = (await planned(work, EASIER)).form("/apply")

    answer = await work.send(form, reason="easier", text=DEARER)

    assert answer.status_code == 409
    assert "the plan is of another catalog than this one" in Page(answer.text).text
    assert len(await one.laurels.store.catalog_revisions()) == 1


async def test_a_plan_is_refused_if_the_base_moved_and_a_new_one_says_what_it_takes_back(
    one: App, work: Operator
) -> None:
    form = (await planned(work, EASIER)).form("/apply")
    await Admin(one.laurels).apply_catalog(Catalog.parse(DEARER), "meanwhile", "bea")

    refused = await work.send(form, reason="easier")
    again = Page((await work.send(Page(refused.text).form("/plan"))).text)

    assert refused.status_code == 409
    assert "the plan began from revision 1, and revision 2 is in force now" in Page(refused.text).text
    assert "Revision 2 was applied since you began from revision 1." in again.text
    assert "badges 'two'.points: from 50 to 70" in again.text
    assert (await work.send(again.form("/apply"), reason="easier")).status_code == 303


async def test_a_token_that_was_not_signed_here_is_refused(one: App, work: Operator) -> None:
    form = (await planned(work, EASIER)).form("/apply")
    answer = await work.send(form, reason="easier", plan="plan-x.y")

    assert answer.status_code == 422
    assert "is not the token of a plan of this database" in Page(answer.text).text


async def test_without_a_reason_the_plan_is_kept_and_asked_again(one: App, work: Operator) -> None:
    form = (await planned(work, EASIER)).form("/apply")

    answer = await work.send(form, reason=" ")
    page = Page(answer.text)

    assert answer.status_code == 422
    assert "Users affected 1 of 2 Badges 1 gained, 0 lost" in page.text
    assert (await work.send(page.form("/apply"), reason="easier")).status_code == 303


async def test_users_who_changed_since_the_plan_are_named(one: App, work: Operator) -> None:
    one.clock.advance(seconds=5)
    form = (await planned(work, EASIER)).form("/apply")
    one.clock.advance(seconds=5)
    await one.record(event("cyd", "m"))

    answer = await work.send(form, reason="easier")

    assert "it may not be right for them: cyd." in (await work.page(answer.headers["location"])).text


async def test_a_rollback_shows_its_plan_first(one: App, work: Operator) -> None:
    await Admin(one.laurels).apply_catalog(Catalog.parse(EASIER), "easier", "bea")
    before = await points(one, "ada")

    answer = await work.fill(f"{REVISIONS}/1", "/plan")
    page = Page(answer.text)
    applied = await work.send(page.form("/apply"), reason="a mistake")

    assert "Plan: go back to revision 1" in page.text
    assert "badges 'two'.points: from 60 to 50" in page.text
    assert applied.status_code == 303
    rows = await one.laurels.store.catalog_revisions()
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[2].text == rows[0].text
    assert before == 60


async def test_the_filling_of_users_is_shown(one: App, work: Operator) -> None:
    answer = await work.send((await planned(work, EASIER)).form("/apply"), reason="easier")
    number = answer.headers["location"].partition("?")[0]
    page = await work.page(number)

    assert "of 2 users so far" in page.text or "All users, since" in page.text
    await Admin(one.laurels).fill()
    assert "All users, since" in (await work.page(number)).text


async def test_a_viewer_sees_revisions_and_no_way_to_change_them(one: App) -> None:
    await Admin(one.laurels).apply_catalog(Catalog.parse(EASIER), "easier", "bea")
    async with operator_over(one, "v", role="support") as viewer:
        for path in ("/console/catalog", REVISIONS, f"{REVISIONS}/1"):
            page = await viewer.page(path)
            assert [form.action for form in page.forms if form.method == "post"] == ["/console/sign-out"]
            assert EDIT not in page.links.values()
        answers: list[httpx2.Response] = [await viewer.client.get(EDIT)]

    assert [answer.status_code for answer in answers] == [403]


# ---- forms for the usual changes --------------------------------------------------------------


async def opened(work: Operator, kind: str, **fields: str) -> Page:
    """The form of a usual change, reached from the editor."""
    answer = await work.send((await work.page(EDIT)).form("/edit").to("/change"), kind=kind, **fields)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def changed(work: Operator, kind: str, target: str, **fields: str) -> Page:
    """The editor after a target was chosen and its new value sent."""
    chosen = Page((await work.send((await opened(work, kind)).form("/change"), target=target)).text)
    answer = await work.send(chosen.form("/change"), **fields)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def test_points_are_changed_in_the_text_and_the_plan_shows_both_totals(one: App, work: Operator) -> None:
    page = await changed(work, "points", "badges/0/points", value="80", past="recompute")

    assert "Changed in the text below, which is not applied yet: badges 'two'.points: from 50 to 80" in page.text
    plan = Page((await work.send(page.form("/edit").to("/plan"))).text)
    assert 'badge two past = "recompute" 50 80 1' in plan.text
    assert (await work.send(plan.form("/apply"), reason="more")).status_code == 303
    assert await points(one, "bob") == 80


async def test_a_threshold_is_changed_with_the_texts_that_name_it(one: App) -> None:
    rules = {**RULES, "badges": [{**badge("two", 50, metric="m", at_least=2), "condition": "2 of m"}]}
    async with open_app(catalog(**rules)) as home, operator_over(home, role="editor") as work:
        await home.record(event("ada", "m"))
        page = await changed(work, "threshold", "badges/0/when/at_least", value="1", holders="lose", texts="yes")
        alone = await changed(work, "threshold", "badges/0/when/at_least", value="1", holders="", texts="")

    for line in ("condition: from '2 of m' to '1 of m'", "holders: from 'keep' to 'lose'", "when: from '2 m' to '1 m'"):
        assert line in page.text
    assert "condition: from" not in alone.text
    assert "holders: from" not in alone.text


async def test_a_text_is_changed(work: Operator) -> None:
    page = await changed(work, "text", "badges/0/name", value='The "<Two>"')

    assert "badges 'two'.name: from" in page.text
    assert "to 'The \"<Two>\"'" in page.text


async def test_a_badge_is_added(one: App, work: Operator) -> None:
    fields = {"id": "one", "name": "One", "description": "Do it", "icon": "⭐", "category": "usage", "points": "5"}
    form = (await opened(work, "badge")).form("/change")
    page = Page((await work.send(form, **fields, metric="m", at_least="1", condition="1 of m")).text)

    assert "badges 'one' is new: 5 points for 1 m" in page.text
    plan = Page((await work.send(page.form("/edit").to("/plan"))).text)
    assert "Badges gained 2" in plan.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": ""}, "must not be empty"),
        ({"points": "-1"}, "must be a whole number of 0 or more"),
        ({"id": "two"}, "two"),
        ({"icon": "not an emoji\u0007"}, "control characters"),
    ],
)
async def test_a_badge_that_cannot_be_is_refused_with_what_was_typed(
    work: Operator, fields: dict[str, str], said: str
) -> None:
    right = {"id": "one", "name": "One", "description": "Do it", "icon": "⭐", "category": "usage", "points": "5"}
    form = (await opened(work, "badge")).form("/change")
    answer = await work.send(form, **{**right, "metric": "m", "at_least": "1", "condition": "1 of m", **fields})

    assert answer.status_code == 422
    assert said in Page(answer.text).text
    assert Page(answer.text).form("/change").fields["name"] == "One"


async def test_a_form_over_a_text_with_faults_lists_them_first(work: Operator) -> None:
    form = (await work.page(EDIT)).form("/edit").to("/change")
    answer = await work.send(form, kind="points", text=EASIER.replace('"points" = 60', '"pints" = 60'))

    assert answer.status_code == 422
    assert "Did you mean 'points'?" in Page(answer.text).text


@pytest.mark.parametrize(("kind", "value"), [("points", "many"), ("points", ""), ("threshold", "0"), ("text", " ")])
async def test_a_value_that_cannot_be_is_refused_in_the_form(work: Operator, kind: str, value: str) -> None:
    target = {"points": "badges/0/points", "threshold": "badges/0/when/at_least", "text": "badges/0/name"}[kind]
    chosen = Page((await work.send((await opened(work, kind)).form("/change"), target=target)).text)
    answer = await work.send(chosen.form("/change"), value=value)

    assert answer.status_code == 422
    assert "must" in Page(answer.text).text
