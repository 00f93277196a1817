"""Checks of a catalog that no part of it shows alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from laurels.engine.badges import SECRET_ID, Badge
from laurels.engine.boosts import Boost
from laurels.engine.conditions import AllOf, AnyOf, Condition, HasBadge
from laurels.engine.metrics import AMOUNTS, Metric
from laurels.engine.parsing import Table
from laurels.engine.points import PointRule
from laurels.engine.streaks import Streak
from laurels.engine.tiers import check_tiers


def check_together(
    table: Table,
    metrics: Mapping[str, Metric],
    streaks: Mapping[str, Streak],
    rules: tuple[PointRule, ...],
    boosts: tuple[Boost, ...],
    badges: tuple[Badge, ...],
) -> None:
    """What no part of the file shows alone."""
    check_unique(table, "badges", [badge.id for badge in badges])
    check_unique(table, "points", [rule.id for rule in rules])
    check_unique(table, "boosts", [boost.id for boost in boosts])
    _check_secret_ids(table, badges)
    _check_names_apart(table, metrics, streaks)
    check_named_users(table, metrics, streaks, rules)
    if not table.faults:
        _check_reachable(table, badges)
        check_tiers(table, badges)


def check_unique(table: Table, key: str, ids: list[str]) -> None:
    """Add a fault for each id that is used more than once."""
    for twice in sorted({id_ for id_ in ids if id_ and ids.count(id_) > 1}):
        table.fault(key, f"the id '{twice}' is used more than once", "give each its own id")


def _check_secret_ids(table: Table, badges: tuple[Badge, ...]) -> None:
    """Users see secret badges under ids that no other badge may have."""
    taken = [badge.id for badge in badges if badge.id.startswith(SECRET_ID)]
    for badge_id in taken if any(badge.secret for badge in badges) else ():
        what = f"begins with '{SECRET_ID}', as the ids do under which users see secret badges"
        table.fault(f"badges '{badge_id}'.id", what, "give it another id")


def _check_names_apart(table: Table, metrics: Mapping[str, Metric], streaks: Mapping[str, Streak]) -> None:
    """The days of a distinct-days metric and of a streak are stored under their names in one place."""
    for name in sorted(metrics.keys() & streaks.keys()):
        table.fault(f"streaks.{name}", "a metric has the same name", "rename one of the two")


def check_named_users(
    table: Table, metrics: Mapping[str, Metric], streaks: Mapping[str, Streak], rules: tuple[PointRule, ...]
) -> None:
    """Find rules that would read the id of a user where events have a reference, see `Metric.not_self`."""
    naming = {(kind, metric.of): name for name, metric in metrics.items() if metric.not_self for kind in metric.events}
    where = "has a value of '{}' where the metric '{}' stores references, because of its not_self"
    for place, noun in [
        *((f"metrics.{name}.where", metric) for name, metric in metrics.items()),
        *((f"streaks.{name}.where", streak) for name, streak in streaks.items()),
        *((f"points '{rule.id}'.where", rule) for rule in rules),
    ]:
        for key, name in {
            key: naming[kind, key] for kind in noun.events for key in noun.where if (kind, key) in naming
        }.items():
            table.fault(place, where.format(key, name), "use another key")
    _check_users_of_boosts(table, rules, naming, where)
    for name, metric in metrics.items():
        other = next((naming[kind, metric.of] for kind in metric.events if (kind, metric.of) in naming), None)
        if other and metric.kind in AMOUNTS:
            table.fault(f"metrics.{name}.of", f"reads a number where '{other}' reads ids of users", "use another key")


def _check_users_of_boosts(
    table: Table, rules: Sequence[PointRule], naming: Mapping[tuple[str, str], str], where: str
) -> None:
    """The same for the boosts of point rules. `naming` has the metrics by event type and key."""
    own = [(boost, kind, key) for rule in rules for boost in rule.boosts for kind in rule.events for key in boost.where]
    found = {(boost.id, key): naming[kind, key] for boost, kind, key in own if (kind, key) in naming}
    for (boost_id, key), name in found.items():
        table.fault(f"boosts '{boost_id}'.where", where.format(key, name), "use another key")


def _check_reachable(table: Table, badges: tuple[Badge, ...]) -> None:
    """Find badges that require each other, which can never be earned: meet all other conditions, and see what is not due."""
    earned = set[str]()
    while due := [badge.id for badge in badges if badge.id not in earned and _can_be_met(badge.condition, earned)]:
        earned |= {*due}
    for badge in badges:
        if badge.id not in earned:
            table.fault(
                f"badges '{badge.id}'.when", "requires a badge that requires it", "break the cycle of has_badge"
            )


def _can_be_met(condition: Condition, earned: Collection[str]) -> bool:
    """Whether a condition is met if all in it are that do not require a badge, and these badges are earned."""
    match condition:
        case AllOf(of):
            return all(_can_be_met(one, earned) for one in of)
        case AnyOf(of):
            return any(_can_be_met(one, earned) for one in of)
        case HasBadge():
            return condition.badge in earned
        case _:
            return True
