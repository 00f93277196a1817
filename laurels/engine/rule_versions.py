"""Versions of point rules: what a database knows of the rules of its catalog before the revision in force.

A rule that changes with `past = "keep"` counts for what occurs from then on. Its earlier version stays for what occurred before,
also for events that are recorded later. A revision of the catalog stores these versions as TOML, next to its text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, cast

from laurels.engine.boosts import read_boost
from laurels.engine.parsing import Table
from laurels.engine.points import PointRule, read_point_rule, with_boosts
from laurels.engine.policies import KEEP
from laurels.engine.toml_text import toml_value
from laurels.errors import CatalogError, Fault

EARLIER, SINCE = "earlier", "since"
"""The keys of the stored text."""

BOOSTS = "boosts"
"""The key under which the stored table of a rule has those of its boosts."""

_NOT_COMPARED = frozenset({"past", "since", "until", "counter", "boosts"})


@dataclass(frozen=True, slots=True)
class EarlierRule:
    """An earlier version of a point rule, as its catalog had it with its boosts, and the period in which it was in force."""

    table: Mapping[str, Any]
    since: datetime | None
    until: datetime

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.table["id"]

    def read(self) -> PointRule:
        """The rule, dated. Raises CatalogError if this version of Laurels cannot read it."""
        faults: list[Fault] = []
        table, place = dict(self.table), f"the earlier points '{self.id}'"
        boosts = [read_boost(Table(dict(one), f"{place}.boosts", faults)) for one in table.pop(BOOSTS, ())]
        rule = with_boosts(read_point_rule(Table(table, place, faults)), boosts)
        if faults:
            raise CatalogError(faults)
        return replace(rule, since=self.since, until=self.until)


@dataclass(frozen=True, slots=True)
class Past:
    """What was in force before the present rules of a catalog.

    since    rule -> the instant from which its present version counts; a rule that is missing counts for all the past
    earlier  the earlier versions, and those of rules that are gone, the oldest first
    """

    since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    earlier: tuple[EarlierRule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.since or self.earlier)


NO_PAST = Past()
"""For a catalog whose rules count for everything: one that did not follow another, or was read from a file."""


def same_pay(rule: PointRule, other: PointRule) -> bool:
    """Whether two versions of a rule pay the same."""
    names = [one.name for one in fields(PointRule) if one.name not in _NOT_COMPARED]
    same = all(repr(getattr(rule, name)) == repr(getattr(other, name)) for name in names)
    return same and (rule.boosts == other.boosts or _deciding(rule) == _deciding(other))


def _deciding(rule: PointRule) -> list[str]:
    """What its boosts decide: their ids and names do not."""
    return sorted(repr(boost.deciding) for boost in rule.boosts)


def table_of(rule: PointRule, tables: Mapping[str, Mapping[str, Any]], boosts: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a rule to store, with those of its boosts. `tables` and `boosts` are those of its catalog, by id."""
    own = [{key: one for key, one in boosts[boost.id].items() if key != "rules"} for boost in rule.boosts]
    return {**tables[rule.id], **({BOOSTS: own} if own else {})}


def versions_of(rules: Sequence[PointRule], past: Past) -> tuple[PointRule, ...]:
    """All versions of these rules, the earlier ones of a rule before it, and those of rules that are gone at the end."""
    if not past:
        return tuple(rules)
    earlier: dict[str, list[PointRule]] = {}
    for one in past.earlier:
        earlier.setdefault(one.id, []).append(one.read())
    found: list[PointRule] = []
    for rule in rules:
        present = replace(rule, since=past.since.get(rule.id))
        found += _with_counters([*earlier.pop(rule.id, ()), present])
    for gone in earlier.values():
        found += _with_counters(gone)
    return tuple(found)


def _with_counters(versions: Sequence[PointRule]) -> list[PointRule]:
    """Versions of one rule, the newest last. Those with the same cap share the sums of their days; others begin again."""
    newest = versions[-1]
    counters = {_caps(newest): newest.id}
    for number, one in enumerate(versions):
        counters.setdefault(_caps(one), f"{newest.id}\x1f{number}")  # no id has this character
    return [replace(one, counter=counters[_caps(one)]) for one in versions]


def _caps(rule: PointRule) -> tuple[Any, ...]:
    return rule.cap_per_day, rule.caps, rule.cap_per_week


def followed(
    rules: Sequence[PointRule],
    tables: Mapping[str, Mapping[str, Any]],
    past: Past,
    following: Sequence[PointRule],
    at: datetime,
) -> Past:
    """What was in force before `following`, if they replace these rules at this instant.

    `tables` are the tables of the catalog from which `rules` were read, by id. A rule that says `past = "recompute"` counts for
    everything. Any other keeps its versions, and one that pays something else, or is new, counts from now on.
    """
    at = max([at, *past.since.values(), *(one.until for one in past.earlier)])  # the clocks of processes differ
    new = {rule.id: rule for rule in following}
    kept = {name: one for name, one in new.items() if one.past == KEEP}
    earlier = [one for one in past.earlier if one.id in kept or one.id not in new]
    since: dict[str, datetime] = {}
    for rule in rules:
        begun, after = past.since.get(rule.id), new.get(rule.id)
        if after and rule.id not in kept:
            continue
        if after and same_pay(rule, after):
            since |= {rule.id: begun} if begun else {}
            continue
        if begun != at:
            earlier.append(EarlierRule(tables[rule.id], begun, at))
        since |= {rule.id: at} if after else {}
    known = {rule.id for rule in rules}
    return Past(since | {name: at for name in kept if name not in known}, tuple(earlier))


# ---- as text ----------------------------------------------------------------------------------


def text_of(past: Past) -> str:
    """The TOML that a revision stores; '' if there is nothing."""
    lines: list[str] = []
    for one in past.earlier:
        lines += [f"[[{EARLIER}]]", *([f"since = {toml_value(one.since)}"] if one.since else [])]
        lines += [f"until = {toml_value(one.until)}", f"rule = {toml_value(one.table)}", ""]
    if past.since:
        lines += [f"[{SINCE}]", *(f"{toml_value(name)} = {toml_value(at)}" for name, at in past.since.items()), ""]
    return "\n".join(lines)


def read_past(text: str) -> Past:
    """What a revision stores. Raises CatalogError for anything that `text_of` did not write."""
    if not text:
        return NO_PAST
    try:
        return _past_of(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise CatalogError([Fault("the earlier rules", f"cannot be read: {error}", "use another backup")]) from error


def _past_of(raw: Mapping[str, Any]) -> Past:
    since = {name: _instant(at) for name, at in cast(Mapping[str, Any], raw.get(SINCE, {})).items()}
    earlier = [
        EarlierRule(
            {**one["rule"], "id": _name(one["rule"]["id"])},
            _instant(one["since"]) if "since" in one else None,
            _instant(one["until"]),
        )
        for one in raw.get(EARLIER, ())
    ]
    return Past(since, tuple(earlier))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not an id")
    return value


def _instant(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is not an instant")
    return value
