"""The sample community: the same for the same seed, believable, and complete on each member's own clock."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from laurels import Catalog
from laurels.demo.filling import demo_catalog, steps
from laurels.demo.sample import ARCHETYPES, BRINK_ID, BRINK_MESSAGES, MOVES, SEED, Community, community
from laurels.engine.judge import judge
from laurels.engine.progress import Progress
from laurels.engine.zones import Zones, zone

NOW = datetime(2026, 3, 9, 15, 30, tzinfo=UTC)
"""The day after the clocks of New York were set forward."""


def progress_of(people: Community) -> dict[str, Progress]:
    """What the engine computes from all events, each counted once."""
    catalog = Catalog.parse(demo_catalog())
    zones = {
        member.user_id: Zones(member.time_zone, (member.moves,) if member.moves else ()) for member in people.members
    }
    made = {user_id: Progress(zones=known) for user_id, known in zones.items()}
    for event in {(sent.event.user_id, sent.event.id): sent.event for sent in people.sent}.values():
        day = zones[event.user_id].day(event.occurred_at)
        dated = type(event)(event.user_id, event.id, event.type, event.occurred_at, event.quantity, None, day)
        made[event.user_id] = judge(catalog, made[event.user_id], dated, day).progress
    return made


def points_of(people: Community) -> dict[str, int]:
    return {user_id: progress.points for user_id, progress in progress_of(people).items()}


@pytest.fixture(scope="module")
def people() -> Community:
    return community(SEED, 240, 90, NOW)


def test_the_same_seed_gives_the_same_community_and_another_gives_another(people: Community) -> None:
    assert community(SEED, 240, 90, NOW) == people
    assert community(SEED + 1, 240, 90, NOW).sent != people.sent


@pytest.mark.parametrize("days", [1, 2, 3, 4, 5, 6, 20, 100, 250])
def test_each_member_has_the_same_points_for_any_last_date(people: Community, days: int) -> None:
    later = community(SEED, 240, 90, NOW + timedelta(days=days, hours=5 * days % 24))

    assert points_of(later) == points_of(people)


def test_the_history_of_each_ends_with_yesterday_on_their_own_clock(people: Community) -> None:
    homes = {member.user_id: MOVES[member.time_zone] if member.moves else member.time_zone for member in people.members}
    newest = {
        sent.event.user_id: sent.event.occurred_at
        for sent in sorted(people.sent, key=lambda one: one.event.occurred_at)
    }

    for user_id, moment in newest.items():
        there = zone(homes[user_id])
        assert moment.astimezone(there).date() < NOW.astimezone(there).date()


def test_nothing_reaches_laurels_before_it_happened_or_after_now(people: Community) -> None:
    assert all(sent.event.occurred_at <= sent.at <= NOW for sent in people.sent)
    assert [sent.at for sent in people.sent] == sorted(sent.at for sent in people.sent)


def test_some_events_arrive_late_and_some_twice(people: Community) -> None:
    late = [sent for sent in people.sent if sent.at - sent.event.occurred_at > timedelta(hours=8)]
    times = Counter((sent.event.user_id, sent.event.id) for sent in people.sent)

    assert 100 < len(late) < len(people.sent) / 10
    assert set(times.values()) == {1, 2}


def test_the_community_has_all_archetypes_zones_and_levels(people: Community) -> None:
    kinds = Counter(member.archetype for member in people.members)
    catalog = Catalog.parse(demo_catalog())
    levels = Counter(catalog.levels.number(points) for points in points_of(people).values())

    assert set(kinds) == {archetype.name for archetype in ARCHETYPES} | {"brink"}
    assert len({member.time_zone for member in people.members}) > 8
    assert any(member.moves for member in people.members)
    assert set(levels) == {1, 2, 3, 4, 5, 6, 7}


def test_the_archetypes_live_as_they_are_called(people: Community) -> None:
    made = progress_of(people)
    days = {member.user_id: made[member.user_id].days["login"] for member in people.members}
    of_kind = {
        kind: [member.user_id for member in people.members if member.archetype == kind]
        for kind in {member.archetype for member in people.members}
    }

    assert all(made[user].longest("login") >= 31 for user in of_kind["enthusiast"])
    assert all(made[user].longest("login") <= 2 for user in of_kind["weekender"])
    assert all(made[user].longest("login") <= 5 for user in of_kind["worker"])
    assert all(days[user].last < NOW.toordinal() - 29 for user in of_kind["leaver"])
    assert all(days[user].first > NOW.toordinal() - 10 for user in of_kind["newcomer"])
    assert max(made[user].points for user in of_kind["legend"]) >= 10_000


def test_names_are_made_up_and_unique() -> None:
    members = community(SEED, 3000, 7, NOW).members

    assert len({member.user_id for member in members}) == len({member.name for member in members}) == 3000
    assert all(member.user_id == member.name.lower().replace(" ", "-") for member in members)


def test_one_member_is_one_message_short_of_a_badge_and_of_a_level(people: Community) -> None:
    progress = progress_of(people)[BRINK_ID]
    catalog = Catalog.parse(demo_catalog())
    badge = catalog.badge("message_100")

    assert progress.totals["messages"] == BRINK_MESSAGES == 99
    assert badge
    assert badge.id not in progress.badges
    before = progress.points + 5  # today's login, with the first reading of the profile
    assert catalog.levels.number(before + badge.points + 2) == catalog.levels.number(before) + 1


@pytest.mark.parametrize(("users", "days"), [(1, 7), (2, 14), (37, 30), (5, 400)])
def test_every_size_can_be_made(users: int, days: int) -> None:
    small = community(SEED, users, days, NOW)

    assert len(small.members) == users
    assert {sent.event.user_id for sent in small.sent} == {member.user_id for member in small.members}


def test_the_steps_of_the_filling_hold_everything_in_order(people: Community) -> None:
    made = steps(people, NOW)

    assert sum(len(step.events) for _, step in made) == len(people.sent)
    assert sum(len(step.joins) for _, step in made) == len(people.members)
    assert [end for end, _ in made] == sorted(end for end, _ in made)
    assert all(event.occurred_at <= end <= NOW for end, step in made for event in step.events)
