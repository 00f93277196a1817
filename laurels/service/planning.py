"""Planning: what putting a catalog in force would do over all users, without storing anything.

Users are read in pieces, while others write. What happens to a user is computed by the code that would do it: the same command
on the same rows, whose changes are dropped. Where the stored progress suffices, the events of users are not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from time import perf_counter
from typing import cast

from laurels.commands.context import DecisionContext
from laurels.commands.rank_changes import places_of
from laurels.commands.rows import active_events
from laurels.commands.unit_of_work import UnitOfWork
from laurels.engine.badges import Badge
from laurels.engine.boost_warnings import boost_warnings
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.elapsing import as_of, is_due
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.pay_changes import Under, paid_under, pay_changes
from laurels.engine.plans import (
    Effect,
    Side,
    changed_conditions,
    effect,
    keeps_badges,
    possibly_due,
    progress_under,
    suffices,
    unqualified,
    without_copy,
)
from laurels.engine.progress import Change, Progress
from laurels.engine.ranking import WITHIN, Place
from laurels.engine.recounting import recount_of, recounted, recounted_totals
from laurels.engine.scoring import Key, is_closed
from laurels.engine.warnings import warnings
from laurels.errors import PlanOutdated
from laurels.present.plans import Basis, CatalogPlan, PlannedPay, PlannedUser, planned_user
from laurels.service.closed_periods import after_closings, closed_before
from laurels.service.core import Core
from laurels.service.plan_copies import PlannedCopies
from laurels.service.plan_recounts import RECOUNTED, RowWithTotals, events_of
from laurels.service.plan_tokens import PlanToken, Totals, token_text
from laurels.service.plan_totals import PlanTotals
from laurels.service.revisions import Proposal, at_stake, next_revision, parsed, parsed_or_none
from laurels.storage.contract import (
    UNBOUND,
    Loaded,
    LoadRequest,
    OtherRevision,
    Principal,
    RevisionKey,
    StoredEvents,
    StoredUser,
    UserRow,
    amnesty_count,
)
from laurels.storage.secrets import Keyring

PAGE = 1000
"""How many users are read at once."""

TOGETHER = 5000
"""About how many revisions of users are read at once with everything that belongs to them."""

INFLATION = 20
"""By how many percent the points of all users may grow before a plan warns of it."""

SAMPLE = 100
"""How many users are computed from their events to estimate how long applying takes."""

WRITING = 2
"""How many times as long as computing a user from events it takes to write them, too: an estimate, to show minutes or hours."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The catalogs of a plan: the one in force, and the one that would follow, as it would be after its periods are closed."""

    base: RevisionKey
    present: Catalog
    following: Catalog
    at: datetime


class Planning:
    """One plan. `each` is called for every affected user, in the order of their ids, and `progress` with the users done."""

    def __init__(
        self,
        core: Core,
        planned: Planned,
        each: Callable[[PlannedUser], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._core, self._planned = core, planned
        self._each, self._progress = each, progress
        present, following = planned.present, planned.following
        self._changed: tuple[Badge, ...] = changed_conditions(present, following)
        self._candidates = possibly_due(present, following)
        self._needs_rows = bool(following.timed or following.chains)
        self._levels = (present.levels, following.levels)
        self._pay_changes = pay_changes(present, following, planned.at)
        self._paid: dict[str, Sequence[Under]] = {}
        self._same_levels = present.levels.thresholds == following.levels.thresholds
        self.basis: Basis = "events"
        paying = [rule for change in self._pay_changes for rule in (*change.kept, *change.new)]
        self._recount = recount_of(present, following, paying)
        if present.rules == following.rules:
            self.basis = "nothing"
        elif suffices(present, following) or (self._recount and self._recount.is_nothing):
            self.basis, self._recount = "progress", None
        elif self._recount:
            self._candidates = tuple(dict.fromkeys((*self._candidates, *self._recount.badges)))
        self.totals = PlanTotals(planned.present.levels.number)
        self._full_seconds, self._full_users = 0.0, 0
        self.copies = PlannedCopies(present, following)

    async def run(self) -> None:
        """Compute the plan. Raises OtherRevision if another catalog is put in force meanwhile."""
        await self.copies.read(self._core)
        after = ""
        while page := await self._core.store.users_after(after, PAGE):
            await self._add_page(page)
            after = page[-1].user_id
            if self._progress:
                self._progress(self.totals.users)
        if await self._core.store.catalog_key() != self._planned.base:
            raise OtherRevision

    async def _add_page(self, page: Sequence[StoredUser]) -> None:
        """Add a page of users, in order: those whose progress suffices at once, the others with everything they have."""
        if self.basis == "nothing":
            for row in page:
                self.totals.add_unaffected(row.points)
            return
        count = amnesty_count(await self._core.store.amnesties())
        if self._planned.following.limited:
            await self._add_in_order(page, count)
            await self._sample(page)
            return
        found, missing = dict[str, Effect | int](), list[StoredUser]()
        for rows in _together(page, RECOUNTED) if self._recount else [page]:
            read = await self._events_to_recount(rows)
            some, others = await asyncio.to_thread(self._from_progress, rows, count, read)
            found |= some
            missing += others
        if self._recount:
            self.totals.from_events += len(found)
        for batch in _together(missing):
            full = await self._from_events([row.user_id for row in batch])
            self.totals.from_events += len(full)
            found |= full
        await self._sample(page)
        for row in page:
            if row.user_id in found:
                self._add(row.user_id, found[row.user_id])

    async def _events_to_recount(self, rows: Sequence[StoredUser]) -> StoredEvents | None:
        """The events of users that what differs concerns; None without one."""
        recount = self._recount
        if not recount or not recount.types:
            return None
        first, last = rows[0].user_id, rows[-1].user_id
        return await self._core.store.events_of_types(first, last, recount.types, data=recount.reads_data)

    async def _add_in_order(self, page: Sequence[StoredUser], count: int) -> None:
        """Add a page of users, each with the copies of limited badges that those before left."""

        def needs_events(row: StoredUser) -> bool:
            return self.basis == "events" or self._is_outdated(row, count)

        for needed, rows in groupby(page, needs_events):
            some = list(rows)
            self.totals.outdated += sum(self._is_outdated(row, count) for row in some)
            for batch in _together(some) if needed else [[row] for row in some]:
                effect = None if needed else self._effect_on(batch[0].row)
                if effect is not None:
                    self._add(batch[0].user_id, effect)
                    continue
                found = await self._from_events([row.user_id for row in batch])
                self.totals.from_events += len(found)
                for row in batch:
                    if row.user_id in found:
                        self._add(row.user_id, found[row.user_id])

    def _add(self, user_id: str, effect: Effect | int) -> None:
        self.totals.add_pay(self._paid.pop(user_id, ()))
        if isinstance(effect, int):
            self.totals.add_unaffected(effect)
        elif self.totals.add(effect) and self._each:
            self._each(planned_user(effect))

    def _from_progress(
        self, page: Sequence[StoredUser], count: int, read: StoredEvents | None
    ) -> tuple[dict[str, Effect | int], list[StoredUser]]:
        """What is known from the rows: effects by user (a number, the points, where nothing changes), and the other rows."""
        found: dict[str, Effect | int] = {}
        missing: list[StoredUser] = []
        for row in page:
            is_outdated = self._is_outdated(row, count)
            self.totals.outdated += is_outdated
            events = () if read is None or self._recount is None or is_outdated else events_of(self._recount, row, read)
            if is_outdated or events is None or (self.basis == "events" and not self._recount):
                missing.append(row)
            elif (seen := self._at_a_glance(row, events)) is not None:
                found[row.user_id] = seen
            elif (effect := self._effect_on(row.row, events)) is None:
                missing.append(row)
            else:
                found[row.user_id] = effect
        return found, missing

    def _at_a_glance(self, row: StoredUser, events: Sequence[Event]) -> Effect | int | None:
        """What changes for a user who is up to date, where few fields of the row tell: most rows are decoded no further."""
        progress, (before, after) = cast(Progress, row), self._levels
        if self._recount:
            if not self._recount.is_of_totals:
                return None
            progress = cast(Progress, RowWithTotals(row, recounted_totals(self._recount, progress.totals, events)))
        if (
            self._pay_changes
            or self._needs_rows
            or not row.knows_board_days
            or not keeps_badges(self._planned.following, progress, self._candidates)
        ):
            return None
        points = row.points
        if not self._same_levels and before.number(points) != after.number(points):
            return None
        not_met = unqualified(self._changed, progress) if self._changed else ()
        if not not_met:
            return points
        level = after.number(points)
        return Effect(row.user_id, Change(points, points), Change(level, level), unqualified=not_met)

    def _is_outdated(self, row: UserRow | StoredUser, amnesties: int) -> bool:
        present = self._planned.present
        if row.rules != present.rules or row.amnesties != amnesties:
            return True
        if not present.timed:
            return False
        whole = row if isinstance(row, UserRow) else row.row
        return is_due(present, whole.progress, self._planned.at)

    def _effect_on(self, row: UserRow, events: Sequence[Event] = ()) -> Effect | int | None:
        """What changes for a user, by the stored progress and the events that are counted again; None if that does not tell."""
        present, following, at = self._planned.present, self._planned.following, self._planned.at
        recount = self._recount
        row = replace(row, progress=as_of(following, row.progress, at, row.earned))
        if recount and recount.streaks and row.progress.manual.grants:
            return None  # on which day a freeze was given is for adjustments to tell
        none_left = self.copies.none_left(row.progress)
        counted = recounted(recount, following, row.progress, events) if recount else row.progress
        progress = progress_under(following, row.progress, at, self._candidates, none_left, counted)
        if progress is None or _is_lost(following, row.progress, progress):
            return None
        self._note_pay(row.user_id, row.progress, progress, events)
        self.copies.move(row.progress, progress)
        paid = progress.earned != row.progress.earned
        streaks = bool(recount and recount.streaks)
        if (
            not (paid or streaks)
            and progress.badges == row.progress.badges
            and self._same_levels
            and not unqualified(self._changed, progress)
            and not without_copy(following, progress)
        ):
            return progress.points
        nowhere: Mapping[Key, Place] = {}
        before = after = nowhere
        if paid:
            before, after = places_of(present, row, at), places_of(following, replace(row, progress=progress), at)
        sides = Side(present, row.progress, before), Side(following, progress, after)
        return effect(row.user_id, *sides, at, events=streaks, changed=self._changed)

    async def _sample(self, page: Sequence[StoredUser]) -> None:
        """Compute a few users from their events if no one was yet, only to know how long it takes."""
        if not self._full_users:
            with self.copies.kept():
                await self._from_events([row.user_id for row in next(_together(page[:SAMPLE]))])

    async def _from_events(self, users: Sequence[str]) -> Mapping[str, Effect]:
        """What changes for these users, by all that is stored of them. Those who were erased meanwhile are left out."""
        began = perf_counter()
        request = LoadRequest(
            frozenset(users), frozenset(), self._planned.following.rules, in_full=frozenset(users), ranks=False
        )
        loaded = await self._core.store.load(request)
        if loaded.catalog != self._planned.base:
            raise OtherRevision
        found = await asyncio.to_thread(self._effects, loaded)
        self._full_seconds += perf_counter() - began
        self._full_users += len(found)
        return found

    def _effects(self, loaded: Loaded) -> dict[str, Effect]:
        present, following, at = self._planned.present, self._planned.following, self._planned.at
        stale = {name for name, row in loaded.users.items() if self._is_outdated(row, loaded.amnesty_count)}
        before = dict(loaded.users) | self._under(present, loaded, stale)
        after = self._under(following, loaded, loaded.users)
        found: dict[str, Effect] = {}
        for name, row in before.items():
            stored = loaded.standings.get(name) if name not in stale else None
            old = places_of(present, row, at) if stored is None else _open(following, stored, at)
            new = places_of(following, after[name], at)
            sides = Side(present, row.progress, old), Side(following, after[name].progress, new)
            found[name] = effect(name, *sides, at, events=True, changed=self._changed)
        if self._pay_changes:
            work = UnitOfWork(DecisionContext(following), loaded)
            for name, row in after.items():
                events = active_events(work.dated_history(name, row.progress.zones))
                self._note_pay(name, before[name].progress, row.progress, events)
        return found

    def _under(self, catalog: Catalog, loaded: Loaded, users: Iterable[str]) -> dict[str, UserRow]:
        """These users as they would be under a catalog, with the copies of limited badges in the order of their ids."""
        work = UnitOfWork(DecisionContext(catalog), replace(loaded, supplies=self.copies.taken[catalog.rules]))
        at = self._planned.at
        found = {
            name: work.any_user(name, at) for name in sorted(users)
        }  # erasing may be undone: then it is theirs, too
        self.copies.taken[catalog.rules] = work.copies.taken
        return found | {row.user_id: row for row in work.changes().users}

    def _note_pay(self, user_id: str, before: Progress, after: Progress, events: Sequence[Event]) -> None:
        """Remember what each change of pay has paid a user."""
        if self._pay_changes:
            renames = self._planned.following.renames
            held = {renames.badge(badge): paid for badge, paid in before.badges.items()}
            self._paid[user_id] = paid_under(self._pay_changes, held, after, events)

    @property
    def pay(self) -> list[PlannedPay]:
        """What pays something else, with the totals under each choice."""
        return self.totals.pay(self._pay_changes)

    @property
    def apply_seconds(self) -> float:
        """About how long bringing all users under the catalog takes, by the users who were computed from their events."""
        return WRITING * self._full_seconds / self._full_users * self.totals.users if self._full_users else 0.0


def _is_lost(following: Catalog, before: Progress, after: Progress) -> bool:
    """Whether a badge is lost: what it paid is taken from the period in which it counted, which only the ledger tells."""
    return any(following.renames.badge(badge) not in after.badges for badge in before.badges)


def _together(rows: Sequence[StoredUser], most: int = TOGETHER) -> Iterator[Sequence[StoredUser]]:
    """The rows in batches that are small enough to be read with everything that belongs to them."""
    batch, revisions = list[StoredUser](), 0
    for row in rows:
        if batch and revisions + row.revision > most:
            yield batch
            batch, revisions = [], 0
        batch.append(row)
        revisions += row.revision
    if batch:
        yield batch


def _open(catalog: Catalog, stored: Mapping[Key, Place], at: datetime) -> Mapping[Key, Place]:
    """The stored places that do not stay as they are under a catalog: those in periods that are open."""
    names = catalog.renames.boards
    found: dict[Key, Place] = {}
    for (partition, period), place in stored.items():
        board, within, rest = partition.partition(WITHIN)
        if not is_closed(catalog, names.get(board, board) + within + rest, period, at):
            found[partition, period] = place
    return found


async def prepared(core: Core, catalog: Catalog, principal: Principal) -> Planned:
    """The catalogs of a plan. Raises what applying the catalog would raise: CatalogError and CatalogDiffers."""
    now = await core.now()
    state = await core.store.catalog_state(lambda newest: at_stake(newest, catalog))
    row = next_revision(state, Proposal(catalog, now, "plan", "plan", principal)) or state.newest
    await core.rules.follow(state.newest.key if state.newest else None)
    stored = parsed_or_none(state.newest) if state.newest else None
    closings = [*state.closings, *closed_before(state, stored, catalog, now)]
    base = state.newest.key if state.newest else UNBOUND
    following = parsed(row) if row else catalog
    return Planned(base, core.catalog, after_closings(following, closings), now)


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The parameters of `Admin.plan_catalog`."""

    each: Callable[[PlannedUser], None] | None = None
    progress: Callable[[int], None] | None = None
    inflation: int = INFLATION
    silent: bool = False


@dataclass(frozen=True, slots=True)
class BegunPlan:
    """A plan of a catalog that may follow the one in force, before users are read."""

    core: Core
    catalog: Catalog
    planned: Planned
    options: PlanOptions

    async def finish(self) -> CatalogPlan:
        """Read all users, and return the plan. Raises PlanOutdated."""
        began = perf_counter()
        planning = Planning(self.core, self.planned, self.options.each, self.options.progress)
        try:
            await planning.run()
        except OtherRevision:
            raise PlanOutdated("another catalog was put in force while the plan was made; make another plan") from None
        keyring = await self.core.store.keyring()
        return _plan(self, planning, keyring, perf_counter() - began)


async def begin_plan(core: Core, catalog: Catalog, principal: Principal, options: PlanOptions) -> BegunPlan:
    """Begin a plan. Raises what applying the catalog would raise."""
    written = (
        catalog.as_written
    )  # the catalog of an earlier revision has versions of its rules that will not be in force
    return BegunPlan(core, written, await prepared(core, written, principal), options)


async def plan_catalog(core: Core, catalog: Catalog, principal: Principal, options: PlanOptions) -> CatalogPlan:
    """What putting a catalog in force would do. See `Admin.plan_catalog`."""
    return await (await begin_plan(core, catalog, principal, options)).finish()


def _plan(begun: BegunPlan, planning: Planning, keyring: Keyring, seconds: float) -> CatalogPlan:
    catalog, planned, options = begun.catalog, begun.planned, begun.options
    totals = planning.totals
    return CatalogPlan(
        base=planned.base[0] or None,
        rules=planned.following.rules,
        at=planned.at,
        differences=differences(planned.present, catalog),
        warnings=[
            *warnings(planned.present, catalog, planned.at.toordinal()),
            *boost_warnings(planned.present, catalog, planned.at),
            *planning.copies.warnings,
            *totals.warnings(options.inflation),
        ],
        basis=planning.basis,
        users=totals.users,
        affected=totals.affected,
        outdated=totals.outdated,
        from_events=totals.from_events,
        badges=totals.badges,
        points=totals.points,
        pay=planning.pay,
        levels=totals.levels,
        streaks=totals.streaks,
        leaderboards=totals.leaderboards,
        most_affected=totals.most_affected,
        seconds=round(seconds, 3),
        apply_seconds=round(planning.apply_seconds, 3),
        silent=options.silent,
        token=token_text(keyring, _token(planned, catalog, totals, silent=options.silent)),
    )


def _token(planned: Planned, catalog: Catalog, totals: PlanTotals, *, silent: bool) -> PlanToken:
    badges, points = totals.badges, totals.points
    gained, lost = sum(badge.gained for badge in badges), sum(badge.lost for badge in badges)
    # Points as text: JSON's numbers are not exact beyond 2^53 for other readers of it.
    said = Totals(totals.users, totals.affected, gained, lost, str(points.before), str(points.after))
    return PlanToken(*planned.base, catalog.digest, catalog.rules, micros(planned.at), said, silent)
