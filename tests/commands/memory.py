"""The rows of one user in plain dictionaries, and commands on them, so that thousands of histories take a minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from laurels.commands.context import DecisionContext
from laurels.commands.needed import HistoryNeeded
from laurels.commands.unit_of_work import Command, UnitOfWork, identities
from laurels.commands.users import zones_to_set
from laurels.engine.catalog import Catalog
from laurels.engine.progress import SPEND
from laurels.engine.ranking import Place
from laurels.engine.validity import last_day
from laurels.storage.contract import AdjustmentRow, AwardRow, Changes, EventRow, LedgerRow, Loaded, LoadRequest, UserRow

USER = "ada"


@dataclass
class Memory:
    """The rows of one user. Each batch of commands is one transaction."""

    catalog: Catalog
    users: dict[str, UserRow] = field(default_factory=dict[str, UserRow])
    events: dict[tuple[str, str], EventRow] = field(default_factory=dict[tuple[str, str], EventRow])
    awards: dict[str, AwardRow] = field(default_factory=dict[str, AwardRow])
    ledger: list[LedgerRow] = field(default_factory=list[LedgerRow])
    adjustments: dict[str, AdjustmentRow] = field(default_factory=dict[str, AdjustmentRow])
    standings: dict[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])

    def apply_catalog(self, catalog: Catalog) -> None:
        """Put a catalog in force, and rename the standings of renamed leaderboards, as the stores do."""
        self.catalog, names = catalog, catalog.renames.boards
        self.standings = {(names.get(board, board), period): at for (board, period), at in self.standings.items()}

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """The answers of commands that share a transaction. If one raises, nothing is saved."""
        request = LoadRequest(frozenset({USER}), frozenset(), self.catalog.rules, zones=zones_to_set(commands))
        in_full = any(command.needs == "all" for command in commands) or any(
            map(request.needs_all_of, self.users.values())
        )
        while True:
            work = UnitOfWork(DecisionContext(self.catalog), self.found(commands, in_full=in_full))
            try:
                answers = [command.apply(work) for command in commands]
                self.save(work.changes())
            except HistoryNeeded:
                assert not in_full
                in_full = True
            else:
                return answers

    def found(self, commands: Sequence[Command], *, in_full: bool) -> Loaded:
        """What a store would load."""
        wanted = {key: self.events[key] for key in identities(commands) if key in self.events}
        adjustments = {USER: sorted(self.adjustments.values(), key=lambda row: row.revision)}
        if not in_full or not self.users:
            return Loaded(self.users, wanted, frozenset(), adjustments=adjustments)
        return Loaded(
            self.users,
            wanted,
            frozenset(),
            adjustments=adjustments,
            histories={USER: sorted(self.events.values(), key=lambda row: row.revision)},
            awards={USER: [*self.awards.values()]},
            ledgers={USER: self.ledger},
            standings={USER: self.standings},
        )

    def save(self, changes: Changes) -> None:
        """Save what a store would."""
        self.users = self.users | {row.user_id: row for row in changes.users}
        self.events = self.events | {(USER, row.event.id): row for row in (*changes.events, *changes.marked)}
        gone = {name for _, name in changes.revoked}
        self.awards = {name: row for name, row in self.awards.items() if name not in gone}
        assert not self.awards.keys() & {row.badge for row in changes.awards}
        self.awards |= {row.badge: row for row in changes.awards}
        self.ledger = [*self.ledger, *changes.ledger]
        assert len({(row.revision, row.position) for row in self.ledger}) == len(self.ledger)
        self.adjustments |= {row.adjustment_id: row for row in changes.adjustments}
        self.standings = dict(self.standings)
        for move in changes.moves:
            assert self.standings.pop((move.board, move.period), None) == move.before
            if move.after:
                self.standings[move.board, move.period] = move.after

    @property
    def balance(self) -> int:
        return sum(entry.amount for entry in self.ledger)

    def state(self) -> dict[str, Any]:
        """Everything that users can see, but for the balance and the zones."""
        row = self.users[USER]
        progress = row.progress
        assert sum(entry.amount for entry in self.ledger if entry.reason != SPEND) == progress.points
        assert self.balance == progress.balance
        assert row.earned.keys() == progress.badges.keys() == self.awards.keys()
        events = {name: row.event for (_, name), row in self.events.items()}
        deciding = {name: award.event_id and events[award.event_id].occurred_at for name, award in self.awards.items()}
        return {
            "progress": replace(progress, manual=None, zones=None),  # type: ignore[arg-type]
            "earned": row.earned,
            "deciding": deciding,
            "valid": {badge.id: last_day(badge, progress, row.earned) for badge in self.catalog.badges},
            "days": {name: (event.day, event.late_by) for name, event in events.items()},
            "standings": self.standings,
        }
