"""Where: which events a rule counts, by what is in their data. It is compiled once, when a catalog is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.numbers import read_scale, units, whole
from laurels.engine.parsing import Table, shown

_Test = Callable[[object], bool]
"""Whether a value of an event's data is one that counts; None is no value."""


class Where(dict[str, Any]):
    """The tests that an event's data must pass, by key, as the catalog writes them. Without any, every event counts.

    a text, number, boolean    the value is this one, by value and by type: 1 is 1.0, and neither is true
    a list of them             the value is one of these
    {at_least, at_most, scale}  the value is a number within these, read as `of` and `scale` of a metric read it
    {exists}                   whether there is a value
    {not}                      the value is none of these; no value is none of them

    A key that is missing and one that is null have no value. It is a dict, because its JSON is part of fingerprints and of the
    rules of closed periods, and it never changes.
    """

    __slots__ = ("_tests",)

    def __init__(self, tests: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(tests)
        self._tests = tuple((key, _test_of(wanted)) for key, wanted in self.items())

    def __reduce__(self) -> tuple[type[Where], tuple[dict[str, Any]]]:
        return Where, (dict(self),)  # the compiled tests cannot be sent to another process

    def matches(self, event: Event) -> bool:
        """Whether an event's data passes all tests."""
        data = event.data or {}
        for key, test in self._tests:  # noqa: SIM110  # a generator would cost as much as the tests
            if not test(data.get(key)):
                return False
        return True

    @property
    def numbers(self) -> set[str]:
        """The keys under which it reads a number."""
        return {key for key, wanted in self.items() if _reads_number(wanted)}


DAYS = "\x1fdays"
"""The key of the days of `WhereWithin`, which no event's data can have."""


class WhereWithin(Where):
    """The same for events of certain days only: `DAYS` has the first one, and the first one after them (None: no limit)."""

    __slots__ = ("_end", "_first")

    def __init__(self, tests: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        every = dict(tests)
        super().__init__({key: wanted for key, wanted in every.items() if key != DAYS})
        self[DAYS] = every[DAYS]
        self._first, self._end = every[DAYS]

    def __reduce__(self) -> tuple[type[Where], tuple[dict[str, Any]]]:
        return WhereWithin, (dict(self),)

    def matches(self, event: Event) -> bool:
        """Whether an event is of one of the days, and its data passes all tests."""
        day = event.day
        assert day is not None
        if (self._first is not None and day < self._first) or (self._end is not None and day >= self._end):
            return False
        return super().matches(event)


def _test_of(wanted: Any) -> _Test:
    if isinstance(wanted, Mapping):
        return _test_of_table(cast(Mapping[str, Any], wanted))
    if isinstance(wanted, (list, tuple)):
        tests = [_is(one) for one in cast(Iterable[Any], wanted)]
        return lambda found: any(test(found) for test in tests)
    return _is(wanted)


def _is(wanted: Any) -> _Test:
    kinds = {int, float} if type(wanted) is int else {cast(type[object], type(wanted))}
    return lambda found: found == wanted and type(found) in kinds


def _test_of_table(wanted: Mapping[str, Any]) -> _Test:
    if "at_least" in wanted or "at_most" in wanted:
        least, most, scale = wanted.get("at_least", 0), wanted.get("at_most", MAX_NUMBER), wanted.get("scale", 1)

        def is_within(found: object) -> bool:
            number = units(found, scale)
            return number is not None and least <= number <= most

        return is_within
    if "not" not in wanted:
        exists = wanted["exists"]
        return lambda found: (found is not None) == exists
    is_one = _test_of(wanted["not"])
    if wanted.get("exists"):
        return lambda found: found is not None and not is_one(found)
    return lambda found: not is_one(found)


def _reads_number(wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        table = cast(Mapping[str, Any], wanted)
        return "at_least" in table or "at_most" in table or _reads_number(table.get("not"))
    if isinstance(wanted, (list, tuple)):
        return any(map(_reads_number, cast(Iterable[Any], wanted)))
    return whole(wanted) is not None


# ---- the catalog ------------------------------------------------------------------------------


def read_where(table: Table) -> Where:
    """The table `where` of a rule; without it, every event counts."""
    inner = table.table("where") if table.has("where") else None
    if inner is None:
        return Where()
    read = {key: _read(inner, key) for key in inner.raw}
    inner.done()
    return Where({key: wanted for key, wanted in read.items() if wanted is not None})


def _read(table: Table, key: str) -> Any:
    """One test; None for one that is wrong."""
    table.asked.add(key)
    if isinstance(table.raw[key], dict):
        inner = table.table(key)
        return _read_table(inner) if inner else None
    return _read_values(table, key, "a list of them or a table", f'["pro", "team"] or {key} = {{ exists = true }}')


def _read_values(table: Table, key: str, other: str, example: str) -> Any:
    """A value, or a list of some; None for anything else."""
    wanted: Any = table.raw[key]
    values = cast(list[Any], wanted if isinstance(wanted, list) else [wanted])
    if values and all(isinstance(one, (str, int, bool)) for one in values):
        return values if isinstance(wanted, list) else values[0]
    what = f"must be a text, a whole number, true or false, {other}, not {shown(wanted)}"
    table.fault(key, what, f'write {key} = "pro", {key} = {example}')
    return None


def _read_table(table: Table) -> dict[str, Any] | None:
    """A range, whether there is a value, or what the value must not be; None for one that is wrong."""
    faults = len(table.faults)
    bounds = [key for key in ("at_least", "at_most") if table.has(key)]
    read: dict[str, Any] = {key: table.integer(key) for key in bounds}
    if table.has("scale"):
        read["scale"] = read_scale(table)
    if table.has("exists"):
        read["exists"] = table.boolean("exists")
    if table.has("not"):
        table.asked.add("not")
        read["not"] = _read_values(table, "not", "or a list of them", '["pro", "team"]')
    table.asked |= {"at_least", "at_most", "scale", "exists", "not"}
    table.done()
    if len(table.faults) == faults:
        _check_table(table, read, bounds)
    return read if len(table.faults) == faults else None


def _check_table(table: Table, read: Mapping[str, Any], bounds: list[str]) -> None:
    """Add a fault for tests that do not go together."""
    others = [key for key in ("exists", "not") if key in read]
    if not bounds and not others:
        table.fault("", "has no test", "write at_least, at_most, exists or not")
    if bounds and others:
        table.fault(others[0], f"does not go with '{bounds[0]}', which needs a number", "take one of them out")
    if len(bounds) > 1 and read["at_least"] > read["at_most"]:
        table.fault("at_most", "is less than 'at_least', so no number is in the range", "swap the two")
    if "scale" in read and not bounds:
        table.fault("scale", "has no meaning without a range", "take it out, or write at_least or at_most")
    if len(others) > 1 and not read["exists"]:
        table.fault("exists", "is false, and then 'not' always holds", "take 'not' out, or write exists = true")
