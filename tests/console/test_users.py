"""What an operator sees and does: searching, a user's activity, and every adjustment with its effect and its undo."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from laurels import Event
from laurels.console.users import ACTIVITY_PAGE
from laurels.site.static import address
from tests.support import sql
from tests.support.app import App, event
from tests.support.operator import Operator, Page, at, operator_over

pytestmark = pytest.mark.anyio

ODD = "a/b?c#d%2F'\"<i>&é 🙂\\;+="
EVIL = "<script>alert(1)</script>"


async def adjustments_of(home: App, user_id: str = "ada") -> list[Any]:
    history = await home.laurels.history(user_id, 1000)
    return [entry.adjustment for entry in history.entries if entry.adjustment]


async def points_of(home: App, user_id: str = "ada") -> int:
    return (await home.laurels.profile(user_id)).points


async def badges_of(home: App, user_id: str = "ada") -> set[str]:
    return {badge.id for badge in (await home.laurels.profile(user_id)).badges}


async def undo(work: Operator, adjustment_id: str, user_id: str = "ada") -> Page:
    return await work.do(at(user_id, f"/undo?adjustment={adjustment_id}"), reason="a slip")


# ---- searching and reading --------------------------------------------------------------------


async def test_a_search_for_an_id_finds_the_user(home: App, work: Operator) -> None:
    await home.record(event("ada"), event("adam"))

    page = await work.page("/console/users?q=ada")

    assert page.links["Anonymous"] == "/console/users/ada"
    assert "No users match “zoe”." in (await work.page("/console/users?q=zoe")).text


async def test_every_id_has_a_page_and_forms(home: App, work: Operator) -> None:
    await home.record(event(ODD, "agent.created", ODD))

    page = await work.page(at(ODD))
    assert ODD in page.text
    shown = await work.page(page.links["Reverse"])
    assert ODD in shown.text
    answer = await work.send(shown.form(), reason=EVIL)

    assert (await work.page(answer.headers["location"])).text.count(ODD) >= 2
    assert (await adjustments_of(home, ODD))[0].reason == EVIL


OWN_SCRIPT = {"src": address("console.js"), "defer": None}


async def test_user_input_never_becomes_markup(home: App, work: Operator) -> None:
    quoted = EVIL + "\" ' onmouseover='alert(1)"
    await home.laurels.update_user(quoted, name=EVIL + '"', groups=[EVIL])
    await home.laurels.record(Event(quoted, quoted, quoted, data={EVIL: [EVIL, "</pre>"]}))
    await work.do(at(quoted, "/adjustments/grant"), badge="early_adopter", reason=quoted)
    await work.do("/console/amnesties", first="2026-01-01", last="2026-01-02", group=EVIL, reason=quoted)

    paths = [at(quoted), at(quoted, "/verify"), at(quoted, "/adjustments/grant"), "/console/amnesties"]
    for path in [*paths, f"/console/users?q={EVIL}", at(quoted, "/reverse?event=" + at(quoted).rpartition("/")[2])]:
        page = await work.page(path)
        assert EVIL in page.text or path.startswith("/console/users?")
        assert "i" not in {tag for tag, _ in page.tags}
        assert [found for tag, found in page.tags if tag == "script"] == [OWN_SCRIPT]
        assert not [name for _, found in page.tags for name in found if name.startswith("on")]


async def test_an_invalid_field_is_shown_again_as_text(home: App, work: Operator) -> None:
    await home.record(event("ada"))

    answer = await work.fill(at("ada", "/adjustments/points"), amount='"><script>', reason=EVIL)

    page = Page(answer.text)
    assert answer.status_code == 422
    assert page.form().fields["amount"] == '"><script>'
    assert page.form().fields["reason"] == EVIL
    assert [found for tag, found in page.tags if tag == "script"] == [OWN_SCRIPT]


async def test_the_page_of_a_user_shows_their_details(home: App, work: Operator) -> None:
    await home.laurels.update_user("ada", name="Ada", time_zone="Europe/Berlin", groups=["red", "team/a"])
    home.clock.advance(days=2)
    await home.laurels.update_user("ada", time_zone="Asia/Tokyo", visibility="pseudonym")
    await home.record(event("ada", "agent.created"))
    await work.sign_in()

    text = (await work.page("/console/users/ada")).text

    for shown in ("Ada", "Asia/Tokyo", "Europe/Berlin", "red, team/a", "pseudonym", "Points 50", "of 1"):
        assert shown in text


async def test_the_page_explains_why_a_badge_was_earned_or_what_is_missing(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created", "agent-1"), event("ada", quantity=73))

    text = (await work.page("/console/users/ada")).text

    assert "Agent Creator was earned on 2026-01-05 with the event agent-1" in text
    assert "27 more messages to earn Century Club." in text
    assert "100 messages: 73 of 100, not yet" in text


async def test_the_page_reads_the_awards_of_all_badges_together(
    home: App, work: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.record(event("ada", "agent.created"), event("ada", quantity=1000))
    store, asked = home.laurels.store, list[str]()
    awards, one_event = store.awards, store.event

    async def counted_awards(user_id: str) -> Any:
        asked.append("awards")
        return await awards(user_id)

    async def counted_event(user_id: str, event_id: str) -> Any:
        asked.append(event_id)
        return await one_event(user_id, event_id)

    with monkeypatch.context() as counting:
        counting.setattr(store, "awards", counted_awards)
        counting.setattr(store, "event", counted_event)
        page = await work.page("/console/users/ada")

    assert page.text.count("was earned on") == len(await badges_of(home)) > 2
    assert asked.count("awards") <= 2  # also for the profile
    assert sorted(set(asked) - {"awards"}) == sorted(one for one in asked if one != "awards")


async def test_the_calendar_says_why_each_day_counts(home: App, work: Operator) -> None:
    for days in (0, 1, 2):
        home.clock.advance(days=days)
        await home.laurels.profile("ada", login=True)
    await work.sign_in()

    page = await work.page("/console/users/ada")

    assert "5 credited 6 credited 7 missed 8 credited" in page.text


async def test_pages_of_the_activity_follow_each_other_without_a_gap(home: App, work: Operator) -> None:
    await home.record(*(event("ada", event_id=f"event-{number:03}") for number in range(2 * ACTIVITY_PAGE + 3)))

    page, seen = await work.page("/console/users/ada"), list[str]()
    for _ in range(4):
        seen += re.findall(r"event-\d{3}(?= Occurred at)", page.text)
        if "Older" not in page.links:
            break
        page = await work.page(page.links["Older"].partition("#")[0])

    assert seen == [f"event-{number:03}" for number in reversed(range(2 * ACTIVITY_PAGE + 3))]
    for wrong in ("0", "x", "-1", "9" * 30):
        assert (await work.client.get(f"/console/users/ada?before={wrong}")).status_code == 422


async def test_verify_shows_no_difference_or_each_one(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))
    assert "0 differences" in (await work.page("/console/users/ada/verify")).text

    await sql(home.laurels.store, "UPDATE users SET points = points + 7 RETURNING 1")

    text = (await work.page("/console/users/ada/verify")).text
    assert "differences between" in text
    assert "points 57 50" in text


# ---- adjustments ------------------------------------------------------------------------------


async def test_a_grant_and_its_undo(home: App, work: Operator) -> None:
    await home.record(event("ada"))

    page = await work.do(at("ada", "/adjustments/grant"), badge="early_adopter", reason="at our conference")

    assert "early_adopter" in await badges_of(home)
    for line in ("Grant recorded.", "Earned: 🌅 Early Adopter (+500).", "Points: 0 → 500.", "Level: 1 → 3"):
        assert line in page.text
    grant = (await adjustments_of(home))[0]
    assert (grant.kind, grant.reason, grant.actor) == ("grant", "at our conference", "anna")

    page = await undo(work, grant.id)

    assert "early_adopter" not in await badges_of(home)
    assert "Points: 500 → 0." in page.text
    undone = (await adjustments_of(home))[0]
    assert (undone.undone, undone.undo.actor, undone.undo.reason) == (True, "anna", "a slip")
    assert "Undone 2026-01-05 12:00 : “a slip” anna" in page.text


async def test_a_revocation_needs_confirmation_and_can_be_undone(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))

    shown = (await work.page(at("ada", "/adjustments/revocation"))).text
    assert "The user does not, unless the catalog shows it." in shown, (
        "it must be known who reads a reason before it is written"
    )
    asked = await work.fill(at("ada", "/adjustments/revocation"), badge="first_agent", reason="a test account")

    assert asked.status_code == 200
    assert "Revoke Agent Creator from ada?" in Page(asked.text).text
    assert "first_agent" in await badges_of(home)

    page = await work.page((await work.send(Page(asked.text).form())).headers["location"])

    assert "first_agent" not in await badges_of(home)
    assert "Taken away: first_agent." in page.text
    assert (await adjustments_of(home))[0].reason == "a test account"
    await undo(work, (await adjustments_of(home))[0].id)
    assert "first_agent" in await badges_of(home)


@pytest.mark.parametrize(
    ("typed", "amount", "asks"), [("50", 50, False), ("+7", 7, False), ("-20", -20, True), ("−20", -20, True)]
)
async def test_adding_points_needs_no_confirmation_and_taking_them_does(
    home: App, work: Operator, typed: str, amount: int, asks: bool
) -> None:
    await home.record(event("ada", "agent.created"))

    answer = await work.fill(at("ada", "/adjustments/points"), amount=typed, reason="birthday")
    assert answer.status_code == (200 if asks else 303)
    if asks:
        assert "Take 20 points from ada?" in answer.text
        assert await points_of(home) == 50
        answer = await work.send(Page(answer.text).form())

    assert f"Points: 50 → {50 + amount}." in (await work.page(answer.headers["location"])).text
    await undo(work, (await adjustments_of(home))[0].id)
    assert await points_of(home) == 50


async def test_the_zone_of_past_days_can_be_corrected_and_that_undone(home: App, work: Operator) -> None:
    await home.record(event("ada", "login", "2026-01-05T05:00"))
    answer = await work.fill(
        at("ada", "/adjustments/timeZone"), zone="Mars", first="2026-01-01", last="2026-01-05", reason="x"
    )
    assert (answer.status_code, "unknown time zone" in answer.text) == (422, True)

    where = {"zone": "America/Los_Angeles", "first": "2026-01-01", "last": "2026-01-05"}
    page = await work.do(at("ada", "/adjustments/timeZone"), **where, reason="set late")
    assert "Correction of the time zone recorded." in page.text
    assert [one.time_zone for one in (await home.laurels.user("ada")).time_zones] == ["UTC", where["zone"], "UTC"]
    await undo(work, (await adjustments_of(home))[0].id)
    assert len((await home.laurels.user("ada")).time_zones) == 1


async def test_points_are_spent_with_confirmation_and_the_page_shows_what_is_left(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))

    page = await work.do(at("ada", "/adjustments/points"), amount="20", spend="yes", reason="a sticker")

    assert "Balance: 50 → 30." in page.text
    assert "50 30 to spend" in page.text
    assert await points_of(home) == 50
    assert (
        "Spend 20 points of ada?"
        in (await work.fill(at("ada", "/adjustments/points"), amount="20", spend="yes", reason="x")).text
    )
    asked = await work.fill(at("ada", "/adjustments/points"), amount="31", spend="yes", reason="a cup")
    too_much = await work.send(Page(asked.text).form())
    assert "the balance is 30" in too_much.text
    await undo(work, (await adjustments_of(home))[0].id)
    assert "to spend" not in (await work.page(at("ada"))).text


async def test_freezes_pauses_and_repairs_can_be_undone(home: App, work: Operator) -> None:
    for days in (1, 1, 2):
        await home.laurels.profile("ada", login=True)
        home.clock.advance(days=days)
    await home.laurels.profile("ada", login=True)  # 5, 6, 7 and 9 January
    await work.sign_in()

    async def login() -> Any:
        return (await home.laurels.streaks("ada")).streaks[0]

    assert (await login()).length == 1
    page = await work.do(at("ada", "/adjustments/repair"), streak="login", day="2026-01-08", reason="our outage")
    assert "Login streak: 1 → 4." in page.text
    await undo(work, (await adjustments_of(home))[0].id)
    assert (await login()).length == 1

    await work.do(at("ada", "/adjustments/pause"), streak="", first="2026-01-08", last="2026-01-08", reason="ill")
    assert (await login()).length == 4
    await undo(work, (await adjustments_of(home))[0].id)

    await work.do(at("ada", "/adjustments/freezes"), streak="login", count="2", reason="a gift")
    assert (await login()).freezes == 2
    await undo(work, (await adjustments_of(home))[0].id)
    assert (await login()).freezes == 0


async def test_an_exclusion_needs_confirmation_and_can_be_undone(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"), event("bob", "agent.created"))

    page = await work.do(at("ada", "/adjustments/exclusion"), reason="a bot")

    assert "excluded from leaderboards" in page.text
    assert [line.user_id for line in (await home.laurels.leaderboard()).standings] == ["bob"]
    await undo(work, (await adjustments_of(home))[0].id)
    assert len((await home.laurels.leaderboard()).standings) == 2


async def test_a_reversed_event_counts_again_after_undoing_the_reversal(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created", "agent-1"))
    page = await work.page("/console/users/ada")

    page = await work.do(page.links["Reverse"], reason="sent by a script")

    assert "Reversal recorded. Taken away: first_agent. Points: 50 → 0." in page.text
    assert "reversed" in page.text
    assert await points_of(home) == 0
    page = await work.do(page.links["Undo"], reason="it was real")
    assert "Reversal undone." in page.text
    assert await points_of(home) == 50


async def test_an_unknown_event_or_adjustment_is_not_found(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    for path in ("/adjustments/nothing", "/adjustments/reversal", "/reverse", "/undo", "/undo?adjustment=%00"):
        assert (await work.client.get(at("ada", path))).status_code == 404, path
    assert (await work.fill(at("ada", "/reverse?event=never"), reason="x")).status_code == 404
    assert (await work.fill(at("ada", "/undo?adjustment=never"), reason="x")).status_code == 404
    assert await adjustments_of(home) == []


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("grant", {"badge": "early_adopter", "reason": " "}, "reason"),
        ("grant", {"badge": "early_adopter", "reason": "x" * 501}, "reason"),
        ("grant", {"badge": "nothing", "reason": "x"}, "no badge 'nothing'"),
        ("points", {"amount": "", "reason": "x"}, "amount"),
        ("points", {"amount": "0", "reason": "x"}, "amount"),
        ("points", {"amount": "1.5", "reason": "x"}, "amount"),
        ("points", {"amount": "9" * 40, "reason": "x"}, "amount"),
        ("points", {"amount": "-999", "reason": "x", "confirmed": "yes"}, "it would leave"),
        ("freezes", {"streak": "login", "count": "0", "reason": "x"}, "count"),
        ("freezes", {"streak": "nothing", "count": "1", "reason": "x"}, "no streak 'nothing'"),
        ("pause", {"streak": "", "first": "yesterday", "last": "2026-01-02", "reason": "x"}, "first"),
        ("pause", {"streak": "", "first": "2026-01-02", "last": "2026-01-01", "reason": "x"}, "last"),
        ("repair", {"streak": "login", "day": "2026-01-05", "reason": "x"}, "not missed"),
        ("exclusion", {"reason": ""}, "reason"),
    ],
)
async def test_an_invalid_field_changes_nothing_and_keeps_the_input(
    home: App, work: Operator, kind: str, fields: dict[str, str], message: str
) -> None:
    await home.record(event("ada"))

    answer = await work.fill(at("ada", f"/adjustments/{kind}"), **fields)

    page = Page(answer.text)
    assert answer.status_code in (404, 409, 422)
    wrong = [
        str(found["id"]) for tag, found in page.tags if tag == "p" and found.get("class") == "wrong" and found.get("id")
    ]
    assert f"{message}-wrong" in wrong or message in page.text
    shown = page.form().fields
    assert all(shown[name] == value for name, value in fields.items() if name not in ("confirmed", "badge", "streak"))
    assert await adjustments_of(home) == []


@pytest.mark.parametrize("adjustment_id", ["", "reversal:message.sent", "x" * 300, "\x00"])
async def test_a_form_with_an_invalid_hidden_id_is_refused(home: App, work: Operator, adjustment_id: str) -> None:
    await home.record(event("ada"))

    answers = [
        await work.fill(at("ada", "/adjustments/points"), adjustment=adjustment_id, amount="50", reason="birthday"),
        await work.fill(
            "/console/amnesties", amnesty=adjustment_id[:1], first="2026-01-01", last="2026-01-01", reason=""
        ),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert all('class="wrong"' in answer.text for answer in answers)
    assert await adjustments_of(home) == []
    assert await home.laurels.store.amnesties() == []


# ---- once -------------------------------------------------------------------------------------


async def test_a_form_sent_twice_counts_once(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/points"))).form()

    answers = await asyncio.gather(*(work.send(form, amount="50", reason="birthday") for _ in range(10)))

    assert {answer.status_code for answer in answers} == {303}
    assert await points_of(home) == 50
    assert len(await adjustments_of(home)) == 1
    texts = [(await work.page(answer.headers["location"])).text for answer in answers]
    assert sum("Points: 0 → 50." in text for text in texts) == 1
    assert sum("Already done" in text for text in texts) == 9


async def test_a_form_sent_again_with_other_content_becomes_a_new_adjustment(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/points"))).form()
    await work.send(form, amount="50", reason="birthday")

    again = await work.send(form, amount="60", reason="birthday")

    assert again.status_code == 409
    assert await points_of(home) == 50
    assert (await work.send(Page(again.text).form())).status_code == 303
    assert await points_of(home) == 110


async def test_reversing_and_undoing_twice_count_once(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))
    form = (await work.page(at("ada", "/reverse?event=agent.created"))).form()
    answers = [await work.send(form, reason="a test") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len(await adjustments_of(home)) == 1

    form = (await work.page(at("ada", "/undo?adjustment=reversal:agent.created"))).form()
    await asyncio.gather(*(work.send(form, reason="a slip") for _ in range(5)))
    assert await points_of(home) == 50


async def test_a_message_is_shown_only_to_its_own_session_and_page(home: App, work: Operator) -> None:
    await home.record(event("ada"), event("bob"))
    answer = await work.fill(at("ada", "/adjustments/points"), amount="50", reason="birthday")
    location = answer.headers["location"]

    async with operator_over(home, "bob") as other:
        assert "Points: 0 → 50." in (await work.page(location)).text
        assert "Points: 0 → 50." not in (await other.page(location)).text
        assert "Points: 0 → 50." not in (await work.page(location.replace("/ada?", "/bob?"))).text
        assert "Points: 0 → 50." not in (await work.page(location[:-1] + "!")).text


# ---- amnesties --------------------------------------------------------------------------------


async def test_an_amnesty_is_added_once_and_lifted_with_a_reason(home: App, work: Operator) -> None:
    form = (await work.page("/console/amnesties")).form()
    for _ in range(2):
        answer = await work.send(form, first="2026-01-01", last="2026-01-02", reason="our outage")
    page = await work.page(answer.headers["location"])

    assert "2026-01-01 to 2026-01-02 excused for all users." in page.text
    (row,) = await home.laurels.store.amnesties()
    assert (row.reason, row.actor, row.for_group) == ("our outage", "anna", None)

    other = await work.send(form, first="2026-01-01", last="2026-01-03", reason="our outage")
    assert other.status_code == 409

    lift = (await work.page(page.links["lift"])).form()
    assert (await work.send(lift, reason="")).status_code == 422
    for message in ("count again", "Already lifted"):
        answer = await work.send(lift, reason="it was no outage")
        assert message in (await work.page(answer.headers["location"])).text
    (row,) = await home.laurels.store.amnesties()
    assert row.lifted_at
    assert (row.lifted_by, row.lift_reason) == ("anna", "it was no outage")
    assert "“it was no outage” — anna" in (await work.page("/console/amnesties")).text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"first": "", "last": "2026-01-02", "reason": "x"}, "first"),
        ({"first": "2026-01-02", "last": "2026-01-01", "reason": "x"}, "last"),
        ({"first": "2026-01-01", "last": "2027-06-01", "reason": "x"}, "last"),
        ({"first": "2026-01-01", "last": "2026-01-01", "reason": ""}, "reason"),
        ({"first": "2026-01-01", "last": "2026-01-01", "reason": "x", "group": "g" * 500}, "group"),
    ],
)
async def test_an_invalid_amnesty_shows_the_error_at_its_field(
    home: App, work: Operator, fields: dict[str, str], wrong: str
) -> None:
    answer = await work.fill("/console/amnesties", **fields)

    assert answer.status_code == 422
    assert f'id="{wrong}-wrong"' in answer.text
    assert await home.laurels.store.amnesties() == []
