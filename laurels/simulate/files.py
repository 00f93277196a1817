"""Reads scenario files. All faults of all files are reported at once, before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from laurels.engine.adjustments import parse_adjustment
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event, check_event
from laurels.engine.toml_text import toml_text
from laurels.engine.zones import zone
from laurels.errors import CatalogError, Fault, InvalidInput, ScenarioError
from laurels.simulate.format import Answered, CatalogGiven, ScenarioFile, ScenarioTable, StepTable, UserFacts
from laurels.simulate.names import check_names
from laurels.simulate.scenarios import ACTIONS, Facts, Scenario, Step
from laurels.simulate.shapes import check_shape
from laurels.simulate.times import day, duration, instant
from laurels.testing import START

REASON = "a scenario"
"""The reason of an adjustment that gives none."""

T = TypeVar("T")


def read_scenarios(paths: Sequence[Path]) -> list[Scenario]:
    """The scenarios in these files, and in the .toml files of these folders that have scenarios.

    Raises ScenarioError with all faults.
    """
    faults: list[Fault] = []
    found = [scenario for path in _files(paths, faults) for scenario in _FileReader(path, faults).scenarios()]
    if not faults and not found:
        where = ", ".join(map(str, paths))
        faults.append(
            Fault(where, "has no scenarios", "write one: 'laurels simulate --init' makes a file to start from")
        )
    if faults:
        raise ScenarioError(faults)
    return found


def _files(paths: Sequence[Path], faults: list[Fault]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*.toml") if _has_scenarios(file))
        elif path.is_file():
            yield path
        else:
            faults.append(Fault(str(path), "does not exist", "name a scenario file or a folder of them"))


def _has_scenarios(file: Path) -> bool:
    """Whether a file of a folder is a scenario file, or cannot be read as TOML: catalogs may lie next to them."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return True
    return "scenarios" in raw or not {"levels", "badges"} & raw.keys()


class _FileReader:
    """Reads one file."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.path, self.faults = path, faults
        self._catalogs: dict[Path, Catalog | None] = {}

    def scenarios(self) -> list[Scenario]:
        """The scenarios of the file that have no fault."""
        raw = self._raw()
        if raw is None or not check_shape(raw, ScenarioFile, f"{self.path}: ", self.faults):
            return []
        file = msgspec.convert(raw, ScenarioFile)
        names: set[str] = set()
        found: list[Scenario] = []
        for number, table in enumerate(file.scenarios, start=1):
            where = f"{self.path}: scenarios[{number}] '{table.name}'"
            if table.name in names:
                self.fault(f"{where}.name", "is the name of an earlier scenario of this file", "give it another name")
            names.add(table.name)
            scenario = self._scenario(table, file.catalog, where)
            if scenario:
                found.append(scenario)
        return found

    def fault(self, where: str, what: str, fix: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(where, what, fix))

    def tried(self, where: str, read: Callable[[], T]) -> T | None:
        """What `read` returns; None if it raises InvalidInput, which becomes a fault."""
        try:
            return read()
        except InvalidInput as error:
            what, _, fix = str(error).partition("; ")
            self.fault(f"{where}.{error.field}", what, fix or "change it")
            return None

    def _raw(self) -> dict[str, Any] | None:
        try:
            return tomllib.loads(self.path.read_text("utf-8"))
        except OSError as error:
            self.fault(str(self.path), f"cannot be read: {error.strerror}", "check the path")
        except UnicodeDecodeError as error:
            self.fault(str(self.path), f"is not UTF-8: {error}", "save it as UTF-8")
        except tomllib.TOMLDecodeError as error:
            self.fault(str(self.path), f"is not TOML: {error}", "fix that line")
        except RecursionError:
            self.fault(str(self.path), "has brackets in too many others", "write it with fewer")
        return None

    def catalog(self, given: CatalogGiven | None, where: str) -> Catalog | None:
        """The catalog of a scenario; None if it has a fault. `where` is the beginning of its place."""
        if given is None:
            return Catalog.default()
        try:
            if not isinstance(given, str):
                return Catalog.parse(toml_text(given))
            path = self.path.parent / given
            if path not in self._catalogs:
                self._catalogs[path] = None  # its faults are reported once
                self._catalogs[path] = Catalog.load(path)
            return self._catalogs[path]
        except CatalogError as error:
            place = f"{where}catalog{': ' if isinstance(given, str) else '.'}"
            self.faults += [Fault(place + one.where, one.what, one.fix) for one in error.faults]
            return None

    def _scenario(self, table: ScenarioTable, of_file: CatalogGiven | None, where: str) -> Scenario | None:
        before = len(self.faults)
        given = of_file if table.catalog is None else table.catalog
        catalog = self.catalog(given, f"{where}." if table.catalog is not None else f"{self.path}: ")
        zone_ = self.tried(where, lambda: _zone("zone", table.zone))
        if zone_ is None:
            return None
        first = table.steps[0].at if table.steps else None
        start = self.tried(where, lambda: instant("start", table.start, zone_)) if table.start is not None else None
        if start is None and first is not None:
            start = self.tried(f"{where}.steps[1]", lambda: instant("at", first, zone_))
        users = {name: self._facts(facts, f"{where}.users.{name}", zone_) for name, facts in table.users.items()}
        reader = _StepReader(self, zone_, start or START, where)
        steps = [reader.step(number, step) for number, step in enumerate(table.steps, start=1)]
        if catalog is None or len(self.faults) > before:
            return None
        parts = (catalog, start or START, zone_, table.late_days, users, steps, table.expect)
        scenario = Scenario(str(self.path), table.name, *parts)
        self.faults += check_names(scenario, where)
        return scenario

    def _facts(self, given: UserFacts, where: str, zone_: ZoneInfo) -> Facts:
        if given.zone is not None:
            name = given.zone
            self.tried(where, lambda: _zone("zone", name))
        joined = None
        if given.joined is not None:
            joined = self.tried(where, lambda: instant("joined", given.joined, zone_))
        return Facts(given, joined)

    facts = _facts


class _StepReader:
    """Reads the steps of one scenario, in order, with the time of each."""

    def __init__(self, file: _FileReader, zone_: ZoneInfo, start: datetime, where: str) -> None:
        self._file, self._zone, self._now, self._where = file, zone_, start, where

    def step(self, number: int, table: StepTable) -> Step:
        """A step; what it may not have becomes a fault."""
        where = f"{self._where}.steps[{number}]"
        self._check_keys(table, where)
        times = self._times(table, where)
        at = (
            self._file.tried(where, lambda: instant("occurred_at", table.occurred_at, self._zone))
            if table.occurred_at
            else None
        )
        step = Step(
            number,
            table,
            times,
            occurred_at=at,
            adjustment=self._adjustment(table, where) if table.adjust is not None else None,
            update=self._file.facts(table.update, f"{where}.update", self._zone) if table.update else None,
            amnesty=self._amnesty(table, where) if table.amnesty else None,
            catalog=self._file.catalog(table.catalog, where) if table.catalog is not None else None,
        )
        if table.event is not None and table.user is not None:
            event = Event(table.user, event_id(step), table.event, at, table.quantity or 1, table.data)
            self._file.tried(where, lambda: check_event(event))
        return step

    def _times(self, table: StepTable, where: str) -> list[datetime]:
        """When its action is done. The clock never moves back."""
        now, fault = self._now, self._file.fault
        if table.at is not None:
            now = self._file.tried(where, lambda: instant("at", table.at, self._zone)) or now
        elif table.after is not None:
            text = table.after
            moved = self._file.tried(where, lambda: duration("after", text))
            now = moved.after(now, self._zone) if moved else now
        if now < self._now:
            fault(
                f"{where}.at",
                "is before the time of the step before it",
                "put the steps in order; an event may come late with occurred_at",
            )
        times = [max(now, self._now)]
        every = table.every
        moves = self._file.tried(where, lambda: duration("every", every)) if every is not None else None
        for _ in range(table.times - 1):
            times.append(moves.after(times[-1], self._zone) if moves else times[-1])
        self._now = times[-1]
        return times

    def _check_keys(self, table: StepTable, where: str) -> None:
        fault, given = self._file.fault, _given(table)
        done = [name for name in ACTIONS if getattr(table, name) is not None]
        if done[1:]:
            fault(f"{where}.{done[1]}", f"is a second action next to '{done[0]}'", "make it a step of its own")
        for name, needs in NEEDS.items():
            if name in given and not {*needs} & given:
                fault(
                    f"{where}.{name}",
                    f"has no meaning without {_either(needs)}",
                    f"add {_either(needs)}, or take it out",
                )
        if set(done) & OF_USER and table.user is None:
            fault(f"{where}.user", f"is missing: '{done[0]}' is something that a user does or gets", 'add user = "..."')
        if table.user is None and table.expect and _of_the_user(table):
            fault(
                f"{where}.expect.{_of_the_user(table)[0]}",
                "is expected of a user, but the step has none",
                'add user = "...", or write it under expect.users',
            )
        for name in sorted(_stated(table.answers) - ANSWERS[done[0]] if done and done[0] in ANSWERS else ()):
            fault(
                f"{where}.answers.{name}",
                f"is nothing that '{done[0]}' answers",
                "write it under expect, or take it out",
            )
        if table.at is not None and table.after is not None:
            fault(f"{where}.after", "is given next to 'at'", "take one of them out")
        if not done and table.expect is None and table.at is None and table.after is None:
            fault(where, "does nothing and expects nothing", f"add {_either(tuple(ACTIONS))}")

    def _adjustment(self, table: StepTable, where: str) -> tuple[str, str, dict[str, Any]] | None:
        given = {name: _json(value) for name, value in (table.adjust or {}).items()}
        kind, reason = given.pop("kind", ""), given.pop("reason", REASON)
        if self._file.tried(f"{where}.adjust", lambda: parse_adjustment(str(kind), given)) is None:
            return None
        return str(kind), str(reason), given

    def _amnesty(self, table: StepTable, where: str) -> tuple[date, date] | None:
        given = table.amnesty
        first = self._file.tried(f"{where}.amnesty", lambda: day("first", given.first if given else None))
        last = self._file.tried(f"{where}.amnesty", lambda: day("last", given.last if given else None))
        return (first, last) if first and last else None


OF_USER = {"event", "login", "adjust", "reverse", "undo", "update"}
ANSWERS: Mapping[str, set[str]] = {
    "login": {"badge_awarded", "refused"},
    "update": {"refused"},
    "amnesty": {"refused"},
    "catalog": {"refused"},
}
"""What the answers of an action can be compared with, where it is less than what an event or an adjustment changes."""

NEEDS = {
    "id": ("event", "adjust"),
    "quantity": ("event",),
    "data": ("event",),
    "occurred_at": ("event",),
    "every": ("times",),
    "times": tuple(ACTIONS),
    "answers": tuple(ACTIONS),
}
"""Keys of a step that mean nothing without any of others."""


def event_id(step: Step, index: int = 0) -> str:
    """The id of an event or an adjustment of a step: the given one; of several, with a number after it."""
    name = step.table.id or f"step-{step.number}"
    return name if step.table.times == 1 else f"{name}-{index + 1}"


def _given(table: StepTable) -> set[str]:
    return {
        name
        for name in table.__struct_fields__
        if getattr(table, name) is not None and (name, getattr(table, name)) != ("times", 1)
    }


def _stated(answers: Answered | None) -> set[str]:
    """The keys that say what an action answers."""
    return {*msgspec.to_builtins(answers)} if answers else set()


def _of_the_user(table: StepTable) -> list[str]:
    """What a step expects of its own user."""
    inner: dict[str, Any] = msgspec.to_builtins(table.expect) if table.expect else {}
    return [name for name in inner if name not in ("users", "leaderboards")]


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)


def _json(value: Any) -> Any:
    """A value of TOML as JSON: a date is its text."""
    return value.isoformat() if isinstance(value, date) else value


def _zone(field: str, name: str) -> ZoneInfo:
    """The time zone. Raises InvalidInput, which names this field."""
    try:
        return zone(name)
    except InvalidInput as error:
        raise InvalidInput(field, str(error)) from None
