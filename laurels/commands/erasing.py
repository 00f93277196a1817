"""Erasing users: at once, or marking them for it, undoing that, and erasing those who are due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from laurels.commands.audit import Draft
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.engine.progress import Outcome
from laurels.errors import UserErased, UserNotFound
from laurels.storage.contract import UserRow
from laurels.storage.secrets import erased_mark


@dataclass(frozen=True, slots=True)
class EraseUser:
    """Erase a user permanently; with `only_due`, only one whose pending erasure is due.

    Answers whether it did. Erasing twice changes nothing; an unknown user cannot be created afterwards.
    """

    user_id: str
    at: datetime
    audit: Draft | None = None
    only_due: bool = False
    event_id: None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> bool:
        if self.only_due and not self._is_due(work):
            return False
        if self.audit and self.user_id not in work.found.erased:
            self.audit.write(work, target=erased_mark(work.found.keyring.tombstone(self.user_id)))
        work.erase(self.user_id, self.at)
        return True

    def _is_due(self, work: UnitOfWork) -> bool:
        user = _row(work, self.user_id, self.at)
        return user is not None and user.erase_at is not None and user.erase_at <= self.at


@dataclass(frozen=True, slots=True)
class MarkForErasure:
    """Hide a user, end their sessions, and have them erased at `erase_at`.

    Answers when they are to be erased: if that is pending already, as before; None for a user who was erased. An unknown user
    gets a row, so that nothing is recorded of them meanwhile. Raises InvalidInput for an id that no user can have.
    """

    user_id: str
    at: datetime
    erase_at: datetime
    audit: Draft
    event_id: None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> datetime | None:
        user = _row(work, self.user_id, self.at)
        if user is None or user.erase_at is not None:
            return user.erase_at if user else None
        self.audit.write(work, {"eraseAt": f"{self.erase_at:%Y-%m-%dT%H:%M:%SZ}"})
        work.signed_out.append(self.user_id)
        work.save(replace(user, erase_at=self.erase_at), Outcome(user.progress), self.at)
        return self.erase_at


@dataclass(frozen=True, slots=True)
class RestoreUser:
    """Undo the pending erasure of a user. Answers whether one was pending. Raises UserErased, UserNotFound."""

    user_id: str
    at: datetime
    audit: Draft
    event_id: None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> bool:
        user = work.any_user(self.user_id, self.at)
        if not work.is_known(self.user_id):
            raise UserNotFound
        if user.erase_at is None:
            return False
        self.audit.write(work)
        work.save(replace(user, erase_at=None), Outcome(user.progress), self.at)
        return True


def _row(work: UnitOfWork, user_id: str, now: datetime) -> UserRow | None:
    """The user, a new one with revision 0; None for one who was erased."""
    try:
        return work.any_user(user_id, now)
    except UserErased:
        return None
