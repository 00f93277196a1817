"""The engine against the oracle: random lives in random zones must read the same, in any order of their steps."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.adding import calendar_of
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.judge import judge, read_streak_of, rebuild, rejudge, reverse
from laurels.engine.progress import ManualState, Progress
from laurels.engine.sequences import stages_of
from laurels.engine.streaks import Streak, marks
from laurels.engine.units import WEEKDAYS
from laurels.engine.zones import Zones, first_instant
from laurels.storage.codec import pack_progress, unpack_progress
from tests.engine.oracle import (
    DAY,
    HOUR,
    METRICS,
    Expected,
    Life,
    Visit,
    expected_reading,
    is_member,
    met_in_order,
    zone_names,
)
from tests.support import at, badge, catalog

SPAN = 40
"""How many days a life lasts."""

BASES = [
    "2026-03-05",  # clocks go forward in America, Europe and Egypt
    "2026-10-10",  # and back
    "2024-02-20",  # a leap day
    "2011-12-10",  # Apia and Fakaofo skip the 30th
    "1994-12-15",  # Kiritimati and Enderbury skip New Year's Eve or New Year
    "1993-08-01",  # Kwajalein skips the 21st
]
TARGETS = (2, 3, 5, 8)
LATER = timedelta(days=400)


@dataclass(frozen=True)
class Step:
    """One step of a life."""

    what: str
    value: Any = None


@dataclass(frozen=True)
class Case:
    """A life for the oracle, and its steps for the engine."""

    life: Life
    rules: Catalog
    now: datetime
    steps: tuple[Step, ...]

    @property
    def zones(self) -> Zones:
        return Zones(self.life.zone, tuple(self.life.moves))

    @property
    def streak(self) -> Streak:
        return self.rules.streaks["visits"]


def rules_of(life: Life) -> Catalog:
    """The catalog of this life's streak, with a badge for each target."""
    rule: dict[str, Any] = {"events": ["visit"], "amount": life.amount}
    if life.later:
        rule["amount"] = [{"is": life.amount}, *({"from": since, "is": amount} for since, amount in life.later)]
    if life.cadence != "daily":
        rule["cadence"] = life.cadence
    if life.days > 1:
        rule["days"] = life.days
    if life.week_starts:
        rule["week_starts"] = WEEKDAYS[life.week_starts]
    if life.starts:
        rule["day_starts"] = f"{life.starts // 60:02}:{life.starts % 60:02}"
    if life.rest:
        rule["rest_days"] = [WEEKDAYS[day] for day in sorted(life.rest)]
    if life.initial or life.per_days:
        rule["freezes"] = {"initial": life.initial, "per_days": life.per_days, "most": life.most}
    if life.late_days is not None:
        rule["late_days"] = life.late_days
    return catalog(metrics=METRICS, streaks={"visits": rule}, badges=asked_of(life))


def asked_of(life: Life) -> list[dict[str, Any]]:
    """The badges of a life: one for each target of the streak, and those for other conditions that it has."""
    badges = [badge(f"run_{target}", 10, streak="visits", streak_of=target) for target in TARGETS]
    if life.member_for:
        badges.append(badge("member", 10, member_for=f"{life.member_for} days"))
    for name, chain in (("chain", life.chain), ("late_chain", life.late_chain)):
        if chain:
            badges.append(badge(name, 10, in_order=[{"metric": of, "at_least": needed} for of, needed in chain]))
    return badges


@st.composite
def lives(draw: st.DrawFn, *, freezes: bool = True) -> Case:
    """A life in a few zones, its streak's rules, and the order of its steps."""
    base = at(draw(st.sampled_from(BASES)))
    zones = st.sampled_from(zone_names())
    life = Life(draw(zones | st.sampled_from(["Pacific/Apia", "Pacific/Pago_Pago", "America/New_York", "UTC"])))
    _move(draw, life, base, zones | st.sampled_from(["Pacific/Kiritimati", "Pacific/Apia", "Pacific/Pago_Pago"]))
    life.cadence = draw(st.sampled_from(["daily", "daily", "daily", "weekly", "weekly", "monthly"]))
    if life.cadence != "daily":
        life.days = draw(st.sampled_from([1, 1, 2, 3, 6, 7]))
    if life.cadence == "weekly":
        life.week_starts = draw(st.sampled_from([0, 0, 3, 5, 6]))
    life.starts = draw(st.sampled_from([0, 0, 0, 240, 150, 1439]))
    life.amount = draw(st.sampled_from([1, 1, 1, 3]))
    if draw(st.integers(0, 3)) == 0:
        first = base.date() + timedelta(days=draw(st.integers(1, 15)))
        life.later = [(first, life.amount + 1), (first + timedelta(days=draw(st.integers(1, 10))), 1)]
    life.rest = set() if life.cadence != "daily" else draw(st.sets(st.integers(0, 6), max_size=3))
    life.late_days = draw(st.sampled_from([None, None, 0, 2]))
    if freezes:
        life.initial = draw(st.integers(0, 3))
        life.per_days = draw(st.sampled_from([0, 0, 2, 3]))
        life.most = life.initial + draw(st.integers(0, 2))
    _condition(draw, life, base)
    reversed_visits = _visit(draw, life, base)
    steps = [Step("visit", index) for index in range(len(life.visits) + len(reversed_visits))]
    steps += [Step("reverse", len(life.visits) + index) for index in range(len(reversed_visits))]
    steps += _excuse(draw, life, base, freezes=freezes)
    now = base + timedelta(days=draw(st.integers(0, SPAN + 5)), minutes=draw(st.integers(0, 1439)))
    now = max([now, *(visit.at for visit in life.visits), *(since for since, _ in life.moves)])
    if life.joined and draw(st.booleans()):  # at the very instant, or a moment before it
        life.joined = now - life.member_for * DAY + draw(st.sampled_from([timedelta(0), timedelta(seconds=1)]))
    case = Case(life, rules_of(life), now, ())
    order = _in_order(draw(st.permutations(steps)))
    for index, visit in enumerate([*life.visits, *reversed_visits]):
        visit.id = str(index)
    life.visits += reversed_visits  # steps refer to them by their index; the oracle does not get them
    return replace(case, steps=tuple(order))


def _condition(draw: st.DrawFn, life: Life, base: datetime) -> None:
    """What badges ask for besides the streak: a time of membership, and numbers in order."""
    life.joined = draw(st.none() | st.integers(-30, SPAN * 24).map(lambda hours: base + hours * HOUR))
    life.member_for = draw(st.sampled_from([0, 1, 10, 30]))
    asked = st.tuples(st.sampled_from(sorted(METRICS)), st.integers(1, 4))
    life.chain, life.late_chain = (draw(st.just([]) | st.lists(asked, min_size=2, max_size=4)) for _ in range(2))


def _move(draw: st.DrawFn, life: Life, base: datetime, zones: st.SearchStrategy[str]) -> None:
    """Changes of zone at whole quarters of an hour, a day or more apart; some to where the user already is."""
    hours = draw(st.lists(st.integers(0, SPAN * 96), max_size=3, unique=True))
    for quarters in sorted(hours):
        since, name = base + quarters * timedelta(minutes=15), draw(zones)
        far = not life.moves or since - life.moves[-1][0] >= timedelta(hours=24)
        if far and name != life.zone_at(since):
            life.moves.append((since, name))


def _visit(draw: st.DrawFn, life: Life, base: datetime) -> list[Visit]:
    """Visits, one on most days, and others that will be reversed."""
    dense = [(day, draw(st.integers(0, 1439))) for day in range(SPAN) if draw(st.integers(0, 9)) > 2]
    loose = draw(st.lists(st.tuples(st.integers(0, SPAN), st.integers(0, 1439)), max_size=6))
    visits = [_visit_at(draw, base, day, minute) for day, minute in (dense if draw(st.booleans()) else []) + loose]
    backs = [_visit_at(draw, base, day, 600) for day in draw(st.lists(st.integers(0, SPAN), max_size=3))]
    life.visits = visits
    return backs


def _visit_at(draw: st.DrawFn, base: datetime, day: int, minute: int) -> Visit:
    instant = base + timedelta(days=day, minutes=minute)
    late = timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 3])))
    return Visit(instant, draw(st.integers(1, 4)), instant + late)


def _excuse(draw: st.DrawFn, life: Life, base: datetime, *, freezes: bool) -> list[Step]:
    """Amnesties, repairs, pauses and gifts of freezes."""
    first = base.date()
    span = st.tuples(st.integers(-2, SPAN), st.integers(0, 8 if life.cadence != "monthly" else 40))
    steps: list[Step] = []
    for what, into in (("amnesty", life.excused), ("repair", life.excused), ("pause", life.paused)):
        for start, length in draw(st.lists(span, max_size=1)):
            days = [first + timedelta(days=start + n) for n in range(length + 1)]
            into.update(days)
            steps.append(Step(what, (days[0].toordinal(), days[-1].toordinal())))
    for day, count in draw(st.lists(st.tuples(st.integers(-2, SPAN), st.integers(1, 2)), max_size=2 if freezes else 0)):
        life.grants.append((first + timedelta(days=day), count))
        steps.append(Step("grant", (life.grants[-1][0].toordinal(), count)))
    return steps


def _in_order(steps: Sequence[Step]) -> list[Step]:
    """Move reversals after the visits that they reverse."""
    recorded: set[int] = set()
    ready: list[Step] = []
    waiting: list[Step] = []
    for step in steps:
        if step.what == "reverse" and step.value not in recorded:
            waiting.append(step)
            continue
        ready.append(step)
        if step.what == "visit":
            recorded.add(step.value)
    return ready + waiting


def life_without_reversed(case: Case) -> Life:
    """The life without the visits that were reversed."""
    gone = {step.value for step in case.steps if step.what == "reverse"}
    return replace(case.life, visits=[visit for index, visit in enumerate(case.life.visits) if index not in gone])


class Engine:
    """The engine, which gets one step after the other."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.zones = case.zones
        self.progress = Progress(zones=self.zones, joined_at=case.life.joined, as_of=case.now)
        self.recorded: list[Event] = []
        self.now = max([case.now, *(visit.recorded or visit.at for visit in case.life.visits)])
        for step in case.steps:
            self.take(step)
        self.progress = rejudge(case.rules, self.progress, self.progress, self.now).progress  # as a read does

    def take(self, step: Step) -> None:
        if step.what == "visit":
            self.record(step.value)
        elif step.what == "reverse":
            gone = [event for event in self.recorded if event.id == str(step.value)]
            self.recorded = [event for event in self.recorded if event.id != str(step.value)]
            reversal = reverse(self.case.rules, self.progress, self.recorded, gone, self.now)
            self.progress = reversal.progress
        else:
            after = replace(self.progress, manual=adjusted(self.progress.manual, step))
            self.progress = rejudge(self.case.rules, self.progress, after, self.now).progress

    def record(self, index: int) -> None:
        visit = self.case.life.visits[index]
        today, day = self.zones.day(visit.recorded or visit.at), self.zones.day(visit.at)
        recorded = visit.recorded or visit.at
        event = Event("ada", str(index), "visit", visit.at, visit.quantity, None, day, today - day, recorded)
        self.recorded.append(event)
        stages = stages_of(self.case.rules.chains, self.recorded)
        self.progress = judge(self.case.rules, self.progress, event, today, stages=stages).progress


def adjusted(manual: ManualState, step: Step) -> ManualState:
    """The manual state with one more step."""
    if step.what == "grant":
        return replace(manual, grants={"visits": (*manual.grants.get("visits", ()), step.value)})
    span = Days.span(*step.value)
    if step.what == "amnesty":
        return replace(manual, amnesty=manual.amnesty | span)
    if step.what == "repair":
        return replace(manual, repairs={"visits": manual.repairs.get("visits", Days()) | span})
    return replace(manual, pauses={"": manual.pauses.get("", Days()) | span})


def as_expected(case: Case, progress: Progress) -> Expected:
    """What the engine reads, as a value of the oracle."""
    streak, today = case.streak, case.zones.day(case.now, case.life.starts)
    reading = read_streak_of(streak, progress, today)
    days = progress.days.get("visits", Days())

    def dated(unit: int | None) -> date | None:
        return None if unit is None else date.fromordinal(streak.first_day(unit))

    def all_dated(units: Days) -> set[date]:
        return {date.fromordinal(streak.first_day(unit)) for unit in units}

    marked = marks(streak, days, reading, calendar_of(streak, progress), today, 1000)
    return Expected(
        length=reading.length,
        status=reading.status,
        since=dated(reading.start),
        ends=dated(reading.ends),
        longest=reading.longest,
        longest_from=dated(reading.longest_start),
        longest_to=dated(reading.longest_end),
        total=reading.total,
        freezes=reading.freezes,
        frozen=all_dated(reading.frozen),
        why={date.fromordinal(streak.first_day(unit)): why for unit, why in marked},
    )


def badges_of(case: Case, longest: int) -> set[str]:
    """The badges of a life whose longest run is this long, by the oracle."""
    life = life_without_reversed(case)
    found = {f"run_{target}" for target in TARGETS if target <= longest}
    if life.member_for and is_member(life, case.now):
        found.add("member")
    return found | {
        name
        for name, chain in (("chain", life.chain), ("late_chain", life.late_chain))
        if chain and met_in_order(life, chain)
    }


@settings(max_examples=250)
@given(lives())
def test_the_engine_reads_every_life_as_the_oracle_does(case: Case) -> None:
    progress = Engine(case).progress
    expected = expected_reading(life_without_reversed(case), case.now)
    assert as_expected(case, progress) == expected
    assert progress.badges.keys() >= (badges := badges_of(case, expected.longest))
    of_runs = {name for name in progress.badges if name.startswith("run")}  # these may have been longer meanwhile
    assert progress.badges.keys() - of_runs <= badges


@settings(max_examples=120)
@given(lives(freezes=False), st.randoms(use_true_random=False))
def test_without_freezes_any_order_gives_the_same_streak_and_the_same_badges(case: Case, order: random.Random) -> None:
    engine = Engine(case)
    steps = [step for step in case.steps if step.what != "reverse"]
    order.shuffle(steps)
    other = Engine(replace(case, steps=(*steps, *(step for step in case.steps if step.what == "reverse"))))
    assert pack_progress(other.progress) == pack_progress(engine.progress)
    longest = expected_reading(life_without_reversed(case), case.now).longest
    assert engine.progress.badges.keys() == badges_of(case, longest)


@settings(max_examples=120)
@given(lives())
def test_progress_made_step_by_step_is_byte_for_byte_that_of_a_rebuild(case: Case) -> None:
    engine = Engine(case)
    made = engine.progress
    rebuilt = rebuild(case.rules, made, engine.recorded, engine.now)
    assert pack_progress(rebuilt.progress) == pack_progress(made)
    assert rebuilt.progress == made
    assert not rebuilt.entries
    packed = pack_progress(made)
    assert unpack_progress(packed, made.points, made.reached_at, made.zones, made.joined_at) == made


@settings(max_examples=60)
@given(lives(), st.randoms(use_true_random=False))
def test_with_freezes_any_order_gives_the_same_streak(case: Case, order: random.Random) -> None:
    steps = [step for step in case.steps if step.what != "reverse"]
    order.shuffle(steps)
    backs = [step for step in case.steps if step.what == "reverse"]
    other = Engine(replace(case, steps=(*steps, *backs)))
    one, two = Engine(case).progress, other.progress
    assert replace(one, manual=two.manual, badges={}, points=0, reached_at=None) == replace(
        two, badges={}, points=0, reached_at=None
    )


@pytest.mark.parametrize("initial", ["A-A", "B-P", "Q-Z"])
def test_a_month_of_visits_in_every_zone_reads_as_in_the_oracle(initial: str) -> None:
    names = [name for name in zone_names() if initial[0] <= name[0].upper() <= initial[2]]
    rules = rules_of(Life("UTC"))
    for index, name in enumerate(names):
        drawn = random.Random(name)
        base = at(BASES[index % len(BASES)])
        instants = [
            base + timedelta(days=day, minutes=drawn.randrange(1440)) for day in range(30) if drawn.random() > 0.1
        ]
        life = Life(name, visits=[Visit(instant) for instant in instants])
        steps = tuple(Step("visit", number) for number in range(len(instants)))
        case = Case(life, rules, instants[-1] + timedelta(minutes=drawn.randrange(3000)), steps)
        assert as_expected(case, Engine(case).progress) == expected_reading(life, case.now), name


@settings(max_examples=150)
@given(st.sampled_from(zone_names()), st.sampled_from(BASES), st.integers(0, SPAN))
def test_a_day_begins_where_the_clock_first_shows_it(name: str, base: str, on: int) -> None:
    day = at(base).toordinal() + on
    begins = first_instant(day, name)
    before, after = (Life(name).date_at(instant).toordinal() for instant in (begins - timedelta(seconds=1), begins))
    assert before < day <= after


@settings(max_examples=150)
@given(lives())
def test_a_calendar_skips_the_dates_that_its_clock_never_showed(case: Case) -> None:
    moves = [since for since, _ in case.life.moves]
    first = min([at("1993-08-01"), *moves]) if moves and moves[0].year < 1994 else min([case.now, *moves])
    low, high = first.date() - timedelta(days=3), case.now.date() + timedelta(days=3)
    shown = case.life.dates_shown(low, high)
    span = [low + timedelta(days=n) for n in range((high - low).days + 1)]
    missing = [day for day in span if day not in shown]
    assert [day for day in span if day.toordinal() in case.zones.skipped(case.life.starts)] == missing


def test_the_reported_end_is_the_instant_from_which_the_streak_is_0() -> None:
    drawn = random.Random(7)
    for name in ["Africa/Cairo", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "UTC"]:
        life = Life(
            name, visits=[Visit(at("2026-04-20T12:00") + timedelta(days=n)) for n in range(drawn.randrange(1, 9))]
        )
        ends = expected_reading(life, life.visits[-1].at).ends
        assert ends is not None
        instant = first_instant(ends.toordinal() + 1, name)
        assert expected_reading(life, instant - timedelta(seconds=1)).length == len(life.visits)
        assert expected_reading(life, instant.astimezone(UTC)).length == 0
