"""Users: updating one, rebuilding one from events, erasing one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from laurels.commands.audit import Draft
from laurels.commands.rereading import read_again
from laurels.commands.rows import (
    active_events,
    amnesty_days,
    counted_again,
    earned,
    in_no_period,
    manual_state_of,
    rebuilt_manual_state,
)
from laurels.commands.unit_of_work import Command, Needs, UnitOfWork
from laurels.engine.judge import rebuild, rejudge
from laurels.engine.leaderboards import Visibility
from laurels.engine.progress import earned_by, limited, spent_by
from laurels.engine.scoring import comparable
from laurels.engine.zones import Zones
from laurels.errors import UserNotFound, ZoneChangeTooSoon
from laurels.storage.contract import UserRow

FIELDS = ("timeZone", "joinedAt", "name", "groups", "visibility")
"""What can be changed of a user, as the API calls it."""


@dataclass(frozen=True, slots=True)
class UpdateUser:
    """Create or update a user; fields that are UNSET stay.

    Answers the UserRow. Raises UserErased, InvalidInput, ZoneChangeTooSoon. With `lenient_zone`, a zone change that comes
    too soon is ignored instead.
    """

    user_id: str
    at: datetime
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET
    joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    groups: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    visibility: Visibility | msgspec.UnsetType | None = msgspec.UNSET
    lenient_zone: bool = False
    audit: Draft | None = None
    event_id: None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> UserRow:
        return self.apply_to(work.user(self.user_id, self.at), work)

    def apply_to(self, user: UserRow, work: UnitOfWork) -> UserRow:
        """The same for a user whom the transaction has, also one whose erasure is pending."""
        progress = user.progress
        zones = self._zones(work, progress.zones)
        joined_at = progress.joined_at if self.joined_at is msgspec.UNSET else self.joined_at
        name = user.name if self.name is msgspec.UNSET else self.name
        groups = user.groups if self.groups is msgspec.UNSET else self.groups
        visibility = user.visibility if self.visibility is msgspec.UNSET else self.visibility
        before = (progress.zones, progress.joined_at, user.name, user.groups, user.visibility)
        after = (zones, joined_at, name, groups, visibility)
        if work.is_known(self.user_id) and after == before:
            return user
        if self.audit:
            changed_fields = [field for field, old, new in zip(FIELDS, before, after, strict=True) if old != new]
            self.audit.write(
                work, {"fields": changed_fields, **({} if work.is_known(self.user_id) else {"created": True})}
            )
        manual = progress.manual
        if groups != user.groups:
            manual = replace(manual, amnesty=amnesty_days(work.found.amnesties, groups))
        described = replace(user, name=name, groups=groups, visibility=visibility)
        if zones == progress.zones:
            changed = replace(progress, joined_at=joined_at, manual=manual)
            none_left = work.copies.none_left(progress)
            outcome = rejudge(work.context.catalog, progress, changed, self.at, (), none_left)
            if joined_at != progress.joined_at and work.context.catalog.timed:
                work.read_in_order(self.user_id, awarded=[award.badge for award in outcome.awards])
            return work.save(described, outcome, self.at)
        manual = manual_state_of(work.adjustments(self.user_id), manual, zones, work.context.catalog)
        changed = replace(progress, zones=zones, joined_at=joined_at, manual=manual)
        return read_again(work, described, changed, self.at)[0]

    def _zones(self, work: UnitOfWork, zones: Zones) -> Zones:
        if self.time_zone is msgspec.UNSET:
            return zones
        name = str(self.time_zone)  # not a subclass of str, which cannot be stored
        try:
            return zones.changed(name, self.at, has_events=bool(work.history(self.user_id)))
        except ZoneChangeTooSoon:
            if self.lenient_zone:
                return zones
            raise


@dataclass(frozen=True, slots=True)
class RefreshUser:
    """Bring a user under the rules and amnesties in force. Answers the UserRow; raises UserErased."""

    user_id: str
    at: datetime
    event_id: None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> UserRow:
        return work.any_user(self.user_id, self.at)


@dataclass(frozen=True, slots=True)
class RebuildUser:
    """Compute a user again from their events, adjustments and ledger. Answers whether anything stored was different.

    Raises UserErased, UserNotFound.
    """

    user_id: str
    at: datetime
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> bool:
        user = work.any_user(self.user_id, self.at)
        if not work.is_known(self.user_id):
            raise UserNotFound
        catalog = work.context.catalog
        history, ledger, zones = work.history(self.user_id), work.ledger(self.user_id), user.progress.zones
        manual = rebuilt_manual_state(history, work.adjustments(self.user_id), user.progress.manual, zones, catalog)
        zones = zones.corrected(manual.corrections)
        events = active_events(work.dated_history(self.user_id, zones))
        points, beyond = limited(earned_by(ledger))
        truth = replace(
            user.progress,
            zones=zones,
            manual=manual,
            badges=work.awards(self.user_id),
            points=points,
            beyond=beyond,
        )
        truth = counted_again(catalog, truth, events, earned(ledger), self.at)
        none_left = work.copies.none_left(truth)
        outcome = rebuild(catalog, truth, events, self.at, spent=spent_by(ledger), none_left=none_left)
        stored = comparable(catalog, user.progress, outcome.progress, self.at)
        same_days = events == active_events(history)
        if outcome.progress == stored and same_days and not outcome.entries and not outcome.awards:
            return work.check_standings(user, self.at)
        changed = work.save(replace(user, progress=truth), outcome, self.at, counts_at=in_no_period, events=events)
        work.check_standings(changed, self.at)
        return True


def zones_to_set(commands: Iterable[Command]) -> dict[str, list[tuple[str, datetime]]]:
    """User -> the zones that these commands set, and when."""
    zones: dict[str, list[tuple[str, datetime]]] = {}
    for command in commands:
        if isinstance(command, UpdateUser) and command.time_zone is not msgspec.UNSET:
            zones.setdefault(command.user_id, []).append((str(command.time_zone), command.at))
    return zones
