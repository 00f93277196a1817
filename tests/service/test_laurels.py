"""The facade, over every engine of storage."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.commands.events import RecordEvent
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.names import clean_name
from laurels.engine.progress import Progress
from laurels.errors import (
    EventConflict,
    EventTooEarly,
    EventTooLate,
    InvalidInput,
    LaurelsError,
    UserErased,
    UserNotFound,
    ZoneChangeTooSoon,
)
from laurels.present.changes import LevelChange, NumberChange, RankChange
from laurels.present.events import EventResult
from laurels.service.laurels import Laurels
from laurels.testing import TestClock, sandbox
from tests.support import (
    KINDS,
    MONDAY,
    at,
    badge,
    cases,
    catalog,
    check_ledgers,
    check_tallies,
    contents,
    count,
    new_database,
)
from tests.support.strategies import catalogs, deliveries, histories

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class DecisionContext:
    laurels: Laurels
    clock: TestClock

    async def login(self, user_id: str = "ada") -> str | None:
        return (await self.laurels.profile(user_id, login=True)).badge_awarded


@pytest.fixture
async def context(database: str) -> AsyncIterator[DecisionContext]:
    async with sandbox(database=database) as (laurels, clock):
        yield DecisionContext(laurels, clock)


def sent(name: str = "e-1", user: str = "ada", **more: Any) -> Event:
    return Event(user, name, more.pop("type", "message.sent"), **more)


def recorded(answer: EventResult | LaurelsError) -> EventResult:
    assert isinstance(answer, EventResult), answer
    return answer


# ---- events -----------------------------------------------------------------------------------


async def test_an_event_is_answered_with_what_it_changed(context: DecisionContext) -> None:
    answer = await context.laurels.record(sent(quantity=1000))
    assert not answer.duplicate
    assert [(one.badge, one.points) for one in answer.awards] == [("message_100", 100), ("message_1000", 500)]
    assert (answer.points, answer.rank) == (NumberChange(before=0, after=600), RankChange(before=None, after=1))
    assert answer.level == LevelChange(before=1, after=3, title="Intermediate")
    row = await context.laurels.store.event("ada", "e-1")
    assert row
    assert row.event.occurred_at == MONDAY


async def test_a_duplicate_gets_the_original_answer_marked_as_such(context: DecisionContext) -> None:
    event = sent(quantity=100, occurred_at=MONDAY, data={"x": [1, 2.5, None]})
    first = await context.laurels.record(event)
    await context.laurels.record(sent("e-2", "bob", quantity=1000))
    context.clock.advance(days=400)  # a retry is no late event
    assert await context.laurels.record(event) == msgspec.structs.replace(first, status="duplicate")
    assert (await context.laurels.profile("ada")).points == 100


async def test_a_duplicate_in_the_same_request_gets_the_original_answer_too(context: DecisionContext) -> None:
    first, second = await context.laurels.record_many([sent(quantity=100)] * 2)
    assert second == msgspec.structs.replace(recorded(first), status="duplicate")
    assert recorded(first).rank == RankChange(before=None, after=1)
    assert (await context.laurels.profile("ada")).points == 100


@pytest.mark.parametrize(
    "other",
    [
        {"type": "agent.created"},
        {"quantity": 2},
        {"data": {"x": 2}},
        {"data": {"x": True}},
        {"data": None},
        {"occurred_at": MONDAY - timedelta(microseconds=1)},
        {"occurred_at": None},
    ],
)
async def test_the_same_id_with_another_body_is_a_conflict_for_that_one_alone(
    context: DecisionContext, other: dict[str, Any]
) -> None:
    first = sent(data={"x": 1}, occurred_at=MONDAY)
    await context.laurels.record(first)
    answers = await context.laurels.record_many([sent("e-0"), replace(first, **other), sent("e-2"), first])
    assert isinstance(answers[1], EventConflict)
    assert [recorded(answers[i]).duplicate for i in (0, 2, 3)] == [False, False, True]


async def test_the_same_id_of_another_user_is_another_event(context: DecisionContext) -> None:
    answers = await context.laurels.record_many([sent(user="ada"), sent(user="bob")])
    assert [recorded(answer).duplicate for answer in answers] == [False, False]


async def test_a_bad_event_does_not_affect_the_others_and_answers_are_in_order(context: DecisionContext) -> None:
    await context.laurels.erase_user("gone")
    events = [
        sent("e-1"),
        sent(""),
        sent("e-2", quantity=0),
        sent("e-3", data={"x": "\ud800"}),
        sent("e-4", data={"x": object()}),
        sent("e-5", occurred_at=MONDAY + timedelta(days=1)),
        sent("e-6", occurred_at=MONDAY - timedelta(days=31)),
        sent("e-7", "gone"),
        sent("e-1", type="other"),
        sent("e-8"),
    ]
    answers = await context.laurels.record_many(events)
    kinds = [InvalidInput] * 4 + [EventTooEarly, EventTooLate, UserErased, EventConflict]
    assert [type(answer) for answer in answers] == [EventResult, *kinds, EventResult]
    assert [recorded(answers[i]).id for i in (0, 9)] == ["e-1", "e-8"]
    assert (await context.laurels.store.counts()).events == 2


async def test_a_single_bad_event_raises(context: DecisionContext) -> None:
    with pytest.raises(EventTooLate):
        await context.laurels.record(sent(occurred_at=MONDAY - timedelta(days=31)))
    with pytest.raises(InvalidInput):
        await context.laurels.record(sent("laurels:mine"))
    assert await context.laurels.store.user("ada") is None


async def test_nothing_sent_is_nothing_answered(context: DecisionContext) -> None:
    assert await context.laurels.record_many([]) == []


async def test_a_late_event_lands_on_its_own_day_and_one_just_ahead_on_today(context: DecisionContext) -> None:
    late = await context.laurels.record(sent("e-1", occurred_at=MONDAY - timedelta(days=30)))
    ahead = await context.laurels.record(sent("e-2", occurred_at=MONDAY + timedelta(minutes=5)))
    rows = [await context.laurels.store.event("ada", one.id or "") for one in (late, ahead)]
    assert [(row.event.day, row.event.occurred_at) for row in rows if row] == [
        (MONDAY.toordinal() - 30, MONDAY - timedelta(days=30)),
        (MONDAY.toordinal(), MONDAY),
    ]
    again = await context.laurels.record(sent("e-2", occurred_at=MONDAY + timedelta(minutes=5)))
    assert again.duplicate


async def test_an_unknown_type_is_stored_and_earns_nothing(context: DecisionContext) -> None:
    answer = await context.laurels.record(sent(type="coffee.drunk", quantity=3))
    assert (answer.awards, answer.points) == ((), None)
    row = await context.laurels.store.event("ada", "e-1")
    assert row
    assert (row.event.type, row.event.quantity, row.outcome) == ("coffee.drunk", 3, None)


async def test_ranks_can_be_left_out(context: DecisionContext) -> None:
    (answer,) = await context.laurels.record_many([sent(quantity=100)], ranks=False)
    assert recorded(answer).rank == RankChange(before=None, after=None)


# ---- users ------------------------------------------------------------------------------------


async def test_what_is_left_out_of_an_update_stays(context: DecisionContext) -> None:
    joined = at("2025-06-01T02:00+02:00")
    await context.laurels.update_user("ada", name="Ada", time_zone="Asia/Tokyo", joined_at=joined)
    user = await context.laurels.update_user("ada", groups=["red", "blue", "red"])
    assert (user.name, user.time_zone, user.joined_at, user.groups) == ("Ada", "Asia/Tokyo", joined, ["blue", "red"])
    user = await context.laurels.update_user("ada", name=None, joined_at=None, groups=[])
    assert (user.name, user.joined_at, user.groups, user.time_zone) == (None, None, [], "Asia/Tokyo")
    assert user == await context.laurels.user("ada")


async def test_an_update_that_changes_nothing_writes_nothing(context: DecisionContext) -> None:
    await context.laurels.update_user("ada", name="Ada")
    before = await contents(context.laurels.store)
    await context.laurels.update_user("ada", name=" Ada\n", groups=[])
    assert await contents(context.laurels.store) == before


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  Ada\t", "Ada"),
        ("A\u202eda", "Ada"),
        ("Zoë 👩\u200d🚀", "Zoë 👩\u200d🚀"),
        ("A\ud800da\x1b[0m", "Ada[0m"),
        ("x" * 100, "x" * 100),
        ("A\u200bd\u00ada\u2060\ufeff", "Ada"),
        ("\u3164Ada\u115f\uffa0", "Ada"),
        ("A\u200dda\u200d", "Ada"),
        ("A\ufe0fda", "Ada"),
        ("A\U000e0041da", "Ada"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        ("\U0001f3f3\ufe0f\u200d\U0001f308 1\ufe0f\u20e3", "\U0001f3f3\ufe0f\u200d\U0001f308 1\ufe0f\u20e3"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u2801\u2800\u2803", "\u2801\u2800\u2803"),
        ("Zoe\u0308", "Zoe\u0308"),
    ],
)
def test_a_name_is_stored_without_characters_that_break_a_page(name: str, kept: str) -> None:
    assert clean_name(name) == kept


UNSEEN = [
    "\u200b",
    "\u200d",
    "\u200d\u200c",
    "\ufe0f",
    "\u3164",
    "\u115f\u1160",
    "\u2800",
    "\u00ad",
    "\U000e0041",
    "\u0301",
]


@pytest.mark.parametrize("name", ["", "  ", "\u200e", "x" * 101, *UNSEEN, "".join(UNSEEN)])
async def test_a_name_that_is_empty_or_too_long_changes_nothing(context: DecisionContext, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await context.laurels.update_user("ada", name=name, time_zone="Asia/Tokyo")
    assert caught.value.field == "name"
    with pytest.raises(UserNotFound):
        await context.laurels.user("ada")


async def test_a_time_zone_can_change_once_in_24_hours(context: DecisionContext) -> None:
    await context.laurels.update_user("ada", time_zone="UTC")
    await context.laurels.update_user("ada", time_zone="Asia/Tokyo")
    context.clock.advance(hours=23.9)
    with pytest.raises(ZoneChangeTooSoon) as caught:
        await context.laurels.update_user("ada", time_zone="UTC", name="Ada")
    assert caught.value.allowed_from == MONDAY + timedelta(days=1)
    user = await context.laurels.user("ada")
    assert (user.time_zone, user.name) == ("Asia/Tokyo", None)
    context.clock.advance(hours=0.1)
    assert (await context.laurels.update_user("ada", time_zone="UTC")).time_zone == "UTC"


async def test_a_lenient_zone_change_that_is_too_soon_is_ignored(context: DecisionContext) -> None:
    for zone in ("UTC", "Asia/Tokyo"):
        await context.laurels.update_user("ada", time_zone=zone)
    user = await context.laurels.update_user("ada", time_zone="UTC", name="Ada", lenient_zone=True)
    assert (user.time_zone, user.name) == ("Asia/Tokyo", "Ada")


@pytest.mark.parametrize("zone", ["", "Mars/Phobos", "x" * 300, "\ud800"])
async def test_an_unknown_zone_is_refused_even_leniently(context: DecisionContext, zone: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await context.laurels.update_user("ada", time_zone=zone, lenient_zone=True)
    assert caught.value.field == "timeZone"


async def test_a_late_event_keeps_the_zone_of_its_own_time(context: DecisionContext) -> None:
    await context.laurels.update_user("ada", time_zone="Asia/Tokyo")
    context.clock.advance(days=2)
    await context.laurels.update_user("ada", time_zone="America/Los_Angeles")
    await context.laurels.record(sent(occurred_at=MONDAY + timedelta(hours=8)))
    row = await context.laurels.store.event("ada", "e-1")
    assert row
    assert row.event.day == MONDAY.toordinal() + 1


async def test_after_an_erasure_nothing_more_is_recorded(context: DecisionContext) -> None:
    laurels = context.laurels
    await laurels.record(sent(quantity=1000))
    for _ in range(2):
        await laurels.erase_user("ada")
    late = [laurels.record(sent()), laurels.record(sent("e-2")), laurels.update_user("ada", name="Ada")]
    for act in (*late, laurels.profile("ada", login=True)):
        with pytest.raises(UserErased):
            await act
    for reading in (laurels.profile("ada"), laurels.user("ada"), laurels.history("ada")):
        with pytest.raises(UserNotFound):
            await reading
    assert (await laurels.leaderboard()).standings == []
    assert (await laurels.rank("ada")).rank is None
    await check_tallies(laurels.store)


# ---- the profile ------------------------------------------------------------------------------


async def test_an_unknown_user_has_no_profile_until_they_log_in(context: DecisionContext) -> None:
    with pytest.raises(UserNotFound):
        await context.laurels.profile("ada")
    assert (await context.laurels.profile("ada", login=True)).streak == 1
    assert (await context.laurels.profile("ada")).streak == 1


@pytest.mark.parametrize("user_id", ["", "x" * 201, "a\nb", "\ud800"])
async def test_no_user_is_created_with_an_id_that_breaks_a_limit(context: DecisionContext, user_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await context.laurels.profile(user_id, login=True)
    assert caught.value.field == "userId"
    assert (await context.laurels.store.counts()).users == 0


@pytest.mark.parametrize("user_id", ["", "x" * 201, "a\nb", "\ud800"])
async def test_no_user_is_found_with_an_id_that_breaks_a_limit(context: DecisionContext, user_id: str) -> None:
    laurels = context.laurels
    for reading in (laurels.user(user_id), laurels.history(user_id), laurels.profile(user_id)):
        with pytest.raises((UserNotFound, InvalidInput)):
            await reading


async def test_reading_without_a_login_earns_no_day(context: DecisionContext) -> None:
    await context.login()
    context.clock.advance(days=1)
    assert (await context.laurels.profile("ada")).streak == 1
    context.clock.advance(days=1)
    assert (await context.laurels.profile("ada")).streak == 0


async def test_fifty_logins_at_once_record_one_day(context: DecisionContext) -> None:
    for _ in range(6):
        await context.login()
        context.clock.advance(days=1)
    profiles = await asyncio.gather(*(context.laurels.profile("ada", login=True) for _ in range(50)))
    assert [profile.badge_awarded for profile in profiles].count("login_streak_7") == 1
    assert {(profile.streak, profile.points) for profile in profiles} == {(7, 200)}
    assert (await context.laurels.store.counts()).events == 7


async def test_the_seventh_day_names_its_badge_once_and_counts_it_already(context: DecisionContext) -> None:
    named: list[str | None] = []
    for day in range(1, 9):
        named.append(await context.login())
        named.append(await context.login())
        profile = await context.laurels.profile("ada")
        assert (profile.streak, profile.points) == (day, 200 if day >= 7 else 0)
        context.clock.advance(days=1)
    assert named == [None] * 12 + ["login_streak_7"] + [None] * 3


async def test_of_two_streak_badges_in_one_request_the_one_with_more_points_is_named(database: str) -> None:
    two = [badge("small", 5, streak="login", streak_of=1), badge("big", 9, streak="login", streak_of=1)]
    made = catalog(metrics={"logins": count("login")}, badges=[*two, badge("other", 99, metric="logins", at_least=1)])
    async with sandbox(made, database=database) as (laurels, _):
        profile = await laurels.profile("ada", login=True)
    assert profile.badge_awarded == "big"
    assert [one.id for one in profile.badges] == ["small", "big", "other"]
    assert (profile.points, profile.level, profile.user_rank) == (113, 2, 1)


async def test_a_login_under_an_id_of_another_day_does_not_take_this_days_login_away(context: DecisionContext) -> None:
    """A zone that changes between the reading and the recording leaves a login under the date of the old zone."""
    tomorrow = Event("ada", "laurels:login:2026-01-06", "login")
    await context.laurels.core.run(RecordEvent(tomorrow, MONDAY))
    context.clock.advance(days=1)
    await context.login()
    assert (await context.laurels.profile("ada")).streak == 2


async def test_a_profile_includes_more_only_on_request(context: DecisionContext) -> None:
    await context.laurels.record(sent(quantity=73))
    plain = msgspec.to_builtins(await context.laurels.profile("ada"))
    more = msgspec.to_builtins(await context.laurels.profile("ada", include=["rank", "next", "streaks", "history"]))
    assert more.keys() - plain.keys() == {"rank", "next", "streaks", "history"}
    assert more["rank"] == {"rank": None, "rankedUsers": 0}
    assert more["next"][0]["sentence"] == "27 more messages to earn Century Club."
    with pytest.raises(InvalidInput, match="use any of balance, rank, next"):
        await context.laurels.profile("ada", include=["everything"])


async def test_the_contracts_example_field_for_field(context: DecisionContext) -> None:
    laurels = context.laurels
    for index, messages in enumerate((1000, 1000, 1000)):
        await laurels.record(sent(user=f"top{index}", quantity=messages))
    await laurels.update_user("top0", name="Top")
    await laurels.record(sent("e-1", type="agent.created"))
    await laurels.record(sent("e-2", quantity=100))
    for day in range(3):
        context.clock.set(MONDAY + timedelta(days=day))
        profile = msgspec.to_builtins(await laurels.profile("ada", login=True))
    badges, available = profile.pop("badges"), profile.pop("availableBadges")
    leaders = [
        {"userId": f"top{i}", "name": name, "points": 600, "level": 3, "title": "Intermediate"}
        for i, name in enumerate(("Top", "Anonymous", "Anonymous"))
    ]
    assert profile == {
        "points": 150,
        "level": 2,
        "title": "Beginner",
        "nextLevel": 500,
        "progress": 30,
        "streak": 3,
        "badgeAwarded": None,
        "leaderboard": [
            *leaders,
            {"userId": "ada", "name": "Anonymous", "points": 150, "level": 2, "title": "Beginner"},
        ],
        "userRank": 4,
    }
    assert badges == [
        {
            "id": "first_agent",
            "name": "Agent Creator",
            "description": "Create your first AI agent",
            "icon": "🤖",
            "category": "onboarding",
            "points": 50,
            "condition": "Create 1 agent",
        },
        {
            "id": "message_100",
            "name": "Century Club",
            "description": "Send 100 messages through your agents",
            "icon": "💬",
            "category": "usage",
            "points": 100,
            "condition": "100 messages",
        },
    ]
    contract = json.loads((Path(__file__).parents[1] / "conformance" / "catalog.json").read_text("utf-8"))
    earned = {one["id"] for one in badges}
    assert [one["id"] for one in available] == [one["id"] for one in contract["badges"] if one["id"] not in earned]
    assert all(one.keys() == badges[0].keys() for one in available)


# ---- the board --------------------------------------------------------------------------------

SCORES = catalog(points=[{"id": "score", "events": ["score"], "amount": 1, "per": "quantity"}])


@pytest.mark.parametrize("case", cases("leaderboard"), ids=lambda case: case["name"])
async def test_the_boards_of_the_conformance_cases(database: str, case: dict[str, Any]) -> None:
    async with sandbox(SCORES, database=database) as (laurels, _):
        for user_id, points, order in random.Random(1).sample(case["scores"], len(case["scores"])):
            await laurels.update_user(user_id)
            if points:
                moment = MONDAY - timedelta(minutes=100 - order)
                await laurels.record(Event(user_id, "e", "score", moment, points))
        board = (await laurels.leaderboard(limit=100)).standings
        assert [line.user_id for line in board] == case["order"]
        assert [line.rank for line in board] == list(range(1, len(board) + 1))
        for index, user_id in enumerate(case["order"], start=1):
            profile = await laurels.profile(user_id)
            assert profile.user_rank == (index if index <= 10 else None)
            assert [line.user_id for line in profile.leaderboard] == case["order"][:5]
            assert (await laurels.rank(user_id)).rank == index
        for user_id, rank in case.get("userRank", {}).items():
            assert (await laurels.profile(user_id)).user_rank == rank


# ---- history ----------------------------------------------------------------------------------


async def test_a_page_of_history_without_a_line_is_refused(context: DecisionContext) -> None:
    await context.laurels.record(Event("ada", "m-1", "message.sent"))
    with pytest.raises(InvalidInput):
        await context.laurels.history("ada", limit=0)


async def test_history_is_read_newest_first_page_by_page(context: DecisionContext) -> None:
    for i in range(7):
        await context.laurels.record(sent(f"e-{i}", quantity=20))
    seen: list[str] = []
    before: int | None = None
    while True:
        page = await context.laurels.history("ada", 3, before)
        seen += [entry.event.id for entry in page.entries if entry.event]
        before = page.next
        if before is None:
            break
    assert seen == [f"e-{i}" for i in range(6, -1, -1)]
    newest = (await context.laurels.history("ada", 3)).entries[2]
    assert newest.event
    assert (newest.event.id, [one.badge for one in newest.awards], [one.amount for one in newest.points]) == (
        "e-4",
        ["message_100"],
        [100],
    )


# ---- other rules ------------------------------------------------------------------------------

OLD = catalog(
    metrics={"messages": {"kind": "sum", "events": ["message.sent"]}},
    points=[{"id": "chat", "events": ["message.sent"], "amount": 10}],
    badges=[badge("kept", 50, metric="messages", at_least=1), badge("dropped", 20, metric="messages", at_least=2)],
)
NEW = catalog(
    metrics={"messages": {"kind": "sum", "events": ["message.sent"]}},
    points=[{"id": "chat", "events": ["message.sent"], "amount": 1}],
    badges=[badge("kept", 7, metric="messages", at_least=500), badge("new", 5, metric="messages", at_least=3)],
)


async def test_under_other_rules_old_events_count_again_and_earned_badges_stay(database: str) -> None:
    async with sandbox(OLD, database=database) as (laurels, clock):
        await laurels.record_many([sent("e-1", quantity=2), sent("e-2", quantity=2)])
        assert (await laurels.profile("ada")).points == 90
        renewed = Laurels(laurels.store, NEW, clock=clock, on_difference="apply")
        profile = await renewed.profile("ada")
        assert [one.id for one in profile.badges] == ["kept", "new"]
        assert profile.points == 50 + 20 + 2 + 5
        await check_ledgers(laurels.store)
        await check_tallies(laurels.store)
        (line,) = (await renewed.leaderboard()).standings
        assert (line.points, (await renewed.rank("ada")).rank) == (77, 1)
        top = (await renewed.history("ada", 1)).entries[0]
        assert [(one.amount, one.reason) for one in top.points] == [(-18, "catalog"), (5, "badge")]
        again = await renewed.profile("ada")
        assert again == profile
        assert await laurels.profile("ada")  # going back is a change of rules as well
        await check_ledgers(laurels.store)


async def test_todays_login_counts_for_a_streak_that_was_renamed_since(database: str) -> None:
    def named(name: str) -> Catalog:
        return catalog(profile={"login_event": "login", "login_streak": name}, streaks={name: {"events": ["login"]}})

    async with sandbox(named("visits"), database=database) as (laurels, clock):
        await laurels.profile("ada", login=True)
        renewed = Laurels(laurels.store, named("days"), clock=clock, on_difference="apply")
        assert (await renewed.profile("ada", login=True)).streak == 1


async def test_a_duplicate_under_other_rules_repeats_the_answer_of_then(database: str) -> None:
    async with sandbox(OLD, database=database) as (laurels, clock):
        first = await laurels.record(sent())
        again = await Laurels(laurels.store, NEW, clock=clock, on_difference="apply").record(sent())
        assert again == msgspec.structs.replace(first, status="duplicate")


# ---- properties -------------------------------------------------------------------------------


async def sums(laurels: Laurels) -> tuple[Progress, int]:
    """What must not depend on the order of arrival; the order of badges and the time of the points may."""
    row = await laurels.store.user("ada")
    progress = row.progress if row else Progress()
    badges = {one.id: progress.badges.get(one.id, -1) for one in laurels.catalog.badges}
    return replace(progress, reached_at=None, badges=badges), laurels.catalog.levels.number(progress.points)


async def deliver(kind: str, made: Catalog, events: list[Event], sizes: list[int]) -> tuple[Progress, int]:
    """Send events in batches of these sizes, and check the books after each."""
    start = MONDAY + timedelta(days=20)
    with new_database(kind) as database:
        async with sandbox(made, start=start, database=database) as (laurels, _):
            while events:
                size = sizes.pop() if sizes else 1
                for answer in await laurels.record_many(events[:size]):
                    recorded(answer)
                events = events[size:]
                await check_ledgers(laurels.store)
                await check_tallies(laurels.store)
            return await sums(laurels)


@settings(max_examples=40)
@given(catalogs(), histories(), st.data())
async def test_any_order_and_any_batches_of_any_deliveries_give_the_same_on_every_engine(
    made: Catalog, events: list[Event], data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=8))
    shuffled = data.draw(deliveries(events))
    expected = await deliver("sqlite-memory", made, events, [])
    for kind in KINDS:
        assert await deliver(kind, made, shuffled, [*sizes]) == expected


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(before=catalogs(), after=catalogs(), events=histories(most=10))
async def test_the_books_balance_through_changes_of_rules(
    kind: str, before: Catalog, after: Catalog, events: list[Event]
) -> None:
    with new_database(kind) as database:
        async with sandbox(before, start=MONDAY + timedelta(days=20), database=database) as (laurels, clock):
            await laurels.record_many(events)
            for made in (after, before):
                await Laurels(laurels.store, made, clock=clock, on_difference="apply").profile("ada", login=True)
                await check_ledgers(laurels.store)
                await check_tallies(laurels.store)
