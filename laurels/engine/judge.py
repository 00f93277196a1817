"""judge: adds an event to a user's progress and settles what it earns.

The other entry points are for changes without an event: `rejudge` (something about the user changed), `rebuild` (compute
everything again from the user's events), `reread` (events are on other days) and `reverse` (take an event back).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from laurels.engine.adding import add_event, calendar_of, later
from laurels.engine.badges import Badge
from laurels.engine.caps import pay
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days, Fold
from laurels.engine.events import Event
from laurels.engine.former_units import in_present_units
from laurels.engine.holding import given_back, justified, losers, repayments, unmet, without
from laurels.engine.progress import (
    Award,
    Change,
    LedgerEntry,
    LostBadge,
    Notification,
    Outcome,
    Progress,
    earned_by,
    entries_of,
    limited,
)
from laurels.engine.repeats import repeated
from laurels.engine.rule_index import pays
from laurels.engine.sequences import Stages, advanced, stages_of
from laurels.engine.streaks import Reading, Streak, folded, read

_NO_DAYS = Days()


def judge(
    catalog: Catalog,
    progress: Progress,
    event: Event,
    today: int,
    none_left: Collection[str] = (),
    stages: Stages | None = None,
) -> Outcome:
    """What this event changes for its user.

    The event must have its `occurred_at` and `day`. `today` is the user's day when the event is recorded; streaks are read
    on it. First add the event, then settle: due badges -> points -> badges due by points ..., until nothing changes. Here and in
    the other entry points, `none_left` are limited badges of which no copy is left for this user. `stages` are those after the
    event, if it takes all events to know them.
    """
    rules = catalog.rule_indexes.get(event.type)
    if rules is None:
        return Outcome(progress)
    assert event.occurred_at is not None
    added, entries = add_event(rules, progress, event)
    if rules.chains:
        known = advanced(rules.chains, progress, event) if stages is None else stages
        assert known is not None, "this event needs `stages`"
        added = replace(added, stages=known)
    settled, awards = _settle(catalog, added, rules.badges, entries, none_left)
    if entries and settled.earned != progress.earned:  # nothing is earned without an entry
        settled = replace(settled, reached_at=later(progress.reached_at, event.occurred_at))
    more = repeated(rules.repeatable, progress, settled) if rules.repeatable else ()
    if settled.days is progress.days:
        return _notifying(_outcome(catalog, progress, settled, awards, entries, {}, late=()), more)
    zones, recorded_at = progress.zones, event.recorded_at or event.occurred_at
    todays = {
        streak.name: zones.day(recorded_at, streak.day_starts) if streak.day_starts else today
        for streak in rules.streaks
    }
    streaks = _streak_changes(rules.streaks, progress, settled, todays, todays)
    late = [streak.name for streak in rules.streaks if streak.day_of(event, zones) != todays[streak.name]]
    return _notifying(_outcome(catalog, progress, settled, awards, entries, streaks, late=late), more)


def _notifying(outcome: Outcome, more: Sequence[Notification]) -> Outcome:
    return replace(outcome, notifications=(*outcome.notifications, *more)) if more else outcome


def rejudge(
    catalog: Catalog,
    before: Progress,
    after: Progress,
    now: datetime,
    entries: Iterable[LedgerEntry] = (),
    none_left: Collection[str] = (),
) -> Outcome:
    """What follows from a change without an event, such as a joining time or an adjustment.

    `after` is the progress with that change, with the folds of `before`; `entries` are its own ledger entries. Every badge is
    checked, because any may depend on what changed.
    """
    paid = list(entries)
    repaid = repayments(catalog, after)
    if repaid:
        paid += [LedgerEntry(points - after.badges[badge], "catalog", badge) for badge, points in repaid.items()]
        after = replace(after, badges={**after.badges, **repaid})
    points, beyond = limited(before.earned + earned_by(paid))
    awards = [Award(badge, after.badges[badge]) for badge in after.badges if badge not in before.badges]
    refolded = replace(after, folds=_folds(catalog, after), points=points, beyond=beyond)
    settled, earned = _resettle(catalog, refolded, paid, none_left)
    if settled.earned != before.earned:
        settled = replace(settled, reached_at=later(before.reached_at, now))
    streaks = _streak_changes(
        catalog.streaks.values(), before, settled, _todays(catalog, before, now), _todays(catalog, settled, now)
    )
    outcome = _outcome(catalog, before, settled, [*awards, *earned], paid, streaks, late=catalog.streaks)
    return replace(outcome, repaid=tuple(repaid)) if repaid else outcome


def rebuild(
    catalog: Catalog,
    progress: Progress,
    events: Iterable[Event],
    now: datetime,
    restored: str | None = None,
    lost: Iterable[LostBadge] = (),
    spent: int | None = None,
    none_left: Collection[str] = (),
) -> Outcome:
    """The same user with all sums computed again from their events, in the order of recording, under this catalog.

    `progress` gives what is not in events: zones, joining time, manual state, and badges, which stay with the points that they
    paid. Where the events now pay more or less, one ledger entry makes up the difference. It names the catalog, or
    `restored`, an event that was reversed and counts again. `lost` are badges that its reversal took away. `spent` is what the
    ledger says was spent, if it is to be compared with the adjustments in the same way.
    """
    progress = in_present_units(catalog, progress)
    fresh = _sums(catalog, progress, events)
    paid = fresh.earned - progress.earned
    entries = entries_of(paid, "reversal", restored) if restored else entries_of(paid, "catalog", catalog.rules)
    for badge, points in given_back(catalog, fresh, lost, none_left).items():
        fresh = replace(fresh, badges={**fresh.badges, badge: points})
        entries += entries_of(points, "reversal", badge)
    if spent is not None:
        entries += entries_of(spent - progress.manual.spent, "spend", catalog.rules)
    return rejudge(catalog, progress, fresh, now, entries, none_left)


def reread(
    catalog: Catalog,
    before: Progress,
    after: Progress,
    dated_before: Sequence[Event],
    events: Sequence[Event],
    now: datetime,
    entries: Iterable[LedgerEntry] = (),
    none_left: Collection[str] = (),
) -> Outcome:
    """The same user with all sums computed again from events that are on other days, because the zones changed.

    `after` has the new zones and manual state. `dated_before` are the same events on their old days, in the same order. Badges
    stay with their points, also those that no longer follow. Where an event pays more or less on another day, as because of a
    cap, a ledger entry of its own makes up the difference.
    """
    fresh = _sums(catalog, after, events)
    paid = [*entries, *_moved_points(catalog, dated_before, events)]
    return rejudge(catalog, before, fresh, now, paid, none_left)


def recomputed(catalog: Catalog, progress: Progress, events: Iterable[Event]) -> Progress:
    """The same user with all sums, streaks and points computed again from these events. Badges stay with what they paid.

    Nothing is awarded or taken away. `progress` gives what is not in events, as for `rebuild`.
    """
    fresh = _sums(catalog, in_present_units(catalog, progress), events)
    return replace(fresh, folds=_folds(catalog, fresh))


def _moved_points(catalog: Catalog, before: Sequence[Event], after: Sequence[Event]) -> list[LedgerEntry]:
    old, new = _paid_by_events(catalog, before), _paid_by_events(catalog, after)
    return [entry for event in new for entry in entries_of(new[event] - old[event], "zone", event)]


def _paid_by_events(catalog: Catalog, events: Iterable[Event]) -> dict[str, int]:
    """What rules that follow days, as by a cap, pay for each event, by its id. All other rules pay the same on any day."""
    capped: Mapping[str, Mapping[int, int]] = {}
    paid: dict[str, int] = {}
    for event in events:
        rules = catalog.rule_indexes.get(event.type)
        for rule in rules.rules if rules else ():
            if rule.follows_days and pays(rule, event):
                capped, amount = pay(capped, rule, event)
                paid[event.id] = paid.get(event.id, 0) + amount
    return paid


def reverse(
    catalog: Catalog,
    progress: Progress,
    events: Iterable[Event],
    reversed_events: Sequence[Event],
    now: datetime,
    earned: Collection[str] = (),
    none_left: Collection[str] = (),
) -> Outcome:
    """The same user without these events, as if they were reversed one after the other. `events` are all others, as recorded.

    A badge whose condition held before and no longer holds is lost with its points, and so are badges that depended on it.
    `earned` are the badges that were awarded because of the events: those that the catalog no longer has are lost with them.
    """
    after = _sums(catalog, progress, events)
    taken = _paid_by(catalog, after, progress.earned - after.earned, reversed_events)
    entries = [entry for event, amount in taken for entry in entries_of(-amount, "reversal", event.id)]
    after = replace(after, folds=_folds(catalog, after))
    unnamed = [badge for badge in earned if catalog.badge(badge) is None and badge in progress.badges]
    lost = [*unmet(after, justified(catalog, progress)), *(set(unnamed) - progress.manual.granted)]
    entries += [LedgerEntry(-after.badges[badge], "reversal", badge) for badge in lost if after.badges[badge]]
    badges = {badge: paid for badge, paid in after.badges.items() if badge not in lost}
    return rejudge(catalog, progress, replace(after, badges=badges), now, entries, none_left)


def _paid_by(
    catalog: Catalog, after: Progress, points: int, reversed_events: Sequence[Event]
) -> list[tuple[Event, int]]:
    """What each event had paid by rules, in the order in which they are reversed; together `points`.

    An event's part is what it adds to the user without it and without those that are reversed before it.
    """
    taken: list[tuple[Event, int]] = []
    for event in reversed(reversed_events[1:]):
        rules = catalog.rule_indexes.get(event.type)
        after, paid = add_event(rules, after, event, folding=False) if rules else (after, [])
        taken.append((event, sum(entry.amount for entry in paid)))
    first = points - sum(amount for _, amount in taken)
    return [(reversed_events[0], first), *reversed(taken)]


def _sums(catalog: Catalog, progress: Progress, events: Iterable[Event]) -> Progress:
    """The progress computed from events; its points are those of events, badges and adjustments. Without folds."""
    manual, events = progress.manual, list(events)
    retired = [name for name, streak in catalog.streaks.items() if streak.retired and name in progress.days]
    fresh = Progress(
        days={name: progress.days[name] for name in retired},  # no event credits them any more
        zones=progress.zones,
        joined_at=progress.joined_at,
        manual=manual,
        scores=progress.scores,
        values_within=progress.values_within,
        board_days=progress.board_days,
        cap_reached=progress.cap_reached,
        stages=stages_of(catalog.chains, events) if catalog.chains else progress.stages,
        as_of=progress.as_of,
    )
    for event in events:
        if rules := catalog.rule_indexes.get(event.type):
            fresh, _ = add_event(rules, fresh, event, folding=False)
    points, beyond = limited(fresh.earned + sum(progress.badges.values()) + manual.adjusted)
    return replace(fresh, badges=progress.badges, points=points, beyond=beyond, reached_at=progress.reached_at)


def today_of(streak: Streak, progress: Progress, now: datetime) -> int:
    """The oldest day of this streak that has not ended for this user."""
    return progress.zones.open_day(now, streak.day_starts)


def _todays(catalog: Catalog, progress: Progress, now: datetime) -> dict[str, int]:
    return {name: today_of(streak, progress, now) for name, streak in catalog.streaks.items()}


def read_streak_of(streak: Streak, progress: Progress, today: int) -> Reading:
    """This user's streak on a day of it."""
    days = progress.days.get(streak.name, _NO_DAYS)
    return read(streak, days, progress.folds.get(streak.name), calendar_of(streak, progress), today)


def length_of(streak: Streak, progress: Progress, today: int) -> int:
    """The length of this user's streak on a day. As `read_streak_of`, but cheap if yesterday or today is credited."""
    days = progress.days.get(streak.name)
    if days is not None and streak.cadence == "daily" and not streak.retired and days.last >= today - 1:
        return progress.folds[streak.name].length
    return read_streak_of(streak, progress, today).length


def _folds(catalog: Catalog, progress: Progress) -> dict[str, Fold]:
    """Every streak folded again, because what its days require has changed."""
    return {
        streak.name: folded(streak, progress.days[streak.name], calendar_of(streak, progress))
        for streak in catalog.streaks.values()
        if streak.name in progress.days
    }


# ---- settling ---------------------------------------------------------------------------------


def _settle(
    catalog: Catalog,
    progress: Progress,
    candidates: tuple[Badge, ...],
    entries: list[LedgerEntry],
    barred: Collection[str] = (),
) -> tuple[Progress, list[Award]]:
    """Award what is due, in rounds, because the points of one badge can make another one due.

    Each round awards at least one badge or is the last, so there are at most as many rounds as badges.
    """
    awards: list[Award] = []
    checked = candidates if not catalog.settling else tuple(dict.fromkeys((*candidates, *catalog.settling)))
    while due := [badge for badge in checked if badge.due(progress) and badge.id not in barred]:
        for badge in due:
            awards.append(Award(badge.id, badge.points))
            if badge.points:
                entries.append(LedgerEntry(badge.points, "badge", badge.id))
        badges = {**progress.badges, **{badge.id: badge.points for badge in due}}
        points, beyond = limited(progress.earned + sum(badge.points for badge in due))
        progress = replace(progress, badges=badges, points=points, beyond=beyond)
        checked = catalog.settling
    return progress, awards


def _resettle(
    catalog: Catalog, progress: Progress, entries: list[LedgerEntry], none_left: Collection[str]
) -> tuple[Progress, list[Award]]:
    """Take away the badges that users lose whose conditions do not hold, and award what is due.

    What is awarded may let the condition of a lost one hold again: then it was never lost, and keeps what it paid.
    """
    lost = losers(catalog, progress)
    if not lost:
        return _settle(catalog, progress, catalog.badges, entries, none_left)
    while True:
        paid: list[LedgerEntry] = []
        others = tuple(badge for badge in catalog.badges if badge.id not in lost)
        settled, awards = _settle(catalog, without(progress, lost), others, paid, barred=(*lost, *none_left))
        back = [badge.id for badge in catalog.losing if badge.id in lost and badge.condition.met(settled)]
        if not back:
            break
        lost = [badge for badge in lost if badge not in back]
    entries += [LedgerEntry(-progress.badges[badge], "catalog", badge) for badge in lost if progress.badges[badge]]
    entries += paid
    return settled, awards


def _streak_changes(
    streaks: Iterable[Streak],
    before: Progress,
    after: Progress,
    today_before: Mapping[str, int],
    today_after: Mapping[str, int],
) -> dict[str, Change]:
    """The streaks that changed: their lengths today, before and after. Another zone can make today another day."""
    changes: dict[str, Change] = {}
    for streak in streaks:
        if after.folds.get(streak.name) is before.folds.get(streak.name) and after.manual is before.manual:
            continue
        old = read_streak_of(streak, before, today_before[streak.name])
        new = read_streak_of(streak, after, today_after[streak.name])
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
    late: Container[str],
) -> Outcome:
    """The outcome of a change. `late` are the streaks in which it counts for another day than today."""
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


def _streak_notifications(streaks: Mapping[str, Change], *, late: Container[str]) -> list[Notification]:
    """An event of today extends a streak; late events and adjustments correct one."""
    notifications: list[Notification] = []
    for name, change in streaks.items():
        if name in late:
            notifications.append(
                Notification("streak.corrected", {"streak": name, "before": change.before, "length": change.after})
            )
        elif change.after > change.before:
            notifications.append(
                Notification("streak.extended", {"streak": name, "before": change.before, "length": change.after})
            )
    return notifications
