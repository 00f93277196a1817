"""judge: the one door of the engine. It adds an event to a user's progress and settles what that earns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog, Plan
from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.metrics import matches
from laurels.engine.points import PointRule
from laurels.engine.progress import Award, Change, LedgerEntry, Moment, Outcome, Progress
from laurels.engine.streaks import length


def judge(catalog: Catalog, progress: Progress, event: Event, today: int) -> Outcome:
    """What this event changes for its user.

    The event must have its `occurred_at` and `day`; `today` is the user's day at the moment of recording, on which
    streaks are read. Add, then settle: due badges -> points -> badges due on points ..., until nothing changes.
    """
    plan = catalog.plans.get(event.type)
    if plan is None:
        return Outcome(progress)
    assert event.occurred_at is not None
    grown, entries = _add(plan, progress, event)
    settled, awards = _settle(catalog, grown, plan.badges, entries)
    if settled.points != progress.points:
        settled = replace(settled, reached_at=_later(progress.reached_at, event.occurred_at))
    return _outcome(catalog, progress, settled, awards, entries, _streak_changes(plan, progress, settled, today))


def rejudge(catalog: Catalog, before: Progress, after: Progress, now: datetime) -> Outcome:
    """What follows when a user's progress changed by something other than an event (joined_at, or new rules).

    `after` still has the points of `before`; every badge is asked, for any may depend on what changed.
    """
    entries: list[LedgerEntry] = []
    settled, awards = _settle(catalog, after, catalog.badges, entries)
    if settled.points != before.points:
        settled = replace(settled, reached_at=_later(before.reached_at, now))
    return _outcome(catalog, before, settled, awards, entries, {})


def refold(catalog: Catalog, progress: Progress, events: Iterable[Event], now: datetime) -> Outcome:
    """The same user under other rules: all sums anew from the user's events, in the order of recording.

    Badges once earned stay, with the points they paid. Where the events themselves now pay more or less, one
    ledger entry makes up the difference.
    """
    fresh = Progress(zones=progress.zones, joined_at=progress.joined_at)
    for event in events:
        plan = catalog.plans.get(event.type)
        if plan is not None:
            fresh, _ = _add(plan, fresh, event)
    points = min(MAX_NUMBER, fresh.points + sum(progress.badges.values()))
    kept = replace(fresh, badges=progress.badges, points=points, reached_at=progress.reached_at)
    outcome = rejudge(catalog, kept, kept, now)
    if points == progress.points:
        return outcome
    entry = LedgerEntry(points - progress.points, "catalog", catalog.rules)
    settled = replace(outcome.progress, reached_at=_later(progress.reached_at, now))
    return _outcome(catalog, progress, settled, list(outcome.awards), [entry, *outcome.entries], {})


def _add(plan: Plan, progress: Progress, event: Event) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with the event in it, and what the event itself paid; badges are not asked yet."""
    day = event.day
    assert day is not None
    totals = dict(progress.totals)
    days = progress.days
    longest = progress.longest
    for metric in plan.metrics:
        if metric.where and not matches(metric.where, event):
            continue
        if metric.kind == "distinct_days":
            days = _with_day(days, metric.name, day)
            totals[metric.name] = len(days[metric.name])
        else:
            totals[metric.name] = metric.grown(totals.get(metric.name, 0), event)
    for streak in plan.streaks:
        if streak.where and not matches(streak.where, event):
            continue
        if day not in days.get(streak.name, _NO_DAYS):
            days = _with_day(days, streak.name, day)
            run = days[streak.name].run_around(day, progress.zones.skipped())
            longest = {**longest, streak.name: max(run, longest.get(streak.name, 0))}
    capped, entries, points = progress.capped, list[LedgerEntry](), progress.points
    for rule in plan.rules:
        if rule.where and not matches(rule.where, event):
            continue
        capped, amount = _pay(capped, rule, event, day)
        amount = min(amount, MAX_NUMBER - points)
        if amount:
            points += amount
            entries.append(LedgerEntry(amount, "rule", rule.id))
    return (
        Progress(
            totals,
            days,
            capped,
            longest,
            progress.badges,
            points,
            progress.reached_at,
            progress.zones,
            progress.joined_at,
        ),
        entries,
    )


_NO_DAYS = Days()


def _with_day(days: Mapping[str, Days], name: str, day: int) -> Mapping[str, Days]:
    return {**days, name: days.get(name, _NO_DAYS).with_day(day)}


def _pay(
    capped: Mapping[str, Mapping[int, int]], rule: PointRule, event: Event, day: int
) -> tuple[Mapping[str, Mapping[int, int]], int]:
    """What the rule pays for this event. The sum of a day stops at the cap, in whatever order its events come."""
    worth = rule.worth(event)
    if rule.cap_per_day is None:
        return capped, worth
    of_rule = capped.get(rule.id, {})
    before = of_rule.get(day, 0)
    after = min(rule.cap_per_day, before + worth)
    return {**capped, rule.id: {**of_rule, day: after}}, after - before


def _settle(
    catalog: Catalog, progress: Progress, candidates: tuple[Badge, ...], entries: list[LedgerEntry]
) -> tuple[Progress, list[Award]]:
    """Award what is due, in rounds, for a badge's points can make another one due.

    Each round awards at least one badge or is the last, so there are at most as many rounds as badges.
    """
    awards: list[Award] = []
    asked = candidates if not catalog.settling else tuple(dict.fromkeys((*candidates, *catalog.settling)))
    while due := [badge for badge in asked if badge.due(progress)]:
        points = progress.points
        for badge in due:
            amount = min(badge.points, MAX_NUMBER - points)
            points += amount
            awards.append(Award(badge.id, amount))
            if amount:
                entries.append(LedgerEntry(amount, "badge", badge.id))
        badges = {**progress.badges, **{award.badge: award.points for award in awards}}
        progress = replace(progress, badges=badges, points=points)
        asked = catalog.settling
    return progress, awards


def _streak_changes(plan: Plan, before: Progress, after: Progress, today: int) -> dict[str, Change]:
    """The streaks whose days grew, as they read today before and after."""
    changes: dict[str, Change] = {}
    if after.days is before.days:
        return changes
    skipped = after.zones.skipped()
    for streak in plan.streaks:
        old, new = before.days.get(streak.name, _NO_DAYS), after.days.get(streak.name, _NO_DAYS)
        if old is not new:
            changes[streak.name] = Change(length(old, today, skipped), length(new, today, skipped))
    return changes


def _outcome(
    catalog: Catalog,
    before: Progress,
    after: Progress,
    awards: list[Award],
    entries: list[LedgerEntry],
    streaks: Mapping[str, Change],
) -> Outcome:
    if not awards and not entries and not streaks:
        return Outcome(after)
    levels = catalog.levels
    points = Change(before.points, after.points) if after.points != before.points else None
    level = Change(levels.number(before.points), levels.number(after.points)) if points else None
    if level and level.before == level.after:
        level = None
    return Outcome(
        progress=after,
        awards=tuple(awards),
        entries=tuple(entries),
        points=points,
        level=level,
        streaks=streaks,
        moments=tuple(_moments(catalog, awards, level, streaks)),
    )


def _moments(
    catalog: Catalog, awards: list[Award], level: Change | None, streaks: Mapping[str, Change]
) -> list[Moment]:
    moments = [Moment("badge.earned", {"badge": award.badge, "points": award.points}) for award in awards]
    if level and level.after > level.before:
        title = catalog.levels.all[level.after - 1].title
        moments.append(Moment("level.reached", {"level": level.after, "title": title}))
    for name, change in streaks.items():
        if change.after > change.before:
            moments.append(Moment("streak.extended", {"streak": name, "before": change.before, "length": change.after}))
    return moments


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
