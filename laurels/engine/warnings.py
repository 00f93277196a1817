"""Warnings: what a person who reviews a catalog should look at before it is applied. None of them forbids anything."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import AllOf, AnyOf, Condition, HasBadge, StreakOf
from laurels.engine.languages import untranslated
from laurels.engine.leaderboards import Board
from laurels.engine.point_kinds import KindPointsOf, PointKind, PointsOf
from laurels.engine.tiers import unordered

MOST_CHECKS = 250
"""How many rules one event may make Laurels look at before a plan warns of it."""

MOST_PLACES = 5
"""How many of the texts without a translation a warning names."""

_ENGLISH = (
    r"los(?:e|es|ing|s|t)|miss(?:ed|es|ing)? out|last chance|don'?t break|never break|or else|expir(?:e|es|ed|y)"
    r"|fail(?:ed|ing|s|ure)?|ruin(?:ed|s)?|punish(?:ed|ment)?|penalt(?:y|ies)"
)
_GERMAN = r"verlier(?:en|st|t)|verloren|verlust|verpass(?:en|st|t)|letzte chance|verf[aä]llt|straf(?:e|en)"
LOSS = re.compile(rf"\b(?:{_ENGLISH}|{_GERMAN})\b", re.IGNORECASE)
"""Words with which a text threatens a loss."""


def warnings(before: Catalog, after: Catalog, today: int = 0) -> list[str]:
    """What stands out in a catalog that would follow another one. Unchanged rules are not mentioned again.

    `today` is the present day (0: not known).
    """
    return [
        *_unreachable(before, after),
        *_ended(before, after, today),
        *_unordered_tiers(before, after),
        *_expiring(before, after),
        *_farmable(before, after),
        *_loss_wording(before, after),
        *_untranslated(before, after),
        *_costs(before, after),
    ]


# ---- badges that no one can earn --------------------------------------------------------------


def _unreachable(before: Catalog, after: Catalog) -> Iterator[str]:
    known = {before.renames.badge(badge) for badge in _out_of_reach(before)}
    for name in _out_of_reach(after):
        if name not in known:
            yield f"badges '{name}': no one can earn it, because its condition cannot be met any more"


def _out_of_reach(catalog: Catalog) -> list[str]:
    """The badges that no one who begins now can earn: start with none, add those in reach, repeat."""
    reached: dict[str, Badge] = {}
    wanted = [badge for badge in catalog.badges if not badge.retired]
    while True:
        points = _most_points(catalog, reached.values())
        new = [
            badge
            for badge in wanted
            if badge.id not in reached and _in_reach(badge.condition, catalog, reached, points)
        ]
        if not new:
            return [badge.id for badge in wanted if badge.id not in reached]
        reached |= {badge.id: badge for badge in new}


def _most_points(catalog: Catalog, badges: Iterable[Badge]) -> float:
    """The most points that users can have with these badges."""
    return float("inf") if any(not rule.kind for rule in catalog.point_rules) else sum(badge.points for badge in badges)


def _most_of(kind: PointKind, catalog: Catalog, reached: Collection[str]) -> float:
    """The most points of a kind that users can have with these badges."""
    if any(rule.kind == kind.name for rule in catalog.point_rules):
        return float("inf")
    return sum(number for badge, number in kind.paid_by if badge in reached)


def _in_reach(  # noqa: PLR0911  # one for each kind of condition
    condition: Condition, catalog: Catalog, reached: Collection[str], points: float
) -> bool:
    """Whether a user who begins now can meet a condition, with these badges and at most these points."""

    def inner(one: Condition) -> bool:
        return _in_reach(one, catalog, reached, points)

    match condition:
        case AllOf(of):
            return all(map(inner, of))
        case AnyOf(of):
            return any(map(inner, of))
        case HasBadge():
            return condition.badge in reached
        case KindPointsOf():
            return _most_of(condition.kind, catalog, reached) >= condition.target
        case PointsOf():
            return points >= condition.target
        case StreakOf():
            return not condition.retired
        case _:
            return True


def _ended(before: Catalog, after: Catalog, today: int) -> Iterator[str]:
    """Badges that are new or have other days, whose last day is over everywhere."""
    known = {(before.renames.badge(badge.id), badge.available) for badge in before.badges}
    for badge in after.badges:
        window = badge.available
        if window and window.has_ended(today - 1) and not badge.retired and (badge.id, window) not in known:
            yield (
                f"badges '{badge.id}': no one can earn it any more, because its days are over ({window}); only events of "
                "these days that are recorded late still count"
            )


def _unordered_tiers(before: Catalog, after: Catalog) -> Iterator[str]:
    known = {(repr(lower.condition), repr(higher.condition)) for lower, higher in unordered(before.badges)}
    for lower, higher in unordered(after.badges):
        if (repr(lower.condition), repr(higher.condition)) not in known:
            yield (
                f"badges '{higher.id}': users may earn tier {higher.tier} of '{higher.family}' before tier {lower.tier}; "
                f'write {{ has_badge = "{lower.id}" }} in its condition if they must not'
            )


def _expiring(before: Catalog, after: Catalog) -> Iterator[str]:
    """Badges that end sooner for those who have them: it is computed when they are read, and so is no change of a plan."""
    known = {after.renames.badge(badge.id): badge for badge in before.badges}
    for badge in after.badges:
        old = known.get(badge.id)
        if old is None or badge.valid_for is None:
            continue
        if old.valid_for is None or badge.valid_for < old.valid_for or badge.renewed_by != old.renewed_by:
            renewed = f", or for which '{badge.renewed_by}' counted something since" if badge.renewed_by else ""
            yield (
                f"badges '{badge.id}': users who have it are shown it only if they earned it in the last {badge.valid_for:,} "
                f"days{renewed}; they keep its points"
            )


# ---- rules that pay without end ---------------------------------------------------------------


def _farmable(before: Catalog, after: Catalog) -> Iterator[str]:
    known = {repr(replace(rule, boosts=())) for rule in before.point_rules}
    for rule in after.point_rules:
        if not rule.is_capped and repr(replace(rule, boosts=())) not in known:
            events = ", ".join(f"'{name}'" for name in rule.events)
            yield (
                f"points '{rule.id}': pays for every {events} without an end, so repeating it pays without an end; "
                "write cap_per_day = N if users can repeat it at will"
            )
    for name, rules in _paid_more_than_once(after).items():
        if rules != _paid_more_than_once(before).get(name):
            ids = ", ".join(f"'{one}'" for one in rules)
            yield f"the event '{name}' is paid by {len(rules)} rules at once: {ids}"


def _paid_more_than_once(catalog: Catalog) -> dict[str, list[str]]:
    """Event type -> the rules that pay for it, where there are several."""
    paid = {name: [rule.id for rule in catalog.point_rules if name in rule.events] for name in catalog.rule_indexes}
    return {name: rules for name, rules in paid.items() if len(rules) > 1}


# ---- texts ------------------------------------------------------------------------------------


def _loss_wording(before: Catalog, after: Catalog) -> Iterator[str]:
    known = {text for _, text in _texts(before)}
    for place, text in _texts(after):
        found = LOSS.search(text)
        if found and text not in known:
            yield f"{place}: '{found[0]}' speaks of a loss; say what users gain instead"


def _texts(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Every text that users read, with its place in the file."""
    for badge in catalog.badges:
        yield f"badges '{badge.id}'.name", badge.name
        yield f"badges '{badge.id}'.description", badge.description
        yield f"badges '{badge.id}'.condition", badge.condition_text
    for level in catalog.levels.all:
        yield f"levels {level.number}.title", level.title
    for streak in catalog.streaks.values():
        yield f"streaks '{streak.name}'.title", streak.title
    for board in catalog.boards.values():
        yield f"leaderboards '{board.id}'.name", board.name
    for boost in catalog.boosts:
        yield f"boosts '{boost.id}'.name", boost.name
    for metric in catalog.metrics.values():
        yield f"metrics.{metric.name}.many", metric.many
    for place, texts in catalog.texts.items():
        yield from ((f"{place}.{tag}", text) for tag, text in texts.items() if tag != catalog.language)


def _untranslated(before: Catalog, after: Catalog) -> Iterator[str]:
    """Texts that lack a language that other texts have."""
    for tag in after.other_languages:
        known = untranslated(before.texts, tag) if tag in before.other_languages else ()
        places = untranslated(after.texts, tag)
        if set(places) - set(known):
            more = f" and {len(places) - MOST_PLACES:,} more" if len(places) > MOST_PLACES else ""
            yield (
                f"in '{tag}', these texts are missing, and are read in '{after.language}': "
                f"{', '.join(places[:MOST_PLACES])}{more}"
            )


# ---- what an event costs ----------------------------------------------------------------------


def checks_per_event(catalog: Catalog) -> dict[str, int]:
    """Event type -> how many metrics, streaks, point rules, conditions and leaderboards one such event looks at."""
    settling = sum(_parts(badge) for badge in catalog.settling)
    return {
        name: len(index.metrics)
        + len(index.streaks)
        + sum(1 + len(rule.boosts) for rule in index.rules)
        + len(index.of_kinds)
        + sum(map(_parts, index.badges))
        + settling
        + len(_boards(catalog, name, index.rules))
        for name, index in catalog.rule_indexes.items()
    }


def _parts(badge: Badge) -> int:
    return sum(1 for _ in badge.condition.parts())


def _boards(catalog: Catalog, event_type: str, rules: Collection[object]) -> list[Board]:
    """The leaderboards that an event of this type may change."""
    fed = (catalog.fed_boards, catalog.day_boards, catalog.tally_boards)
    boards = [board for of_type in fed for board in of_type.get(event_type, ())]
    return [*boards, *(catalog.points_boards if rules else ())]


def _costs(before: Catalog, after: Catalog) -> Iterator[str]:
    old = checks_per_event(before)
    for name, checks in checks_per_event(after).items():
        if checks > MOST_CHECKS and checks > old.get(name, 0):
            yield (
                f"the event '{name}' looks at {checks:,} rules (before: {old.get(name, 0):,}), more than {MOST_CHECKS}; "
                "each of them makes recording it slower"
            )
