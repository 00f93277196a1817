"""judge: the one door of the engine. It adds an event to a user's progress and settles what that earns.

Beside it stand the doors for what is not an event: `rejudge` (something was said of the user), `rebuild` (all anew from the
user's events) and `reverse` (an event is taken back).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog, RuleIndex
from laurels.engine.days import Days, Fold
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.metrics import matches
from laurels.engine.points import PointRule
from laurels.engine.progress import Award, Change, LedgerEntry, Notification, Outcome, Progress
from laurels.engine.streaks import Calendar, Reading, Streak, extended, folded, read

_NO_DAYS = Days()


def judge(catalog: Catalog, progress: Progress, event: Event, today: int) -> Outcome:
    """What this event changes for its user.

    The event must have its `occurred_at` and `day`; `today` is the user's day at the moment of recording, on which
    streaks are read. Add, then settle: due badges -> points -> badges due on points ..., until nothing changes.
    """
    plan = catalog.rule_indexes.get(event.type)
    if plan is None:
        return Outcome(progress)
    assert event.occurred_at is not None
    grown, entries = _add(plan, progress, event)
    settled, awards = _settle(catalog, grown, plan.badges, entries)
    if settled.points != progress.points:
        settled = replace(settled, reached_at=_later(progress.reached_at, event.occurred_at))
    streaks = _streak_changes(plan.streaks, progress, settled, today) if settled.days is not progress.days else {}
    return _outcome(catalog, progress, settled, awards, entries, streaks, late=event.day != today)


def rejudge(
    catalog: Catalog, before: Progress, after: Progress, now: datetime, entries: Iterable[LedgerEntry] = ()
) -> Outcome:
    """What follows when something was said of a user, such as a joining time, a pause or an adjustment.

    `after` is the progress with that in it, its folds still those of `before`; `entries` are what it did to the points.
    Every badge is asked, for any may depend on what changed.
    """
    paid = list(entries)
    points = before.points + sum(entry.amount for entry in paid)
    awards = [Award(badge, after.badges[badge]) for badge in after.badges if badge not in before.badges]
    refolded = replace(after, folds=_folds(catalog, after), points=points)
    settled, earned = _settle(catalog, refolded, catalog.badges, paid)
    if settled.points != before.points:
        settled = replace(settled, reached_at=_later(before.reached_at, now))
    streaks = _streak_changes(catalog.streaks.values(), before, settled, before.zones.day(now))
    return _outcome(catalog, before, settled, [*awards, *earned], paid, streaks, late=True)


def rebuild(
    catalog: Catalog, progress: Progress, events: Iterable[Event], now: datetime, restored: str | None = None
) -> Outcome:
    """The same user, all sums anew from their events in the order of recording, under this catalog.

    `progress` gives what no event carries: zones, joining time, what was told, and the badges, which stay with the points
    they paid. Where the events themselves now pay more or less, one ledger entry makes up the difference; it speaks of the
    catalog, or of `restored`, an event that was taken back and counts again.
    """
    fresh = _sums(catalog, progress, events)
    paid = fresh.points - progress.points
    entry = LedgerEntry(paid, "reversal", restored) if restored else LedgerEntry(paid, "catalog", catalog.rules)
    return rejudge(catalog, progress, replace(fresh, points=progress.points), now, [entry] if entry.amount else [])


def reverse(catalog: Catalog, progress: Progress, events: Iterable[Event], event_id: str, now: datetime) -> Outcome:
    """The same user without one event: `events` are all others, in the order of recording.

    A badge whose condition held before and does not hold any more goes, with its points; so do those that stood on it.
    """
    after = _sums(catalog, progress, events)
    after = replace(after, folds=_folds(catalog, after))
    entries: list[LedgerEntry] = []
    of_rules = after.points - progress.points
    if of_rules:
        entries.append(LedgerEntry(of_rules, "reversal", event_id))
    stood = [badge for badge in catalog.badges if badge.id in progress.badges and badge.condition.met(progress)]
    fallen = _fallen(after, [badge for badge in stood if badge.id not in progress.manual.granted])
    entries += [LedgerEntry(-after.badges[badge], "reversal", badge) for badge in fallen if after.badges[badge]]
    kept = {badge: paid for badge, paid in after.badges.items() if badge not in fallen}
    return rejudge(catalog, progress, replace(after, badges=kept), now, entries)


def _fallen(after: Progress, stood: Iterable[Badge]) -> list[str]:
    """Of badges that stood on their conditions, those that do not stand any more.

    All are taken away, and come back one upon the other: so none stands on its own points, and no two on each other.
    """
    away = {badge.id: badge for badge in stood}
    kept = {badge: paid for badge, paid in after.badges.items() if badge not in away}
    held = replace(after, badges=kept, points=after.points - sum(after.badges[badge] for badge in away))
    while back := [badge for badge in away if away[badge].condition.met(held)]:
        paid = {badge: after.badges[badge] for badge in back if away.pop(badge)}
        held = replace(held, badges={**held.badges, **paid}, points=held.points + sum(paid.values()))
    return list(away)


def _sums(catalog: Catalog, progress: Progress, events: Iterable[Event]) -> Progress:
    """The progress made anew from events; its points are those of events, badges and adjustments. Folds come later."""
    manual = progress.manual
    fresh = Progress(zones=progress.zones, joined_at=progress.joined_at, manual=manual, scores=progress.scores)
    for event in events:
        plan = catalog.rule_indexes.get(event.type)
        if plan is not None:
            fresh, _ = _add(plan, fresh, event, folding=False)
    points = min(MAX_NUMBER, fresh.points + sum(progress.badges.values()) + manual.adjusted)
    return replace(fresh, badges=progress.badges, points=points, reached_at=progress.reached_at)


def calendar_of(streak: Streak, progress: Progress) -> Calendar:
    """What this user's days require for this streak."""
    manual = progress.manual
    excused = progress.zones.skipped() | manual.amnesty | manual.repairs.get(streak.name, _NO_DAYS)
    paused = manual.pauses.get("", _NO_DAYS) | manual.pauses.get(streak.name, _NO_DAYS)
    return Calendar(streak, excused, paused, manual.grants.get(streak.name, ()))


def read_streak_of(streak: Streak, progress: Progress, today: int) -> Reading:
    """This user's streak as it reads on a day."""
    days = progress.days.get(streak.name, _NO_DAYS)
    return read(streak, days, progress.folds.get(streak.name), calendar_of(streak, progress), today)


def length_of(streak: Streak, progress: Progress, today: int) -> int:
    """This user's streak's length on a day: what `read_streak_of` says, and cheap where yesterday or today had its event."""
    days = progress.days.get(streak.name)
    if days is not None and not streak.weekly and days.last >= today - 1:
        return progress.folds[streak.name].length
    return read_streak_of(streak, progress, today).length


# ---- adding -----------------------------------------------------------------------------------


def _add(
    plan: RuleIndex, progress: Progress, event: Event, *, folding: bool = True
) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with the event in it, and what the event itself paid; badges are not asked yet.

    Without `folding` the streaks' folds stay as they were, for a caller that folds once, after all events.
    """
    totals, days = _count(plan, progress, event)
    partial, folds = progress.partial, progress.folds
    for streak in plan.streaks:
        if not streak.where or matches(streak.where, event):
            so_far = replace(progress, days=days, partial=partial, folds=folds)
            days, partial, folds = _credit(streak, so_far, event, folding=folding)
    capped, entries, points = _pay_rules(plan, progress, event)
    grown = Progress(
        totals,
        days,
        capped,
        partial,
        folds,
        progress.badges,
        points,
        progress.reached_at,
        progress.zones,
        progress.joined_at,
        progress.manual,
        progress.scores,
    )
    return grown, entries


def _count(plan: RuleIndex, progress: Progress, event: Event) -> tuple[dict[str, int], Mapping[str, Days]]:
    """The metrics' totals and sets of days with the event in them."""
    totals = dict(progress.totals)
    days = progress.days
    for metric in plan.metrics:
        if metric.where and not matches(metric.where, event):
            continue
        if metric.kind == "distinct_days":
            assert event.day is not None
            days = {**days, metric.name: days.get(metric.name, _NO_DAYS).with_day(event.day)}
            totals[metric.name] = len(days[metric.name])
        else:
            totals[metric.name] = metric.grown(totals.get(metric.name, 0), event)
    return totals, days


_Credited = tuple[Mapping[str, Days], Mapping[str, Mapping[int, int]], Mapping[str, Fold]]


def _credit(streak: Streak, progress: Progress, event: Event, *, folding: bool) -> _Credited:
    """The days, partial amounts and folds once this event has counted for the streak."""
    assert event.day is not None
    days, partial, folds, name = progress.days, progress.partial, progress.folds, streak.name
    unit = streak.unit(event.day)
    credited = days.get(name, _NO_DAYS)
    if unit in credited or (streak.late_days is not None and event.late_by > streak.late_days):
        return days, partial, folds
    if streak.amount > 1:
        so_far = partial.get(name, {})
        amount = min(streak.amount, so_far.get(unit, 0) + event.quantity)
        rest = {day: some for day, some in so_far.items() if day != unit}
        if amount < streak.amount:
            return days, {**partial, name: {**rest, unit: amount}}, folds
        partial = {**partial, name: rest}
    credited = credited.with_day(unit)
    if not folding:
        return {**days, name: credited}, partial, folds
    fold = extended(streak, folds.get(name), credited, unit, calendar_of(streak, progress))
    return {**days, name: credited}, partial, {**folds, name: fold}


def _folds(catalog: Catalog, progress: Progress) -> dict[str, Fold]:
    """Every streak folded anew, after what its days require has changed."""
    return {
        streak.name: folded(streak, progress.days[streak.name], calendar_of(streak, progress))
        for streak in catalog.streaks.values()
        if streak.name in progress.days
    }


_Paid = tuple[Mapping[str, Mapping[int, int]], list[LedgerEntry], int]


def _pay_rules(plan: RuleIndex, progress: Progress, event: Event) -> _Paid:
    """The capped sums, ledger entries and points once the point rules have paid for this event."""
    capped, entries, points = progress.capped, list[LedgerEntry](), progress.points
    for rule in plan.rules:
        if rule.where and not matches(rule.where, event):
            continue
        capped, amount = _pay(capped, rule, event)
        amount = min(amount, MAX_NUMBER - points)
        if amount:
            points += amount
            entries.append(LedgerEntry(amount, "rule", rule.id))
    return capped, entries, points


def _pay(
    capped: Mapping[str, Mapping[int, int]], rule: PointRule, event: Event
) -> tuple[Mapping[str, Mapping[int, int]], int]:
    """What the rule pays for this event. The sum of a day stops at the cap, in whatever order its events come."""
    worth = rule.worth(event)
    if rule.cap_per_day is None:
        return capped, worth
    assert event.day is not None
    of_rule = capped.get(rule.id, {})
    before = of_rule.get(event.day, 0)
    after = min(rule.cap_per_day, before + worth)
    return {**capped, rule.id: {**of_rule, event.day: after}}, after - before


# ---- settling ---------------------------------------------------------------------------------


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


def _streak_changes(streaks: Iterable[Streak], before: Progress, after: Progress, today: int) -> dict[str, Change]:
    """The streaks that changed, as they read today before and after."""
    changes: dict[str, Change] = {}
    for streak in streaks:
        if after.folds.get(streak.name) is before.folds.get(streak.name) and after.manual is before.manual:
            continue
        old, new = read_streak_of(streak, before, today), read_streak_of(streak, after, today)
        if old != new:
            changes[streak.name] = Change(old.length, new.length)
    return changes


def _outcome(
    catalog: Catalog,
    before: Progress,
    after: Progress,
    awards: list[Award],
    entries: list[LedgerEntry],
    streaks: Mapping[str, Change],
    *,
    late: bool,
) -> Outcome:
    same_badges = after.badges is before.badges
    revoked = () if same_badges else tuple(badge for badge in before.badges if badge not in after.badges)
    if not awards and not entries and not streaks and not revoked:
        return Outcome(after)
    levels = catalog.levels
    points = Change(before.points, after.points) if after.points != before.points else None
    level = Change(levels.number(before.points), levels.number(after.points)) if points else None
    if level and level.before == level.after:
        level = None
    notifications = [
        *(Notification("badge.earned", {"badge": award.badge, "points": award.points}) for award in awards),
        *(Notification("badge.revoked", {"badge": badge}) for badge in revoked),
        *_level_notifications(catalog, level),
        *_streak_notifications(streaks, late=late),
    ]
    return Outcome(after, tuple(awards), revoked, tuple(entries), points, level, streaks, tuple(notifications))


def _level_notifications(catalog: Catalog, level: Change | None) -> list[Notification]:
    if level is None:
        return []
    title = catalog.levels.all[level.after - 1].title
    return [
        Notification(
            "level.reached" if level.after > level.before else "level.lost", {"level": level.after, "title": title}
        )
    ]


def _streak_notifications(streaks: Mapping[str, Change], *, late: bool) -> list[Notification]:
    """A punctual event extends a streak; anything late or told corrects one."""
    notifications: list[Notification] = []
    for name, change in streaks.items():
        if late:
            notifications.append(
                Notification("streak.corrected", {"streak": name, "before": change.before, "length": change.after})
            )
        elif change.after > change.before:
            notifications.append(
                Notification("streak.extended", {"streak": name, "before": change.before, "length": change.after})
            )
    return notifications


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
