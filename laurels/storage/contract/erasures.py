"""Erasing users: what is left to be deleted after the transaction that makes a user invisible."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from laurels.engine.values import plain
from laurels.storage.contract.records import EventRow
from laurels.storage.contract.retention import RowKey

EventKey = tuple[str, str]
"""The user and the id of an event."""

NamingTable = Literal["adjustments", "amnesties", "catalog_revisions", "audit"]
"""The tables with rows that may name an erased user who is not their own."""

FIRST_EVENT: EventKey = ("", "")
"""Before every event."""

ERASED_TOGETHER = 1000
"""How many rows of a user one transaction erases: no other write waits longer than for these."""


@plain
class UnfinishedErasure:
    """An erased user who left something that is still to be deleted.

    `rows_left`: whether rows of the user are left. Otherwise other users' events are still to be searched for the id.
    """

    user_id: str
    erased_at: datetime
    rows_left: bool


@plain
class PendingErasure:
    """A user who is to be erased, and when. Until then it can be undone."""

    user_id: str
    name: str | None
    erase_at: datetime


@plain
class SearchedEvents:
    """Some events in the order of their keys: those that have one of the texts, and the last key (None: there are no more)."""

    found: Sequence[EventRow]
    last: EventKey | None


class Erasures(Protocol):
    """Deleting what is left of erased users, in parts between which other writes go on."""

    async def tombstones(self) -> Mapping[bytes, datetime]:
        """The hashes of all erased users, as `storage/secrets.py` makes them, and when each was erased."""
        ...

    async def is_erased(self, user_id: str) -> bool:
        """Whether a user with this id was erased."""
        ...

    async def pending_erasures(self, limit: int, until: datetime | None = None) -> Sequence[PendingErasure]:
        """Users who are to be erased, up to and including `until` (None: whenever), those who are first due first."""
        ...

    async def unfinished_erasures(self) -> Sequence[UnfinishedErasure]:
        """All erased users who left something that is still to be deleted, longest erased first."""
        ...

    async def erase_part(self, user_id: str, most: int = ERASED_TOGETHER) -> bool:
        """Delete at most this many further rows of an erased user, in one transaction. Returns whether none is left.

        Safe to repeat, also from several processes. A user whose erasure is not unfinished has no rows left.
        """
        ...

    async def search_events(self, texts: Collection[str], after: EventKey, most: int) -> SearchedEvents:
        """Search the data of at most this many events after a key for texts, as it is stored: as JSON."""
        ...

    async def replace_names(
        self, table: NamingTable, references: Mapping[str, str], after: RowKey, most: int
    ) -> RowKey | None:
        """Replace ids of erased users by references, in at most this many rows after a key, in one transaction.

        They are replaced where someone gave an id as the actor, also of an undo, and in details of the audit that someone typed.
        Returns the last key of these rows (None: there are no more).
        """
        ...

    async def groups_naming(
        self, texts: Collection[str], after: str, most: int
    ) -> tuple[Mapping[str, Sequence[str]], str | None]:
        """Of at most this many users after an id, the groups of those with one of the texts in their groups; and the last id."""
        ...

    async def end_erasures(self, user_ids: Collection[str]) -> None:
        """Note that nothing is left of these users, if no rows are left: their ids are deleted, too."""
        ...

    async def clean_files(self) -> bool:
        """Take what was deleted out of the database's files, as far as the engine can while others read and write.

        Returns False if it must be tried again, because a long read goes on.
        """
        ...

    async def needs_rewriting(self, since: datetime | None) -> bool:
        """Whether users were erased after this instant (None: at any time), so that parts of their rows may be in the files.

        Always False for an engine that does not rewrite its files.
        """
        ...

    async def rewrite_files(self, most_bytes: int | None = None) -> bool:
        """Write all that is stored again, so that the files have nothing else, unless they are larger than this.

        Other writes wait meanwhile, and reads go on. Returns whether it was done: not by an engine that would lock out reads.
        """
        ...
