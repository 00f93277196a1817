"""Differences: how one catalog differs from another, in words for the people who review it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from typing import Any, cast

from laurels.engine.boosts import Boost, Edge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import AllOf, AnyOf, Condition, InOrder
from laurels.engine.dated_values import Step
from laurels.engine.leaderboards import Board
from laurels.engine.levels import Levels
from laurels.engine.metrics import Metric
from laurels.engine.periods import Periods
from laurels.engine.points import PointRule
from laurels.engine.progress import Progress
from laurels.engine.units import WEEKDAYS

UNSAID = frozenset(
    {
        "id",
        "translated",
        "was",
        "condition",
        "reused",
        "closed_until",
        "since",
        "until",
        "counter",
        "boosts",
        "ratio",
        "paid_by",
    }
)
"""Fields that are said in another way, or follow from the database."""

UNITS = {"within": "days", "once_per": "minutes", "valid_for": "days"}
"""The units of keys that are numbers of them."""

KEYS = {
    "condition_text": "condition",
    "rest": "rest_days",
    "highest": "order",
    "late": "late_hours",
    "notify_top": "tell_top",
    "kind": "period",
    "week_start": "week_starts",
    "start": "from",
    "end": "until",
}
"""The keys of fields that have another name in the file; `kind` is one of periods."""

DATED = {"amount": "amounts", "cap_per_day": "caps"}
"""The fields that have the values of a key on certain days, where these are given."""

Values = tuple[str, Any, Any]
"""A field, and its values before and after."""


def differences(before: Catalog, after: Catalog) -> list[str]:
    """How `after` differs from `before`, one sentence for each thing, in the order of the file. Empty if only comments differ."""
    return [
        *_changed("catalog", [("name", before.name, after.name), ("language", before.language, after.language)]),
        *_changed(
            "profile",
            [
                ("login_event", before.login_event, after.login_event),
                ("login_streak", before.login_streak, after.login_streak),
            ],
        ),
        *_of_kind("metrics", before.metrics, after.metrics, {}),
        *_of_kind("streaks", before.streaks, after.streaks, after.renames.streaks),
        *_of_kind("kinds", before.kinds, after.kinds, {}),
        *_of_kind("points", _by_id(before.point_rules), _by_id(after.point_rules), {}),
        *_of_kind("boosts", _by_id(before.boosts), _by_id(after.boosts), {}),
        *_levels(before.levels, after.levels),
        *_of_kind("categories", before.categories, after.categories, {}),
        *_of_kind("badges", _by_id(before.badges), _by_id(after.badges), after.renames.badges),
        *_of_kind("leaderboards", before.boards, after.boards, after.renames.boards),
        *_changed("own_history", _flat(before.own_history, after.own_history)),
        *_translations(before, after),
    ]


def _translations(before: Catalog, after: Catalog) -> Iterator[str]:
    """The differences of texts in other languages than the catalog's own."""
    earlier = {_renamed(place, after): texts for place, texts in before.texts.items()}
    for place in {**after.texts, **earlier}:
        old, new = earlier.get(place, {}), after.texts.get(place, {})
        tags = sorted({*old, *new} - {before.language, after.language})
        yield from _changed(place, [(tag, old.get(tag), new.get(tag)) for tag in tags])


_NAMED = re.compile(r"(badges|leaderboards|streaks)( '|\.)([^'.]+)")


def _renamed(place: str, after: Catalog) -> str:
    """The place that a text has in the following catalog, in which its badge, streak or leaderboard may have another id."""
    found = _NAMED.match(place)
    if not found:
        return place
    renames = after.renames
    current = {"badges": renames.badges, "leaderboards": renames.boards, "streaks": renames.streaks}[found[1]]
    return f"{found[1]}{found[2]}{current.get(found[3], found[3])}{place[found.end() :]}"


def _by_id(nouns: Iterable[Any]) -> dict[str, Any]:
    return {noun.id: noun for noun in nouns}


def _levels(before: Levels, after: Levels) -> Iterator[str]:
    """The differences of levels; of two formulas, what differs in them, and not each level that follows."""
    if before.formula and after.formula:
        yield from _changed("levels", _flat(before.formula, after.formula))
        return
    if before.formula or after.formula:
        yield f"levels: from {_how_written(before)} to {_how_written(after)}"
    yield from _of_kind("levels", _numbered(before), _numbered(after), {})


def _how_written(levels: Levels) -> str:
    number = len(levels.all)
    if not levels.formula:
        return f"a list of {number:,}"
    said = {one.name: getattr(levels.formula, one.name) for one in fields(levels.formula)}
    return f"a formula of {number:,} ({', '.join(f'{name} = {_value(one)}' for name, one in said.items() if one)})"


def _numbered(levels: Levels) -> dict[str, Any]:
    return {str(level.number): level for level in levels.all}


def _of_kind(
    key: str, before: Mapping[str, Any], after: Mapping[str, Any], renames: Mapping[str, str]
) -> Iterator[str]:
    """The differences of what is defined under one key of the file. `renames` has the new id of each earlier one."""
    earlier = {new: old for old, new in renames.items() if old in before}
    for name, noun in after.items():
        old = earlier.get(name, name)
        if old not in before:
            yield f"{key} '{name}' is new{_summary(noun)}"
            continue
        if old != name:
            yield f"{key} '{old}' is renamed to '{name}'"
        yield from _changed(f"{key} '{name}'", _values(before[old], noun))
    for name in before:
        if name not in after and renames.get(name) not in after:
            yield f"{key} '{name}' is gone"


def _summary(noun: Any) -> str:
    """What a new badge, level, rule or boost is worth and asks for."""
    condition = getattr(noun, "condition", None)
    if condition is not None:
        return f": {noun.points:,} points for {condition_text(condition)}"
    if isinstance(noun, PointRule):
        return f": {noun.amount:,} {noun.kind or 'points'} per {noun.per} for {_value(noun.events)}"
    if isinstance(noun, Boost):
        paid = f"the points {_value(noun.rules)}" if noun.rules else "all points"
        return f": {paid} times {noun.factor} from {noun.start} until {noun.end}"
    return f": from {noun.points:,} points" if hasattr(noun, "points") else ""


def _values(before: Any, after: Any) -> list[Values]:
    """The fields of two nouns, conditions as texts."""
    found = _flat(before, after)
    if hasattr(before, "condition"):
        found.append(("when", *_conditions(before.condition, after.condition)))
    return found


def _conditions(before: Condition, after: Condition) -> tuple[str, str]:
    """Both conditions in words; as they are where the same words stand for two of them, as for two metrics."""
    old, new = condition_text(before), condition_text(after)
    return (old, new) if old != new or repr(before) == repr(after) else (repr(before), repr(after))


def _flat(before: Any, after: Any, path: str = "") -> list[Values]:
    """The keys of two nouns of one type with their values, those of the tables within them after a '.'."""
    found: list[Values] = []
    for one in fields(before):
        if one.name in UNSAID or one.name in DATED.values() or (isinstance(before, Board) and one.name == "scale"):
            continue  # a leaderboard has the scale of its metric
        old, new = _field(before, one.name), _field(after, one.name)
        if isinstance(old, Periods):
            found += _flat(old, new, path)
        elif is_dataclass(old) and is_dataclass(new):
            found += _flat(old, new, f"{path}{one.name}.")
        else:
            key = one.name if isinstance(before, Metric | PointRule) else KEYS.get(one.name, one.name)
            found.append((f"{path}{key}", old, new))
    return found


def _field(noun: Any, name: str) -> Any:
    """The value of a field as a catalog writes it."""
    value = getattr(noun, DATED.get(name, ""), None) or getattr(noun, name)
    return SHOWN[name](value) if name in SHOWN else value


SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "rest": lambda bits: tuple(day for number, day in enumerate(WEEKDAYS) if bits >> number & 1),
    "day_starts": lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}",
    "week_start": WEEKDAYS.__getitem__,
    "available": lambda window: window and str(window),
    "highest": lambda highest: "highest" if highest else "lowest",
    "late": lambda late: late // timedelta(hours=1),
    "weights": dict,
    "also_pays": dict,
    "seasons": lambda seasons: tuple(
        f"{name} from {date.fromordinal(first)} to {date.fromordinal(last)}" for name, first, last in seasons
    ),
}
"""How the values of fields are written in a catalog, where they are stored in another way."""


def _changed(what: str, values: Sequence[Values]) -> Iterator[str]:
    for key, before, after in values:
        old, new = _with_unit(key, before), _with_unit(key, after)
        if before != after or old != new:  # 1 and true are equal
            yield f"{what}.{key}: from {old} to {new}"


def _with_unit(key: str, value: Any) -> str:
    """A value, with the unit of one that is a number of them."""
    unit = UNITS.get(key)
    return f"{_value(value)} {unit}" if unit and isinstance(value, int) else _value(value)


def _value(value: Any) -> str:
    """A value as a person writes it in a catalog, or nearly so."""
    if value is None or isinstance(value, bool | Step):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Edge):
        return str(value)
    if isinstance(value, Mapping):
        pairs = (f"{key} = {_inner(one)}" for key, one in cast(Mapping[str, Any], value).items())
        return "{ " + ", ".join(pairs) + " }" if value else "nothing"
    if isinstance(value, frozenset):
        value = sorted(cast(Iterable[str], value))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_value, cast(Iterable[Any], value))) or "nothing"
    return f"'{value}'" if value else "nothing"


def _inner(value: Any) -> str:
    """A value inside a table, where a list needs its brackets."""
    return f"[{_value(value)}]" if isinstance(value, (list, tuple)) else _value(value)


def condition_text(condition: Condition) -> str:
    """A condition in words: 'all of (10 messages, 7 days in a row)'."""
    if isinstance(condition, AllOf | AnyOf | InOrder):
        word = {AllOf: "all of", AnyOf: "any of", InOrder: "in order"}[type(condition)]
        return f"{word} ({', '.join(map(condition_text, condition.of))})"
    (check,) = condition.checks(Progress(), {})
    return check.text
