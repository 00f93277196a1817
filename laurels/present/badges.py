"""Badges: the catalog's description of one, how far a user is from it, and why a user has it or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import Check, MemberFor, Step, nearness
from laurels.engine.elapsing import as_of
from laurels.engine.progress import Progress
from laurels.engine.validity import last_day
from laurels.present.base import Answer, Points, SparseAnswer, UtcTime
from laurels.present.copies import none_left_sentence
from laurels.present.history import HistoryEvent, earned_at, history_event
from laurels.present.streaks import streak_length
from laurels.storage.contract import AwardRow, EventRow, UserRow

NEAREST = 3
"""How many badges `next_badges` returns."""


class BadgeInfo(Answer, frozen=True):
    """A badge of the catalog."""

    id: str
    name: str
    description: str
    icon: Annotated[str, Meta(description="An emoji")]
    category: Annotated[
        str, Meta(description="onboarding, usage, social, achievement, or a category of the catalog's own")
    ]
    points: Points
    condition: Annotated[str, Meta(description="How to earn it, as text for users")]


class NextBadge(SparseAnswer, frozen=True):
    """A badge that the user can still earn: `current` of `target`, and a sentence that says what is missing.

    `scale`, missing where it is 1: how many units of both numbers make one.
    """

    id: str
    name: str
    icon: str
    current: int
    target: int
    sentence: str
    scale: int = 1


class ConditionCheck(SparseAnswer, frozen=True):
    """One fact that a badge requires, and how far the user is.

    `at_most`, missing where it is false: the number must come down to the target; `current` is null as long as there is none.
    `scale`, missing where it is 1: how many units of both numbers make one.
    """

    text: str
    current: int | None
    target: int
    met: bool
    at_most: bool = False
    scale: int = 1


class EarnedBadge(SparseAnswer, frozen=True):
    """When a badge was earned.

    `earned_at` is when the event occurred that completed its condition, `event_id` its id (null: no event did), and
    `awarded_at` when Laurels awarded it, which is later if events arrived late. `valid_until`, missing where it stays valid, is
    the last day on which it is valid, by the user's clock.
    """

    badge: str
    earned_at: UtcTime
    awarded_at: UtcTime
    event_id: str | None
    points: Points
    valid_until: date | None = None


class Explanation(Answer, frozen=True):
    """Why a user has a badge, or what is missing. `event` is the event that earned it, if one did.

    `earned_at` is when that event occurred, `awarded_at` when Laurels awarded the badge.
    """

    badge: str
    name: str
    earned: bool
    sentence: str
    earned_at: UtcTime | None
    awarded_at: UtcTime | None
    event: HistoryEvent | None
    checks: list[ConditionCheck]


def badge_info(badge: Badge) -> BadgeInfo:
    """A badge of the catalog."""
    return BadgeInfo(
        id=badge.id,
        name=badge.name,
        description=badge.description,
        icon=badge.icon,
        category=badge.category,
        points=badge.points,
        condition=badge.condition_text,
    )


def shown_badges(catalog: Catalog, progress: Progress) -> list[Badge]:
    """The badges of the catalog that a user sees: all but the retired ones that the user does not have."""
    return [badge for badge in catalog.badges if not badge.retired or badge.id in progress.badges]


def next_badges(
    catalog: Catalog,
    progress: Progress,
    now: datetime,
    limit: int = NEAREST,
    none_left: Collection[str] = (),
    *,
    for_operators: bool = False,
) -> list[NextBadge]:
    """The `limit` badges that the user is nearest to, nearest first, without those of which no copy is left.

    Secret badges are among them only `for_operators`.
    """
    found = _in_reach(catalog, progress, now, none_left)
    nearest = sorted((one for one in found if for_operators or not one[0].secret), key=lambda pair: -nearness(pair[1]))
    return [_next_badge(badge, steps) for badge, steps in nearest[:limit]]


def badges_in_reach(
    catalog: Catalog, progress: Progress, now: datetime, none_left: Collection[str] = ()
) -> list[NextBadge]:
    """Every badge that the user can still earn, in the catalog's order.

    Without secret ones, and those of which no copy is left.
    """
    found = _in_reach(catalog, progress, now, none_left)
    return [_next_badge(badge, steps) for badge, steps in found if not badge.secret]


def _in_reach(
    catalog: Catalog, progress: Progress, now: datetime, none_left: Collection[str]
) -> list[tuple[Badge, list[Step]]]:
    """The badges that the user can still earn, each with what is missing."""
    lengths, progress = _streak_lengths(catalog, progress, now), as_of(catalog, progress, now, {})
    excluded = progress.badges.keys() | progress.manual.barred | {*none_left}
    open_badges = [badge for badge in catalog.badges if badge.id not in excluded and not badge.retired]
    if any(badge.available for badge in open_badges):
        open_badges = [badge for badge in open_badges if not _has_ended(badge, progress, now)]
    steps = [(badge, badge.condition.steps(progress, lengths)) for badge in open_badges]
    return [(badge, of_badge) for badge, of_badge in steps if of_badge]


def _has_ended(badge: Badge, progress: Progress, now: datetime) -> bool:
    """Whether the days whose events count for a badge are over, by the user's calendar."""
    return badge.available is not None and badge.available.has_ended(progress.zones.day(now))


def _streak_lengths(catalog: Catalog, progress: Progress, now: datetime) -> Mapping[str, int]:
    return {name: streak_length(catalog, progress, name, now) for name in catalog.streaks}


def _next_badge(badge: Badge, steps: Sequence[Step]) -> NextBadge:
    farthest = min(steps, key=lambda step: step.share)
    single = all(step.target == 1 for step in steps)
    what = badge.condition_text if single else " and ".join(step.missing for step in steps)
    return NextBadge(
        id=badge.id,
        name=badge.name,
        icon=badge.icon,
        current=farthest.current,
        target=farthest.target,
        sentence=f"{what} to earn {badge.name}.",
        scale=farthest.scale,
    )


def valid_until(catalog: Catalog, badge_id: str, user: UserRow) -> date | None:
    """The last day on which a badge of the user is valid, by the user's clock; None: it stays valid."""
    badge = catalog.badge(badge_id)
    day = last_day(badge, user.progress, user.earned) if badge else None
    return date.fromordinal(day) if day else None


def earned_badges(
    catalog: Catalog, user: UserRow, awards: Sequence[AwardRow], events: Mapping[str, EventRow]
) -> list[EarnedBadge]:
    """The badges of a user, the first earned first. `events` are those that earned badges without a stored date, by id."""
    earned = [
        EarnedBadge(
            badge=award.badge,
            earned_at=earned_at(user, award, events.get(award.event_id or "")),
            awarded_at=award.awarded_at,
            event_id=award.event_id,
            points=award.points,
            valid_until=valid_until(catalog, award.badge, user),
        )
        for award in awards
    ]
    return sorted(earned, key=lambda badge: (badge.earned_at, badge.badge))


def explanation(
    catalog: Catalog,
    badge: Badge,
    user: UserRow,
    award: AwardRow | None,
    event: EventRow | None,
    now: datetime,
    none_left: Collection[str] = (),
) -> Explanation:
    """Why a user has a badge, or what is missing. `event` is the event that earned it.

    `none_left` are the badges of which no copy is left.
    """
    progress = as_of(catalog, user.progress, now, {})
    earned = earned_at(user, award, event) if award else None
    lengths = _streak_lengths(catalog, progress, now)
    checks = badge.condition.checks(progress, lengths)
    missing = "" if earned else _what_is_missing(badge, progress, lengths, none_left, now)
    return Explanation(
        badge=badge.id,
        name=badge.name,
        earned=award is not None,
        sentence=_earned_because(badge, earned, event, checks) + _validity(catalog, badge, user, now)
        if earned
        else missing,
        earned_at=earned,
        awarded_at=award.awarded_at if award else None,
        event=history_event(event) if event else None,
        checks=[_condition_check(check) for check in checks],
    )


def _condition_check(check: Check) -> ConditionCheck:
    return ConditionCheck(
        text=check.text,
        current=check.current,
        target=check.target,
        met=check.met,
        at_most=check.at_most,
        scale=check.scale,
    )


def _what_is_missing(
    badge: Badge, progress: Progress, lengths: Mapping[str, int], none_left: Collection[str], now: datetime
) -> str:
    """What a user must do to have the badge, or why that is not possible."""
    if badge.id in progress.manual.barred:
        return f"{badge.name} was revoked, and is not awarded again until that is undone."
    if badge.id in none_left and not badge.retired:
        return none_left_sentence(badge)
    if badge.available and _has_ended(badge, progress, now) and not badge.retired:
        return f"{badge.name} can no longer be earned: it counts events {badge.available.words}."
    steps = badge.condition.steps(progress, lengths)
    return (
        _next_badge(badge, steps).sentence if steps and not badge.retired else f"{badge.name} can no longer be earned."
    )


def explanations(
    catalog: Catalog,
    badges: Sequence[Badge],
    user: UserRow,
    awards: Sequence[AwardRow],
    events: Mapping[str, EventRow],
    now: datetime,
    none_left: Collection[str] = (),
) -> list[Explanation]:
    """The same for several badges of one user. `events` are those that earned them, by id."""
    by_badge = {award.badge: award for award in awards}
    found: list[Explanation] = []
    for badge in badges:
        award = by_badge.get(badge.id)
        event = events.get(award.event_id) if award and award.event_id else None
        found.append(explanation(catalog, badge, user, award, event, now, none_left))
    return found


def _validity(catalog: Catalog, badge: Badge, user: UserRow, now: datetime) -> str:
    """As in ' It is valid until 2026-06-01.'; '' for a badge that stays valid."""
    last = valid_until(catalog, badge.id, user)
    if last is None:
        return ""
    if last.toordinal() >= user.progress.zones.day(now):
        return f" It is valid until {last}."
    one = catalog.metrics[badge.renewed_by].one if badge.renewed_by else ""
    return f" It was valid until {last}" + (f"; 1 more {one} renews it." if one else ".")


def _earned_because(badge: Badge, earned: datetime, event: EventRow | None, checks: Sequence[Check]) -> str:
    """As in 'Century Club was earned on 2026-03-01 with the event message-42: 100 messages.'."""
    by_time = any(isinstance(part, MemberFor) for part in badge.condition.parts())
    others = (
        "by time, an adjustment, or a change of the rules"
        if by_time
        else "by an adjustment, or by a change of the rules"
    )
    cause = f"with the event {event.event.id}" if event else others
    facts = " and ".join(check.text for check in checks if check.met)
    return f"{badge.name} was earned on {earned:%Y-%m-%d} {cause}{': ' + facts if facts else ''}."
