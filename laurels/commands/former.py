"""What a transaction must store of users as they were before it, so that the past can be read.

Events, adjustments and ledger entries keep their revision and time, so they tell what was known when. A user's row and awards do
not: what a revision changes in them is stored here, once for each user and transaction, and only where something changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from laurels.engine.renames import Renames
from laurels.storage.contract import Changes, FormerAward, FormerState, Loaded, UserRow


def former_states(
    found: Loaded, changes: Changes, latest: Callable[[str], datetime], renames: Renames
) -> list[FormerState]:
    """The former states of the users that were changed. `latest` is when the transaction changed a user last."""
    states: list[FormerState] = []
    for user in changes.users:
        before = found.users.get(user.user_id)
        if before is None or (user.earned is before.earned and _is_same(before, user)):
            continue  # the case of most events
        revoked = {badge for user_id, badge in changes.revoked if user_id == user.user_id}
        awards = _ended(found, before, user, revoked, renames)
        if awards or not _is_same(before, user):
            states.append(_former(found, before, user, latest(user.user_id), awards))
    return states


def _is_same(before: UserRow, after: UserRow) -> bool:
    """Whether what a former state stores is the same, but for awards. Corrections of zones are adjustments."""
    old, new = before.progress, after.progress
    return (
        before.rules == after.rules
        and (old.zones is new.zones or old.zones.corrected(()) == new.zones.corrected(()))
        and old.joined_at == new.joined_at
        and before.groups == after.groups
    )


def _ended(
    found: Loaded, before: UserRow, after: UserRow, revoked: Collection[str], renames: Renames
) -> tuple[FormerAward, ...]:
    """The awards that were taken, or that have another event or date now. They were loaded by whatever changes them."""
    return tuple(
        FormerAward(award, before.earned.get(award.badge), renames.badges.get(award.badge))
        for award in found.awards.get(before.user_id, ())
        if award.badge in revoked or after.earned.get(award.badge) != before.earned.get(award.badge)
    )


def _former(
    found: Loaded, before: UserRow, after: UserRow, at: datetime, awards: tuple[FormerAward, ...]
) -> FormerState:
    of_amnesties = {row.for_group for row in found.amnesties}
    groups = tuple(group for group in before.groups if group in of_amnesties)
    zones, joined_at = before.progress.zones.corrected(()), before.progress.joined_at
    return FormerState(before.user_id, after.revision, at, zones, joined_at, groups, before.rules, awards)
