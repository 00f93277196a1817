"""Verifying a user: the stored state against a rebuild of it from events, adjustments and the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from laurels.commands.rank_changes import places_of
from laurels.commands.references import rows_with_references
from laurels.commands.rows import active_events, counted_again, dated
from laurels.commands.unit_of_work import amnesty_days, earned
from laurels.commands.users import rebuilt_manual_state
from laurels.engine.catalog import Catalog
from laurels.engine.elapsing import as_of
from laurels.engine.judge import rebuild
from laurels.engine.progress import Progress, earned_by, limited, spent_by
from laurels.engine.ranking import WITHIN
from laurels.engine.scoring import (
    CLOCKS_APART,
    comparable,
    is_closed,
)
from laurels.engine.zones import Zones
from laurels.errors import UserNotFound
from laurels.present.verification import Comparison, Difference
from laurels.service.closed_lines import closed_periods, wrong_lines
from laurels.service.core import Core
from laurels.storage.contract import UserSnapshot, amnesty_count

NEWEST_CLOSED = 1000
"""How many closed periods of a leaderboard are read, newest first. Older ones are closed by the clock of every process."""

FIELDS = (
    *("totals", "days", "capped", "partial", "folds", "badges", "points", "beyond", "manual", "scores"),
    *("latest", "values", "values_within", "board_days", "reached_at", "stages"),
)
"""The fields of a user's progress that are compared."""


async def verify_user(core: Core, user_id: str) -> Comparison:
    """Bring a user up to date if needed, and compare the stored state with a rebuild. Raises UserNotFound."""
    snapshot = await _snapshot(core, user_id)
    if await _is_outdated(core, snapshot):
        await core.refreshed(user_id)
        snapshot = await _snapshot(core, user_id)
    return await _compared(core, snapshot)


async def compare_user(core: Core, user_id: str) -> Comparison | None:
    """The same without writing anything; None for a user who is outdated. Raises UserNotFound."""
    snapshot = await _snapshot(core, user_id)
    return None if await _is_outdated(core, snapshot) else await _compared(core, snapshot)


async def _snapshot(core: Core, user_id: str) -> UserSnapshot:
    if (snapshot := await core.store.user_snapshot(user_id)) is None:
        raise UserNotFound
    await core.rules.follow(snapshot.catalog)
    events = rows_with_references(core.catalog, await core.store.keyring(), snapshot.events)
    return replace(snapshot, events=events)


async def _is_outdated(core: Core, snapshot: UserSnapshot) -> bool:
    return core.is_outdated(snapshot.user, amnesty_count(snapshot.amnesties), await core.now())


async def _compared(core: Core, snapshot: UserSnapshot) -> Comparison:
    """The comparison at this time, or at the time of the newest thing that was recorded of the user, if that is later."""
    now, newest = await core.now(), _newest(snapshot)
    differences = await _differences(core, snapshot, max(now, newest))
    return Comparison(differences=differences, ahead_of_clock=newest if newest - now > CLOCKS_APART else None)


def _newest(snapshot: UserSnapshot) -> datetime:
    """When the newest event, adjustment, award or ledger entry was recorded."""
    instants = [snapshot.user.created_at]
    instants += [row.recorded_at for row in snapshot.events] + [row.at for row in snapshot.adjustments]
    instants += [row.awarded_at for row in snapshot.awards] + [row.at for row in snapshot.ledger]
    return max(instants)


async def _differences(core: Core, snapshot: UserSnapshot, now: datetime) -> list[Difference]:
    """The differences, without standings in periods that a process with a faster clock, or an older catalog, closed."""
    catalog = core.catalog
    found = differences(catalog, snapshot, now)
    of_closed = [line.difference() for line in await wrong_lines(closed_periods(core), snapshot)]
    if not any(difference.what == "standings" for difference in found):
        return [*found, *of_closed]
    boards = {partition.partition(WITHIN)[0] for partition, _ in places_of(catalog, snapshot.user, now)}
    closed = {(board, row.period) for board in boards for row in await core.store.closings(board, NEWEST_CLOSED)}
    return [*differences(catalog, snapshot, now, closed), *of_closed]


def differences(
    catalog: Catalog, snapshot: UserSnapshot, now: datetime, closed: Collection[tuple[str, str]] = ()
) -> list[Difference]:
    """How a user's stored state differs from a rebuild.

    `closed` are (leaderboard, period) pairs that were closed although they are open by this clock and catalog.
    """
    truth = _truth(catalog, snapshot, now)
    history = active_events(snapshot.events)
    # Who gets a copy of a limited badge does not follow from one user, so no one is missing it.
    rebuilt = rebuild(catalog, truth, history, now, none_left=catalog.limited).progress
    stored = comparable(catalog, snapshot.user.progress, rebuilt, now)
    pairs: list[tuple[str, Any, Any]] = [(name, getattr(stored, name), getattr(rebuilt, name)) for name in FIELDS]
    pairs.append(("awards", truth.badges, rebuilt.badges))
    pairs.append(("sum of the ledger", truth.earned, rebuilt.earned))
    pairs.append(("spends in the ledger", spent_by(snapshot.ledger), rebuilt.manual.spent))
    pairs.append(("standings", *_standings(catalog, snapshot, now, closed)))
    pairs.append(("days of events", *_days_of_events(snapshot, truth.zones)))
    user_id = snapshot.user.user_id
    return [
        Difference(user_id=user_id, what=what, stored=_text(old, new), rebuilt=_text(new, old))
        for what, old, new in pairs
        if old != new
    ]


def _truth(catalog: Catalog, snapshot: UserSnapshot, now: datetime) -> Progress:
    """What a rebuild starts from: adjustments, awards, ledger and scores as their own tables have them."""
    stored, events, entries = snapshot.user.progress, active_events(snapshot.events), earned(snapshot.ledger)
    points, beyond = limited(earned_by(snapshot.ledger))
    before = replace(stored.manual, amnesty=amnesty_days(snapshot.amnesties, snapshot.user.groups))
    manual = rebuilt_manual_state(list(snapshot.events), list(snapshot.adjustments), before, stored.zones, catalog)
    truth = replace(
        stored,
        zones=stored.zones.corrected(manual.corrections),
        manual=manual,
        badges={award.badge: award.points for award in snapshot.awards},
        points=points,
        beyond=beyond,
    )
    truth = as_of(catalog, truth, now, snapshot.user.earned)
    return counted_again(catalog, truth, events, entries, now)


def _standings(
    catalog: Catalog, snapshot: UserSnapshot, now: datetime, closed: Collection[tuple[str, str]]
) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """The standings in open periods: as stored, and as the user's row gives them."""
    stored = {key: place for key, place in snapshot.standings.items() if not is_closed(catalog, *key, now)}
    expected = {
        (partition, period): place
        for (partition, period), place in places_of(catalog, snapshot.user, now).items()
        if (partition.partition(WITHIN)[0], period) not in closed
    }
    return stored, expected


def _days_of_events(snapshot: UserSnapshot, zones: Zones) -> tuple[Mapping[str, int | None], Mapping[str, int | None]]:
    """The stored days that do not follow from the zones, by the id of the event, and those that do."""
    pairs = [(row.event, dated(row, zones, zones).event) for row in snapshot.events]
    wrong = [(stored, right) for stored, right in pairs if stored.day != right.day]
    return {stored.id: stored.day for stored, _ in wrong}, {right.id: right.day for _, right in wrong}


def _text(value: Any, other: Any) -> str:
    """A value that differs from another one, as text; for a mapping, only the entries that differ."""
    if not isinstance(value, Mapping):
        return repr(value)
    mine, theirs = cast(Mapping[str, Any], value), cast(Mapping[str, Any], other)
    shown: Sequence[str] = [f"{key}: {mine[key]}" for key in mine if mine[key] != theirs.get(key)]
    return ", ".join(shown) or "nothing"
