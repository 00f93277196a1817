"""Badges: what can be earned once, and what those who have one do when its condition does not hold any more."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from laurels.engine.availability import Window, counted_within, metric_name, read_available
from laurels.engine.conditions import AllOf, AtLeast, Condition, MemberFor, StreakOf, Vocabulary, read_condition
from laurels.engine.parsing import Table, shown
from laurels.engine.point_kinds import read_pays
from laurels.engine.policies import KEEP as KEEP_PAST
from laurels.engine.policies import PAST
from laurels.engine.progress import Progress
from laurels.engine.renames import read_was
from laurels.engine.unlocks import read_unlocks

KEEP, LOSE = "keep", "lose"
HOLDERS = (KEEP, LOSE)


SECRET_ID = "secret-"  # noqa: S105  # no password
"""How the ids begin under which users see secret badges that they do not have."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What users read of a secret badge that they do not have."""

    name: str = "???"
    description: str = "A secret badge"
    icon: str = "🔒"


@dataclass(frozen=True, slots=True)
class Badge:
    """What can be earned once. `condition_text` is the condition for people, `condition` for the engine.

    `was` are its earlier ids. `retired`: it is no longer awarded, and only those who have it see it. `holders` says what those
    who have it do when its condition does not hold any more: they keep it, or lose it with its points. `unlocks` is what it
    unlocks in the app for those who have it. `family` and `tier`, from 1, the easiest: it is one of several badges for the
    same, each harder to earn; '' and 0 for one that is not. `supply` is how many users may have it
    at once (None: no limit). `valid_for` is for how many days it is valid (None: it stays valid): after the day on which it was
    earned, or on which the newest event of the metric `renewed_by` occurred ('': nothing renews it). `past` says what holders
    have when its points change: what it paid, or what it pays now. `secret`: users who do not have it see
    `locked`, and nothing else. `available`: its condition counts only events of these days, by the user's calendar (None: of
    all).
    `also_pays` is how many points of other kinds it pays its holders now. `repeatable`: they have it once more each time they
    reach the number of its condition again.
    """

    id: str
    name: str
    description: str
    icon: str
    category: str
    points: int
    condition_text: str
    condition: Condition
    was: tuple[str, ...] = ()
    retired: bool = False
    holders: str = KEEP
    unlocks: tuple[str, ...] = ()
    family: str = ""
    tier: int = 0
    supply: int | None = None
    valid_for: int | None = None
    renewed_by: str = ""
    past: str = KEEP_PAST
    secret: bool = False
    locked: Locked = Locked()
    available: Window | None = None
    repeatable: bool = False
    also_pays: tuple[tuple[str, int], ...] = ()

    def due(self, progress: Progress) -> bool:
        """Whether this badge is to be awarded: its condition is met, the user does not have it, and it was not revoked."""
        met = self.id not in progress.badges and self.condition.met(progress)
        return met and self.id not in progress.manual.barred and not self.retired

    @property
    def streaks(self) -> frozenset[str]:
        """The streaks in its condition."""
        return frozenset(part.streak for part in self.condition.parts() if isinstance(part, StreakOf))


MOST_VALID_DAYS = 36_525
_DAYS = re.compile("([0-9]{1,5}) days?")


def _read_valid_days(table: Table) -> int | None:
    """`valid_for`: for how many days; None without it."""
    if not table.has("valid_for"):
        return None
    found = _DAYS.fullmatch(text := table.text("valid_for"))
    days = int(found[1]) if found else 0
    if text and not 1 <= days <= MOST_VALID_DAYS:
        table.fault("valid_for", f"must be a number of days, not {shown(text)}", 'write valid_for = "90 days"')
    return days


def _read_renewed_by(table: Table, vocabulary: Vocabulary) -> str:
    """The metric whose newest event renews a badge. Only one of kind 'last' knows when that was, in any order of arrival."""
    name = table.choice("renewed_by", vocabulary.metrics, "metric") if table.has("renewed_by") else ""
    if name and not table.has("valid_for"):
        table.fault("renewed_by", "renews a badge that stays valid", 'add valid_for = "90 days"')
    elif name and vocabulary.metrics[name].kind != "last":
        kind = vocabulary.metrics[name].kind
        why = f"the metric '{name}' has the kind '{kind}', which does not know when its newest event occurred"
        table.fault("renewed_by", why, "name a metric of kind 'last' over the same events")
    return name


def read_badge(table: Table, vocabulary: Vocabulary, categories: Collection[str]) -> Badge:
    """A [[badges]] table. `categories` are the ids of all categories."""
    when, available = table.table("when"), read_available(table)
    badge = Badge(
        id=table.text("id"),
        name=table.words("name"),
        description=table.words("description", lines=True),
        icon=table.text("icon"),
        category=table.choice("category", categories, "category"),
        points=table.integer("points"),
        condition_text=table.words("condition"),
        condition=counted_within(table, read_condition(when, vocabulary), available) if when else AllOf(()),
        was=read_was(table),
        retired=table.boolean("retired"),
        holders=table.choice("holders", HOLDERS, "policy", KEEP) or KEEP,
        unlocks=read_unlocks(table),
        family=table.text("family", ""),
        tier=table.integer("tier", least=1) if table.has("tier") else 0,
        supply=table.integer("supply", least=1) if table.has("supply") else None,
        valid_for=_read_valid_days(table),
        renewed_by=_read_renewed_by(table, vocabulary),
        past=table.choice("past", PAST, "policy", KEEP_PAST) or KEEP_PAST,
        secret=table.boolean("secret"),
        locked=_read_locked(table),
        available=available,
        repeatable=table.boolean("repeatable"),
        also_pays=read_pays(table, vocabulary.kinds),
    )
    _check_family(table, badge)
    _check_repeatable(table, badge, vocabulary)
    if badge.supply and any(isinstance(part, MemberFor) for part in badge.condition.parts()):
        what = (
            "cannot limit a badge for time: users get it when they return, so copies would go to those who return first"
        )
        table.fault("supply", what, "take it out, or take member_for out of the condition")
    table.done()
    return badge


REPEATABLE_KINDS = ("count", "sum", "distinct", "distinct_days")
"""The kinds of metrics of which users can reach the same number again and again."""


def _check_repeatable(table: Table, badge: Badge, vocabulary: Vocabulary) -> None:
    """Add faults if a badge says `repeatable`, and how many times a user has it would not follow from one number."""
    if not badge.repeatable:
        return
    one = badge.condition if isinstance(badge.condition, AtLeast) and badge.condition.target else None
    metric = vocabulary.metrics.get(metric_name(one.metric)) if one else None
    if metric is None or metric.kind not in REPEATABLE_KINDS:
        what = f"needs a condition of one metric of kind {', '.join(REPEATABLE_KINDS)} with 'at_least' from 1 on"
        table.fault("repeatable", what, 'write when = { metric = "...", at_least = 10 }, or take it out')
    if badge.points or badge.also_pays:
        what = "cannot pay: which event completed it the third time may change with a late event, in a period that is closed"
        table.fault("repeatable", what, "write points = 0, and let a rule in [[points]] pay for the events")
    if badge.retired and (badge.available is None or badge.available.end is None):
        what = "of a retired badge would go on counting"
        table.fault("repeatable", what, "add available = { until = ... }, or take repeatable out")


def _read_locked(table: Table) -> Locked:
    """The key `locked`, each text of which may be left out."""
    inner = table.table("locked") if table.has("locked") else None
    table.asked.add("locked")
    if inner is None:
        return Locked()
    if not table.raw.get("secret"):  # a value of another type is a fault of its own
        table.fault("locked", "has no meaning for a badge that is not secret", "add secret = true, or take it out")
    known = Locked()
    locked = Locked(
        name=inner.words("name", known.name),
        description=inner.words("description", known.description, lines=True),
        icon=inner.text("icon", known.icon),
    )
    inner.done()
    return locked


def shown_name(table: Table) -> str:
    """The name of a badge in conditions of others, from its table: that of a secret one is not given there."""
    if table.raw.get("secret") is not True:
        return table.words_of(table.raw.get("name"))
    locked: Any = table.raw.get("locked")
    known = Locked().name
    return table.words_of(cast(Mapping[str, Any], locked).get("name", known)) if isinstance(locked, Mapping) else known


def _check_family(table: Table, badge: Badge) -> None:
    """Add a fault if one of the keys `family` and `tier` is there without the other."""
    table.asked |= {"family", "tier"}
    if badge.family and not table.has("tier"):
        table.fault(
            "tier", "is missing, though it has a family", "add tier = 1, or the number that it has in its family"
        )
    if badge.tier and not table.has("family"):
        table.fault("family", "is missing, though it has a tier", 'add family = "...", the same in all its tiers')
