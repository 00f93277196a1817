"""What changed for a user between two times, and what made something so, as sentences and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from laurels.commands.past import PastUser
from laurels.commands.timeline import Turn
from laurels.engine.catalog import Catalog
from laurels.engine.progress import SPEND
from laurels.present.base import Answer, SparseAnswer, UtcTime
from laurels.present.history import MOVED
from laurels.present.streaks import streak_length


class Numbers(Answer, frozen=True):
    """A number before and after."""

    before: int
    after: int


class PointsPart(Answer, frozen=True):
    """A part of a change of points: `times` ledger entries with this reason, of what `ref` names."""

    amount: int
    reason: str
    ref: str
    times: int


class ChangedAdjustment(Answer, frozen=True):
    """An adjustment that was made or undone between two times."""

    id: str
    kind: str
    undone: bool


class UserDifference(SparseAnswer, frozen=True):
    """What changed for a user from one time until another. What stayed the same is left out, but for points and level.

    `events` are the ids of events that were recorded. `catalogs` are the revisions that were put in force, `amnesties` the ids of
    those that were made or lifted. `sentences` say the same in words.
    """

    user_id: str
    since: UtcTime
    until: UtcTime
    points: Numbers
    level: Numbers
    balance: Numbers | None = None
    parts: Sequence[PointsPart] = ()
    gained: Sequence[str] = ()
    lost: Sequence[str] = ()
    streaks: Mapping[str, Numbers] = {}
    events: Sequence[str] = ()
    adjustments: Sequence[ChangedAdjustment] = ()
    amnesties: Sequence[str] = ()
    catalogs: Sequence[int] = ()
    sentences: Sequence[str] = ()


class Cause(SparseAnswer, frozen=True):
    """What made something so: the change after which it is as it is since.

    kind       event, adjustment, undo, amnesty, lift, catalog, or user: another change of the user, as of the time zone
    id         of the event, adjustment or amnesty, or the number of the catalog's revision
    holds      whether it is so since; false: it was, and stopped with this change
    points, level, gained, lost  what else the change made of the user
    """

    kind: str
    id: str
    at: UtcTime
    revision: int
    holds: bool
    points: Numbers
    level: Numbers
    gained: Sequence[str] = ()
    lost: Sequence[str] = ()
    sentence: str = ""


KINDS = {
    "event": "the event {id}",
    "adjustment": "the adjustment {id}",
    "undo": "undoing the adjustment {id}",
    "amnesty": "the amnesty {id}",
    "lift": "lifting the amnesty {id}",
    "catalog": "revision {id} of the catalog",
    "user": "a change of the user at revision {revision}",
}

REASONS = {
    "badge": 'badge "{ref}"',
    "rule": 'rule "{ref}"',
    "boost": 'boost "{ref}"',
    "grant": 'granted badge "{ref}"',
    "revocation": 'revoked badge "{ref}"',
    "reversal": 'reversal of "{ref}"',
    "adjustment": "adjustments by hand",
    "catalog": "other rules",
    "zone": 'another day of the event "{ref}"',
}


def cause(found: Turn, catalogs: tuple[Catalog, Catalog], what: str) -> Cause:
    """The change that made something so. `catalogs` are those before and after it, `what` is as in 'the badge x'."""
    step, before, after = found.step, found.before, found.after
    points = Numbers(before=before.row.progress.points if before else 0, after=after.row.progress.points)
    held = before.row.progress.badges.keys() if before else set[str]()
    kept = {catalogs[1].renames.badge(badge) for badge in held}
    badges = after.row.progress.badges.keys()
    by = KINDS[step.kind].format(id=step.id, revision=step.revision)
    verb = "has had" if found.holds else "has not had"
    return Cause(
        kind=step.kind,
        id=step.id,
        at=step.at,
        revision=step.revision,
        holds=found.holds,
        points=points,
        level=Numbers(before=catalogs[0].levels.number(points.before), after=catalogs[1].levels.number(points.after)),
        gained=sorted(badges - kept),
        lost=sorted(kept - badges),
        sentence=f"{after.row.user_id} {verb} {what} since {step.at:%Y-%m-%d %H:%M:%S} UTC, because of {by}.",
    )


def parts_of(before: PastUser, after: PastUser) -> list[PointsPart]:
    """What the ledger says between two times, the largest parts first."""
    old, new = {*before.ledger}, {*after.ledger}
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for rows, sign in ((new - old, 1), (old - new, -1)):
        for row in rows:
            if row.reason not in (MOVED, SPEND):
                key = (row.reason, "" if row.reason in ("adjustment", "catalog") else row.ref)
                amount, times = sums.get(key, (0, 0))
                sums[key] = (amount + sign * row.amount, times + 1)
    found = [PointsPart(amount=amount, reason=key[0], ref=key[1], times=times) for key, (amount, times) in sums.items()]
    return sorted((part for part in found if part.amount), key=lambda part: (-abs(part.amount), part.reason, part.ref))


def difference(
    users: tuple[PastUser, PastUser],
    catalogs: tuple[Catalog, Catalog],
    times: tuple[datetime, datetime],
    revisions: Sequence[int],
    amnesties: Sequence[str],
) -> UserDifference:
    """What changed for a user between two times, each with its catalog."""
    (before, after), (old, new), (since, until) = users, catalogs, times
    one, other = before.row.progress, after.row.progress
    held = {new.renames.badge(badge) for badge in one.badges}
    earlier = {new.renames.streak(name): name for name in old.streaks}
    lengths = {
        name: Numbers(
            before=streak_length(old, one, earlier[name], since) if name in earlier else 0,
            after=streak_length(new, other, name, until),
        )
        for name in new.streaks
    }
    balance = Numbers(before=one.balance, after=other.balance)
    found = UserDifference(
        user_id=after.row.user_id,
        since=since,
        until=until,
        points=Numbers(before=one.points, after=other.points),
        level=Numbers(before=old.levels.number(one.points), after=new.levels.number(other.points)),
        balance=balance if (one.manual.spent or other.manual.spent) and balance.before != balance.after else None,
        parts=parts_of(before, after) or (),
        gained=sorted(other.badges.keys() - held) or (),
        lost=sorted(held - other.badges.keys()) or (),
        streaks={name: pair for name, pair in lengths.items() if pair.before != pair.after},
        events=[row.event.id for row in after.events if row.revision > before.row.revision] or (),
        adjustments=list(_adjustments(before, after)) or (),
        amnesties=amnesties or (),
        catalogs=revisions or (),
    )
    return structs.replace(found, sentences=sentences(found))


def _adjustments(before: PastUser, after: PastUser) -> Iterable[ChangedAdjustment]:
    was = {row.adjustment_id: row.undone_by is not None for row in before.adjustments}
    for row in after.adjustments:
        undone = row.undone_by is not None
        if was.get(row.adjustment_id) != undone:
            yield ChangedAdjustment(id=row.adjustment_id, kind=row.kind, undone=undone)


def sentences(found: UserDifference) -> list[str]:
    """A difference in words, a sentence for each kind of change; one sentence if there is none."""
    said = [_changed("Points", found.points, _parts(found.parts)), _changed("Level", found.level)]
    said += [_changed("Balance", found.balance)] if found.balance else []
    said += [
        f"{what} badges: {', '.join(names)}."
        for what, names in (("Earned", found.gained), ("Lost", found.lost))
        if names
    ]
    said += [_changed(f"Streak {name}", pair) for name, pair in found.streaks.items()]
    if found.events:
        said.append(f"Recorded events: {len(found.events)}.")
    for one in found.adjustments:
        said.append(f"{'Undone' if one.undone else 'Made'}: the adjustment {one.id} ({one.kind}).")
    said += [f"Amnesty made or lifted: {name}." for name in found.amnesties]
    said += [f"Revision {number} of the catalog was put in force." for number in found.catalogs]
    return [sentence for sentence in said if sentence] or ["Nothing changed."]


def _changed(what: str, pair: Numbers, why: str = "") -> str:
    """As in 'Points: from 120 to 180 (+60): +50 badge "x", +10 rule "y".'."""
    if pair.before == pair.after and not why:
        return ""
    return f"{what}: from {pair.before:,} to {pair.after:,} ({pair.after - pair.before:+,}){why}."


def _parts(parts: Sequence[PointsPart]) -> str:
    shown = [f"{part.amount:+,} {REASONS.get(part.reason, part.reason).format(ref=part.ref)}" for part in parts]
    return f": {', '.join(shown)}" if shown else ""
