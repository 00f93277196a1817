"""Users as they were: what was stored at an earlier revision, and what a read at that time answered.

Events, adjustments and ledger entries are never deleted, and each has the revision and time of its recording; `former.py` stores
what else changes. So the state at a revision is computed as a rebuild computes the present one, from the rows that there were.
Then the user is brought under the rules and amnesties of the time of the read by the command that a read runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from laurels.commands.adjustments import UNDONE
from laurels.commands.former_catalogs import FormerCatalogs, Rules
from laurels.commands.rows import active_events, amnesty_days, dated, rebuilt_manual_state
from laurels.commands.unit_of_work import DecisionContext, UnitOfWork
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.elapsing import is_due
from laurels.engine.judge import recomputed
from laurels.engine.progress import ManualState, Progress, earned_by, limited
from laurels.engine.values import plain
from laurels.engine.zones import Zones
from laurels.storage.contract import (
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    EventRow,
    FormerAward,
    FormerState,
    LedgerRow,
    Loaded,
    UserRow,
    UserSnapshot,
    amnesty_count,
)
from laurels.storage.secrets import Keyring

NOT_REFRESHED = -1
"""In place of the number of amnesty changes that a user's streaks include, where it is not known: all are looked at again."""


@plain
class UserRecord:
    """All that is stored about a user: the rows as they are now, and the former states until then."""

    snapshot: UserSnapshot
    former: Sequence[FormerState]
    keyring: Keyring
    days_at: dict[int, Mapping[str, Days]] = field(
        default_factory=dict[int, Mapping[str, Days]], compare=False, repr=False
    )
    """The days of all streaks at revisions, as far as they were computed: a retired streak needs those of an earlier one."""

    @property
    def user(self) -> UserRow:
        """The user now."""
        return self.snapshot.user


@plain
class PastUser:
    """A user as a read saw them, with the rows that there were, in the order of their revisions."""

    row: UserRow
    events: Sequence[EventRow]
    adjustments: Sequence[AdjustmentRow]
    awards: Sequence[AwardRow]
    ledger: Sequence[LedgerRow]


def instants(record: UserRecord) -> Iterator[tuple[int, datetime]]:
    """(revision, when it was recorded), as far as the rows tell: in any order, with repetitions."""
    snapshot = record.snapshot
    yield from ((row.revision, row.recorded_at) for row in snapshot.events)
    yield from ((row.revision, row.at) for row in snapshot.ledger)
    yield from ((row.revision, row.at) for row in record.former)
    for row in snapshot.adjustments:
        yield row.revision, row.at
        if row.undone_by is not None and UNDONE in row.data:
            yield row.undone_by, datetime.fromisoformat(row.data[UNDONE]["at"])


def revision_at(record: UserRecord, at: datetime) -> int:
    """The newest revision that a read at this time can have seen: the one before the first that was recorded later.

    Revisions are written in order, and none before the time at which it was recorded. So this holds where a change that was
    accepted earlier was written later, too.
    """
    later = [revision for revision, recorded in instants(record) if recorded > at]
    return min([record.user.revision + 1, *later]) - 1


# ---- rows of an earlier revision ----------------------------------------------------------------


@plain
class _Described:
    """What a user's row said at a revision."""

    zones: Zones
    joined_at: datetime | None
    groups: tuple[str, ...]
    rules: str


def _described(record: UserRecord, revision: int) -> _Described:
    for state in record.former:
        if state.revision > revision:
            return _Described(state.zones, state.joined_at, state.groups, state.rules)
    user = record.user
    return _Described(user.progress.zones.corrected(()), user.progress.joined_at, user.groups, user.rules)


def adjustments_at(record: UserRecord, revision: int) -> list[AdjustmentRow]:
    """The adjustments that there were, with those in force that were undone later."""
    return [
        replace(row, undone_by=None, data={key: value for key, value in row.data.items() if key != UNDONE})
        if row.undone_by is not None and row.undone_by > revision
        else row
        for row in record.snapshot.adjustments
        if row.revision <= revision
    ]


def _events_at(record: UserRecord, revision: int, adjustments: Sequence[AdjustmentRow]) -> list[EventRow]:
    """The events that were recorded, each reversed or not as it was then."""
    ever = {row.data["event"] for row in record.snapshot.adjustments if row.kind == "reversal"}
    active = {row.data["event"]: row for row in adjustments if row.kind == "reversal" and row.undone_by is None}
    events: list[EventRow] = []
    for row in record.snapshot.events:
        if row.revision > revision:
            continue
        reversal = active.get(row.event.id)
        by = max(reversal.revision, row.revision) if reversal else None
        if row.event.id not in ever and row.reversed_by is not None and row.reversed_by <= revision:
            by = row.reversed_by
        events.append(row if by == row.reversed_by else replace(row, reversed_by=by))
    return events


def awarded_at(record: UserRecord) -> list[tuple[str, int, int]]:
    """(badge, first revision, revision before which it ended) of each award, under the names of then."""
    return [(award.badge, first, until) for award, _, first, until in _spans(record)]


def _spans(record: UserRecord) -> list[tuple[AwardRow, int | None, int, int]]:
    """Each award as it was: with when it was earned, from which revision on, and before which revision it ended."""
    user = record.user
    ends = [(former, state.revision) for state in record.former for former in state.awards]
    rows = [(former.award, former.earned_at, until) for former, until in ends]
    rows += [(award, user.earned.get(award.badge), user.revision + 1) for award in record.snapshot.awards]
    return [
        (award, earned_at, max([award.revision, *_ends_before(award, until, ends)]), until)
        for award, earned_at, until in rows
    ]


def _awards_at(record: UserRecord, revision: int) -> tuple[list[AwardRow], dict[str, int]]:
    """The awards that there were, under the names of then, and when each badge was earned, as far as that is stored."""
    found = [(award, earned_at) for award, earned_at, first, until in _spans(record) if first <= revision < until]
    found.sort(key=lambda pair: (pair[0].revision, pair[0].badge))
    return [award for award, _ in found], {award.badge: at for award, at in found if at is not None}


def _ends_before(award: AwardRow, until: int, ends: Sequence[tuple[FormerAward, int]]) -> list[int]:
    """When earlier rows of this award, or of the same badge, ended: it was as it is only from then on."""
    return [end for former, end in ends if end < until and award.badge in (former.award.badge, former.renamed)]


# ---- the user at a revision ---------------------------------------------------------------------


def user_at(
    record: UserRecord, revision: int, catalogs: FormerCatalogs, amnesties: Sequence[AmnestyRow], *, is_refreshed: bool
) -> PastUser:
    """The user as stored at a revision, under the rules under which they were judged then.

    `amnesties` are those of the time of the read; `is_refreshed`: the user includes all of them.
    """
    described, adjustments = _described(record, revision), adjustments_at(record, revision)
    awards, earned = _awards_at(record, revision)
    ledger = [row for row in record.snapshot.ledger if row.revision <= revision]
    catalog = catalogs.judged_by(described.rules)
    amnesty = ManualState(amnesty=amnesty_days(amnesties, described.groups))
    events = _events_at(record, revision, adjustments)
    manual = rebuilt_manual_state(events, adjustments, amnesty, described.zones, catalog)
    zones, now = described.zones.corrected(manual.corrections), record.user.progress.zones
    events = [dated(row, zones, now) for row in events]
    given = Progress(
        days=_retired_days(record, revision, catalogs, catalog),
        zones=zones,
        joined_at=described.joined_at,
        manual=manual,
        badges={award.badge: award.points for award in awards},
    )
    points, beyond = limited(earned_by(ledger))
    progress = replace(recomputed(catalog, given, active_events(events)), points=points, beyond=beyond)
    row = replace(
        record.user,
        revision=revision,
        rules=described.rules,
        progress=progress,
        groups=described.groups,
        amnesties=amnesty_count(amnesties) if is_refreshed else NOT_REFRESHED,
        earned=earned,
        erase_at=None,
    )
    return PastUser(row, events, adjustments, awards, ledger)


def _retired_days(record: UserRecord, revision: int, catalogs: FormerCatalogs, catalog: Catalog) -> Mapping[str, Days]:
    """The days of retired streaks: those that the user had when they came under a catalog that retires them."""
    found: dict[str, Days] = {}
    for name in [name for name, streak in catalog.streaks.items() if streak.retired]:
        days = _days_before_retiring(record, revision, catalogs, catalog, name)
        if days is not None:
            found[name] = days
    return found


def _days_before_retiring(
    record: UserRecord, revision: int, catalogs: FormerCatalogs, catalog: Catalog, name: str
) -> Days | None:
    for state in reversed([state for state in record.former if state.revision <= revision]):
        before = catalogs.judged_by(state.rules)
        names = [one for one in before.streaks if catalog.renames.streak(one) == name]
        if names and not before.streaks[names[0]].retired:
            return _days_at(record, state.revision - 1, catalogs).get(names[0])
    later = [state.rules for state in record.former if state.revision > revision]
    stayed = all(_retires(catalogs.judged_by(rules), catalog, name) for rules in (*later, record.user.rules))
    now = catalogs.judged_by(record.user.rules).renames.streak(name)
    return record.user.progress.days.get(now) if stayed else None


def _days_at(record: UserRecord, revision: int, catalogs: FormerCatalogs) -> Mapping[str, Days]:
    """The days of all streaks at a revision. Amnesties are left out: they change no days on which something was done."""
    if revision not in record.days_at:
        record.days_at[revision] = user_at(record, revision, catalogs, (), is_refreshed=True).row.progress.days
    return record.days_at[revision]


def _retires(other: Catalog, catalog: Catalog, name: str) -> bool:
    """Whether another catalog retires the streak that this one has under this name."""
    current = catalog.renames.streak
    names = [one for one in other.streaks if current(one) == name or other.renames.streak(name) == one]
    return any(other.streaks[one].retired for one in names)


# ---- as a read saw it ---------------------------------------------------------------------------


def amnesties_at(amnesties: Sequence[AmnestyRow], at: datetime) -> list[AmnestyRow]:
    """The amnesties that there were, with those in force that were lifted later."""
    return [
        replace(row, lifted_at=None) if row.lifted_at is not None and row.lifted_at > at else row
        for row in amnesties
        if row.created_at <= at
    ]


def as_read(record: UserRecord, catalogs: FormerCatalogs, at: datetime) -> PastUser:
    """The user as a read at this time saw them, by what was recorded until then."""
    amnesties, rules = amnesties_at(record.snapshot.amnesties, at), catalogs.in_force(at)
    past = as_read_at(record, catalogs, revision_at(record, at), amnesties, at)
    return _refreshed(record, past, rules, amnesties, at) if is_due(rules.catalog, past.row.progress, at) else past


def as_read_at(
    record: UserRecord, catalogs: FormerCatalogs, revision: int, amnesties: Sequence[AmnestyRow], at: datetime
) -> PastUser:
    """The same at a given revision, without the badges that time alone earned since: only a read awards these."""
    is_refreshed = _includes_all(record, revision, amnesties)
    past = user_at(record, revision, catalogs, amnesties, is_refreshed=is_refreshed)
    rules = catalogs.in_force(at)
    if past.row.rules == rules.catalog.rules and is_refreshed:
        return past
    return _refreshed(record, past, rules, amnesties, at)


def _refreshed(
    record: UserRecord, past: PastUser, rules: Rules, amnesties: Sequence[AmnestyRow], at: datetime
) -> PastUser:
    """The user after the command that a read runs."""
    work = work_on(record, past, rules, amnesties)
    work.user(past.row.user_id, at)
    return worked(work, past)


def is_as_stored(record: UserRecord, catalogs: FormerCatalogs, revision: int, at: datetime) -> bool:
    """Whether a read at this time saw the user as stored at this revision, under the same rules and amnesties."""
    if _described(record, revision).rules != catalogs.in_force(at).catalog.rules:
        return False
    return _includes_all(record, revision, amnesties_at(record.snapshot.amnesties, at))


def _includes_all(record: UserRecord, revision: int, amnesties: Sequence[AmnestyRow]) -> bool:
    """Whether the user was changed after the last change of an amnesty, and so includes all of them."""
    changed = [at for row in amnesties for at in (row.created_at, row.lifted_at) if at is not None]
    known = [at for number, at in instants(record) if number <= revision]
    return not changed or max([record.user.created_at, *known]) > max(changed)


def work_on(record: UserRecord, past: PastUser, rules: Rules, amnesties: Sequence[AmnestyRow]) -> UnitOfWork:
    """A transaction that has loaded the user as they were, and whose changes no one writes."""
    user_id = past.row.user_id
    loaded = Loaded(
        users={user_id: past.row},
        events={},
        erased=frozenset(),
        adjustments={user_id: past.adjustments},
        histories={user_id: past.events},
        awards={user_id: past.awards},
        ledgers={user_id: past.ledger},
        amnesties=amnesties,
        amnesty_count=amnesty_count(amnesties),
        catalog=rules.key,
        keyring=record.keyring,
        supplies=rules.catalog.limited,  # how many copies others had then is not known: none is taken by a read of the past
    )
    return UnitOfWork(DecisionContext(rules.catalog, revision=rules.key), loaded)


def worked(work: UnitOfWork, past: PastUser) -> PastUser:
    """The user after what was done in a transaction."""
    user_id = past.row.user_id
    changed = work.changes().users
    awards = sorted(work.award_rows(user_id).values(), key=lambda award: (award.revision, award.badge))
    return PastUser(
        changed[0] if changed else past.row,
        work.history(user_id),
        work.adjustments(user_id),
        awards,
        work.ledger(user_id),
    )
