"""How the places of users on leaderboards change in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.ranking import Move, Place
from laurels.engine.scoring import is_closed, may_be_closed, places
from laurels.storage.contract import Loaded, UserRow

Key = tuple[str, str]
"""A partition of a leaderboard, and a period."""


def places_of(catalog: Catalog, user: UserRow, now: datetime) -> Mapping[Key, Place]:
    """The places of this user, by partition and open period. A user who is to be erased has none."""
    if user.erase_at is not None:
        return {}
    return places(catalog, user.user_id, user.progress, user.groups, user.visibility, now)


class RankChanges:
    """The versions of each user in one transaction, and the moves on leaderboards that follow from them."""

    def __init__(self, catalog: Catalog, found: Loaded) -> None:
        self._catalog = catalog
        self._found = found
        self._versions: dict[str, list[tuple[datetime, UserRow]]] = {}
        self._checked: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        """The ids of all users who have a version."""
        return iter(self._versions)

    def note(self, user: UserRow, at: datetime) -> None:
        """Note a version of a user. Periods close on whole seconds, so the last version of each second is enough."""
        versions = self._versions.setdefault(user.user_id, [])
        if versions and versions[-1][0].replace(microsecond=0) == at.replace(microsecond=0):
            versions.pop()
        versions.append((at, user))

    def check(self, user: UserRow, at: datetime) -> None:
        """As `note`, and compare with the stored standings even if nothing changed, so that wrong ones are corrected."""
        self._checked.add(user.user_id)
        self.note(user, at)

    def forget(self, user_id: str) -> None:
        """Drop all versions of a user: one who is erased leaves leaderboards together with all other rows."""
        self._versions.pop(user_id, None)

    def latest(self, user_id: str) -> datetime:
        """The latest instant of a user's versions."""
        return max(at for at, _ in self._versions[user_id])

    def moves(self, user_id: str) -> list[Move]:
        """What this transaction changes for a user on leaderboards.

        What was accepted before a period closed counts in it, whatever else came in the same transaction, in any order.
        """
        catalog, before = self._catalog, self._found.users.get(user_id)
        versions = self._versions[user_id]
        first, last = min(at for at, _ in versions), max(at for at, _ in versions)
        if before and user_id not in self._checked and all(_ranked_alike(before, row) for _, row in versions):
            return []  # the case of most events
        new: dict[Key, Place] = {}
        for at, row in versions:
            closed = {key: place for key, place in new.items() if is_closed(catalog, *key, at)}
            new = closed | dict(places_of(catalog, row, at))
        old = self._old_places(user_id, first)
        return [
            Move(user_id, *key, old.get(key), new.get(key), may_be_closed(catalog, *key, last))
            for key in {**old, **new}
            if old.get(key) != new.get(key)
        ]

    def _old_places(self, user_id: str, at: datetime) -> Mapping[Key, Place]:
        """The places before this transaction: as stored if they were loaded, because they may be of other rules."""
        stored, before = self._found.standings.get(user_id), self._found.users.get(user_id)
        if stored is not None:
            return {key: place for key, place in stored.items() if not is_closed(self._catalog, *key, at)}
        return places_of(self._catalog, before, at) if before else {}


def _ranking_inputs(user: UserRow) -> tuple[object, ...]:
    """Everything that decides a user's places."""
    progress = user.progress
    runs = (
        progress.folds,
        progress.days,
        progress.manual,
        progress.zones,
    )  # the last two decide which days a streak requires
    stored = (progress.scores, progress.board_days, progress.values, progress.values_within)
    return progress.points, progress.reached_at, stored, runs, user.groups, user.visibility, user.erase_at


def _ranked_alike(before: UserRow, after: UserRow) -> bool:
    return before.rules == after.rules and _ranking_inputs(before) == _ranking_inputs(after)
