"""Checks that a scenario names only what its catalogs have: events, badges, streaks, leaderboards and unlocks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from laurels.engine.catalog import Catalog
from laurels.engine.entitlements import all_unlocks
from laurels.engine.parsing import closest, nearest, shown
from laurels.errors import Fault
from laurels.simulate.format import Answered, Expected, FinallyExpected, UserExpected
from laurels.simulate.scenarios import Scenario, Step

NOTIFICATIONS = (
    "badge.earned",
    "badge.revoked",
    "badge.repeated",
    "level.reached",
    "level.lost",
    "streak.extended",
    "streak.corrected",
    "leaderboard.top",
    "leaderboard.passed",
    "leaderboard.closed",
)
"""The types of notifications."""


class Names:
    """The names that a scenario may use, from all catalogs that come into force in it."""

    def __init__(self, catalogs: Collection[Catalog], users: Collection[str]) -> None:
        self.users = users
        self.events = {name for catalog in catalogs for name in catalog.rule_indexes}
        self.events |= {catalog.login_event for catalog in catalogs}
        self.badges = {badge.id for catalog in catalogs for badge in catalog.badges}
        self.badges |= {name for catalog in catalogs for name in catalog.renames.badges}
        self.streaks = {name for catalog in catalogs for name in (*catalog.streaks, *catalog.renames.streaks)}
        self.boards = {name for catalog in catalogs for name in (*catalog.boards, *catalog.renames.boards)}
        self.unlocks = {one.name for catalog in catalogs for one in all_unlocks(catalog)}
        self.titles = {level.title for catalog in catalogs for level in catalog.levels.all}


def check_names(scenario: Scenario, where: str) -> Iterator[Fault]:
    """The faults of a scenario's names. `where` is its place."""
    users = {*scenario.users, *(step.table.user for step in scenario.steps if step.table.user)}
    names = Names(scenario.catalogs, users)
    declared = scenario.users or users
    for step in scenario.steps:
        place = f"{where}.steps[{step.number}]"
        if step.table.user is not None and step.table.user not in declared:
            yield _unknown(f"{place}.user", "user", step.table.user, declared)
        yield from _check_event(step, place, names)
        if step.table.answers:
            yield from _check_answers(step.table.answers, f"{place}.answers", names)
        if step.table.expect:
            yield from _check_user(step.table.expect, f"{place}.expect", names)
            yield from _check_all(step.table.expect, f"{place}.expect", names)
    if scenario.expect:
        yield from _check_all(scenario.expect, f"{where}.expect", names)


def _check_event(step: Step, place: str, names: Names) -> Iterator[Fault]:
    """A type that no rule counts is probably misspelled, unless the scenario says that it is not counted."""
    name, answers = step.table.event, step.table.answers
    if name is None or name in names.events or (answers and (answers.counted is False or answers.refused)):
        return
    near = nearest(name, names.events)
    fix = f"did you mean '{near}'?" if near else f"known are {', '.join(sorted(names.events))};"
    expected = "if no rule is to count it, add answers = { counted = false }"
    yield Fault(f"{place}.event", f"no rule of the catalog counts events of type '{name}'", f"{fix} {expected}")


def _check_answers(answers: Answered, place: str, names: Names) -> Iterator[Fault]:
    for key in ("awards", "revoked"):
        yield from _check(f"{place}.{key}", "badge", getattr(answers, key) or (), names.badges)
    yield from _check(f"{place}.streaks", "streak", answers.streaks, names.streaks)
    if answers.badge_awarded:
        yield from _check(f"{place}.badge_awarded", "badge", [answers.badge_awarded], names.badges)


def _check_all(expect: Expected | FinallyExpected, place: str, names: Names) -> Iterator[Fault]:
    for user, of_user in expect.users.items():
        if user not in names.users:
            yield _unknown(f"{place}.users.{user}", "user", user, names.users)
        yield from _check_user(of_user, f"{place}.users.{user}", names)
    yield from _check(f"{place}.leaderboards", "leaderboard", expect.leaderboards, names.boards)


def _check_user(expect: UserExpected, place: str, names: Names) -> Iterator[Fault]:
    for key in ("badges", "has_badges", "lacks_badges", "earned"):
        yield from _check(f"{place}.{key}", "badge", getattr(expect, key) or (), names.badges)
    yield from _check_times(expect, place)
    yield from _check(f"{place}.streaks", "streak", expect.streaks, names.streaks)
    yield from _check(f"{place}.ranks", "leaderboard", expect.ranks, names.boards)
    yield from _check(f"{place}.unlocks", "unlock", expect.unlocks or (), names.unlocks)
    if expect.title is not None:
        yield from _check(f"{place}.title", "title of a level", [expect.title], names.titles)
    for key in ("notifications", "has_notifications", "lacks_notifications"):
        types = [text.partition(" ")[0] for text in getattr(expect, key) or ()]
        yield from _check(f"{place}.{key}", "type of a notification", types, NOTIFICATIONS)


def _check_times(expect: UserExpected, place: str) -> Iterator[Fault]:
    """When a badge was earned is a date, or a date and time."""
    for badge, at in expect.earned.items():
        if not isinstance(at, date):
            what = f"must be a date, or a date and time, not {shown(at)}"
            yield Fault(f"{place}.earned.{badge}", what, f"write {badge} = 2026-03-02")


def _check(place: str, kind: str, used: Collection[str], known: Collection[str]) -> Iterator[Fault]:
    yield from (_unknown(place, kind, name, known) for name in used if name not in known)


def _unknown(place: str, kind: str, name: str, known: Collection[str]) -> Fault:
    return Fault(place, f"unknown {kind} '{name}'", closest(name, known))
