"""Transactions on SQLite: loading, deciding and saving on the one writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from laurels.engine.notifications import of_climbing
from laurels.engine.ranking import Ranks
from laurels.storage import codec
from laurels.storage.columns import ADJUSTMENTS, AWARDS, EVENTS, FORMER_STATES, LEDGER, OUTBOX, USERS, WHO_ADJUSTED
from laurels.storage.contract import Changes, Decide, EventRow, Loaded, LoadRequest, UserRow
from laurels.storage.former import former_state_columns
from laurels.storage.keyrings import OtherKeys
from laurels.storage.secrets import Keyring
from laurels.storage.sqlite import erasures, ranking, standings
from laurels.storage.sqlite.catalogs import read_in_force
from laurels.storage.sqlite.connections import insert, save_audit
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.keyrings import Keyrings, is_erased
from laurels.storage.sqlite.leaderboards import open_standings
from laurels.storage.sqlite.records import EVENT, USER, read_adjustments, read_awards, read_events, read_ledger
from laurels.storage.sqlite.supplies import move, read_supplies
from laurels.storage.standings import Measured, own_ranks

SAVE_USER = f"""
{insert(USERS)}
ON CONFLICT (user_id) DO UPDATE SET
    zones = excluded.zones, joined_at = excluded.joined_at, revision = excluded.revision,
    rules = excluded.rules, points = excluded.points, reached_at = excluded.reached_at, progress = excluded.progress,
    groups = excluded.groups, amnesties = excluded.amnesties,
    visibility = excluded.visibility, excluded = excluded.excluded, earned = excluded.earned,
    erase_at = excluded.erase_at
"""
RENAME_USER = "UPDATE users SET name = ? WHERE user_id = ?"
"""Separate, because an event changes no name, and setting it again would rewrite its entry in the index: a quarter more log."""

SIGN_OUT = "DELETE FROM sessions WHERE user_id = ?"
ADD_EVENT = insert(EVENTS)
MARK_EVENT = "UPDATE events SET reversed_by = ?, day = ?, late_by = ?, data = ? WHERE user_id = ? AND event_id = ?"
ADD_AWARD = insert(AWARDS)
DROP_AWARD = "DELETE FROM awards WHERE user_id = ? AND badge = ?"
ADD_ENTRY = insert(LEDGER)
ADD_NOTIFICATION = insert(OUTBOX)
ADD_FORMER_STATE = insert(FORMER_STATES)
_ADJUSTED = [name for name in ADJUSTMENTS.columns[ADJUSTMENTS.key_length :] if name not in WHO_ADJUSTED]
SAVE_ADJUSTMENT = f"""
{insert(ADJUSTMENTS)}
ON CONFLICT (user_id, adjustment_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _ADJUSTED)}
"""

RENAME_ADJUSTMENT = (
    "UPDATE adjustments SET adjustment_id = ?4 WHERE user_id = ?1 AND adjustment_id = ?2 AND revision = ?3"
)
"""With its revision: only the stored row that was read, and who made it stays with it."""


class Transactions(Keyrings):
    """Changing users."""

    async def load(self, request: LoadRequest) -> Loaded:
        keyring = await self.keyring()
        try:
            return await self._in_background(lambda connection: self._load(connection, request, keyring))
        except OtherKeys:
            keyring = await self._write(self._other_keyring)
            return await self._in_background(lambda connection: self._load(connection, request, keyring))

    async def change(self, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        return await self._write(lambda: self._change(request, decide))

    def _change(self, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        try:
            return self._change_with(self._keyring_on_writer(), request, decide)
        except OtherKeys:
            return self._change_with(self._other_keyring(), request, decide)

    def _change_with(self, keyring: Keyring, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        with self._transaction() as connection:
            found = self._load(connection, request, keyring)
            changes = decide(found)
            ranks = self._save(connection, changes, keyring, measure=request.ranks)
            connection.executemany(RENAME_USER, _renamed(found, changes))
            return ranks

    def _load(self, connection: Connection, request: LoadRequest, keyring: Keyring) -> Loaded:
        users: dict[str, UserRow] = {}
        erased: set[str] = set()
        for user_id in request.users:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is not None:
                users[user_id] = codec.user_of(row)
            elif is_erased(connection, keyring, user_id):
                erased.add(user_id)
        events: dict[tuple[str, str], EventRow] = {}
        for identity in request.events:
            if identity[0] in users and (row := connection.execute(EVENT, identity).fetchone()):
                events[identity] = codec.event_of(row)
        catalog, amnesties, count = read_in_force(connection)
        long = frozenset(name for name, user in users.items() if request.is_too_long(user))
        full = [name for name, user in users.items() if name not in long and request.needs_all_of(user)]
        without_row = request.users - users.keys() - erased
        waiting = {name: rows for name in without_row if (rows := read_adjustments(connection, name))}
        return Loaded(
            users=users,
            events=events,
            erased=frozenset(erased),
            adjustments=waiting
            | {name: read_adjustments(connection, name) for name in {*full, *request.with_adjustments}},
            histories={name: read_events(connection, name) for name in full},
            awards={name: read_awards(connection, name) for name in full},
            ledgers={name: read_ledger(connection, name) for name in full},
            standings={name: open_standings(connection, name) for name in full},
            amnesties=amnesties,
            amnesty_count=count,
            catalog=catalog,
            keyring=keyring,
            long=long,
            supplies=read_supplies(connection) if request.supplies else {},
        )

    def _save(
        self, connection: Connection, changes: Changes, keyring: Keyring, *, measure: bool
    ) -> Mapping[str, Ranks]:
        leaving = standings.leaving(connection, [user_id for user_id, _ in changes.erased])
        moves = standings.to_make(connection, [*leaving, *changes.moves])
        measured: Measured = ranking.ranks(connection, moves, changes.tops) if measure and moves else {}
        ranks = own_ranks(measured)
        standings.save(connection, moves)
        save_audit(connection, changes.audit)
        for user_id, at in changes.erased:
            erasures.erase(connection, user_id, keyring.tombstone(user_id), at)
        for user_id in changes.signed_out:
            connection.execute(SIGN_OUT, (user_id,))
        connection.executemany(SAVE_USER, map(codec.user_columns, changes.users))
        connection.executemany(ADD_EVENT, [codec.event_columns(event, ranks) for event in changes.events])
        _save_adjustments(connection, changes)
        if changes.copies:
            move(connection, changes.copies)
        if changes.awards:
            connection.executemany(ADD_AWARD, map(codec.award_columns, changes.awards))
        if changes.ledger:
            connection.executemany(ADD_ENTRY, map(codec.entry_columns, changes.ledger))
        if changes.former:
            connection.executemany(ADD_FORMER_STATE, map(former_state_columns, changes.former))
        notifications = [*changes.notifications, *changes.further(of_climbing(measured, changes.tops))]
        if notifications:
            connection.executemany(ADD_NOTIFICATION, map(codec.notification_columns, notifications))
        return ranks


def _save_adjustments(connection: Connection, changes: Changes) -> None:
    """Write adjustments and what they take back; most transactions have none."""
    if changes.marked:
        connection.executemany(MARK_EVENT, map(codec.mark_columns, changes.marked))
    if changes.renamed:
        connection.executemany(RENAME_ADJUSTMENT, changes.renamed)
    for adjustment in changes.adjustments:
        connection.execute(SAVE_ADJUSTMENT, codec.adjustment_columns(adjustment))
    for award in changes.revoked:
        connection.execute(DROP_AWARD, award)


def _renamed(found: Loaded, changes: Changes) -> Sequence[tuple[str | None, str]]:
    """The new name and the id of each known user whose name changed."""
    known = found.users
    return [
        (user.name, user.user_id)
        for user in changes.users
        if user.user_id in known and known[user.user_id].name != user.name
    ]
