"""Erasing users, perhaps after some time: the transaction that hides them, and the background tasks that delete the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar, cast

from laurels.commands.audit import Draft
from laurels.commands.erasing import EraseUser, MarkForErasure, RestoreUser
from laurels.commands.redaction import RedactEvents, erased_users
from laurels.commands.references import ErasedUsers
from laurels.engine.events import MAX_REASON, MAX_USER_ID, check_text
from laurels.errors import LaurelsError, Overloaded, StoreUnavailable, UserErased
from laurels.present.erasures import PendingUser, pending_user
from laurels.service.audit import audit_row
from laurels.service.closing import PeriodCloser
from laurels.service.core import Core
from laurels.storage.contract import FIRST_EVENT, AuditFilter, EventKey, MaintenanceRun, RowKey, Source, Store
from laurels.storage.erased_names import NAMING, least_key
from laurels.storage.searching import stored_forms

T = TypeVar("T")

log = logging.getLogger(__name__)

REWRITE = "rewrite"
"""The maintenance task that rewrites the files."""

WAIT_SECONDS = 1.0
"""How long erasing a user waits for the search of other users' events."""

SEARCHED_TOGETHER = 5000
"""How many events are searched for ids at once: some milliseconds."""

REWRITTEN_BYTES = 64_000_000
"""The largest database that is rewritten after an erasure: other writes wait for about a second meanwhile."""

DUE_TOGETHER = 100
MOST_LISTED = 1000
"""How many pending erasures are read at once, and how many are listed."""

CLEAN_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
"""How long to wait before what failed is tried again, at first and at most."""


class Erasures:
    """Erases users. What a process leaves, because it ends, goes on when a process starts, and when a user is erased again."""

    def __init__(self, core: Core, closer: PeriodCloser, after: timedelta = timedelta()) -> None:
        """`after`: how long users are hidden before they are erased."""
        self._core = core
        self._closer = closer
        self.after = after
        self._turn = asyncio.Lock()
        self._deleting: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._searching: asyncio.Task[None] | None = None
        self._rewrite_at = 0.0

    # ---- after some time ----------------------------------------------------------------------

    async def _mark(self, user_id: str, source: Source, reason: str | None, after: timedelta) -> datetime | None:
        """Hide a user, to be erased later. Returns when; None for one who was erased already."""
        now = await self._core.now()
        await self._closer.close_those_of(user_id, now)
        draft = Draft(audit_row(source, now, "user.erasure_requested", ("user", user_id), reason=reason))
        command = MarkForErasure(user_id, now, now + after, draft)
        return cast(datetime | None, await self._core.run_audited(command, draft))

    async def restore(self, user_id: str, source: Source | None = None, reason: str | None = None) -> bool:
        """See Laurels.restore_user."""
        now = await self._core.now()
        row = audit_row(source or self._core.source, now, "user.restored", ("user", user_id), reason=reason)
        draft = Draft(row)
        return cast(bool, await self._core.run_audited(RestoreUser(user_id, now, draft), draft))

    async def pending(self) -> list[PendingUser]:
        """The pending erasures, those that are first due first, with who asked for each and why."""
        rows = await self._core.store.pending_erasures(MOST_LISTED)
        asked = (
            await self._core.store.audit(MOST_LISTED, only=AuditFilter(kind="user.erasure_requested")) if rows else ()
        )
        by_user = {row.target or "": row for row in reversed(asked)}
        return [pending_user(row, by_user.get(row.user_id)) for row in rows]

    async def erase_due(self) -> int:
        """See Laurels.erase_due. Of several processes that do it at the same time, one erases each user."""
        store, now, done, left = self._core.store, await self._core.now(), 0, set[str]()
        while due := [
            one.user_id
            for one in await store.pending_erasures(DUE_TOGETHER + len(left), now)
            if one.user_id not in left
        ]:
            for user_id in due:
                if await self._try_erase_due(user_id):
                    done += 1
                else:
                    left.add(user_id)
            self._search()
        return done

    async def _try_erase_due(self, user_id: str) -> bool:
        """The same for one user. A failure is logged, and keeps no other user from being erased. Returns whether it did."""
        try:
            return await self._erase_due(user_id)
        except LaurelsError as error:
            listed = "'laurels erasures list' shows who is left, and the next run tries it again"
            log.warning("a user who is due could not be erased (%s): %s", listed, error)
            return False

    async def _erase_due(self, user_id: str) -> bool:
        """Erase a user who is due, in the name of the one who asked for it."""
        only = AuditFilter(kind="user.erasure_requested", user_id=user_id)
        rows = await self._core.store.audit(1, only=only)
        source, reason = self._core.source, None
        if rows and rows[0].principal:
            source, reason = Source(rows[0].principal), rows[0].detail.get("reason")
        return await self._make_invisible(user_id, source, reason, only_due=True)

    # ---- at once ------------------------------------------------------------------------------

    async def erase(
        self, user_id: str, source: Source | None = None, reason: str | None = None, *, after: timedelta | None = None
    ) -> datetime | None:
        """Erase a user, by `source` or this program. Returns when no row of the user is left, or when the user is hidden.

        `after` is how long the user is hidden first; None: as given when this was made. In the end other users' events are
        searched for the id. This waits for it, but only for a second: all events must be read.
        """
        source = source or self._core.source
        if after := self.after if after is None else after:
            return await self._mark(user_id, source, reason, after)
        await self._make_invisible(user_id, source, reason)
        left = {one.user_id for one in await self._core.store.unfinished_erasures() if one.rows_left}
        if user_id in left:
            await self._delete_rows(user_id)
        self._search()
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                await self._idle.wait()
        return None

    async def resume(self) -> None:
        """Go on with what was not finished, also with a file that was not rewritten.

        Users whose row is still there, in a copy, are made invisible before this returns.
        """
        unfinished = await self._core.store.unfinished_erasures()
        if not unfinished and await is_rewritten(self._core.store):
            return
        for user_id in await self._core.store.users([one.user_id for one in unfinished]):
            await self._make_invisible(user_id)
        self._search()

    async def finish(self) -> None:
        """Return when all is deleted that is to be deleted, and the database's files are clean as far as possible."""
        await self.resume()
        if self._searching is not None:
            await asyncio.shield(self._searching)

    async def stop(self) -> None:
        """Stop; what is left is deleted after the next start."""
        tasks = [*self._deleting.values(), *([self._searching] if self._searching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_invisible(
        self, user_id: str, source: Source | None = None, reason: str | None = None, *, only_due: bool = False
    ) -> bool:
        """Erase what others may see, with a row of the audit if someone asks for it. Returns whether it did."""
        now = await self._core.now()
        await self._closer.close_those_of(user_id, now)
        if source is None:
            return bool(await self._core.run(EraseUser(user_id, now)))
        draft = Draft(audit_row(source, now, "user.erased", ("erased", ""), reason=reason))
        return bool(await self._core.run_audited(EraseUser(user_id, now, draft, only_due), draft))

    # ---- the user's own rows ------------------------------------------------------------------

    async def _delete_rows(self, user_id: str) -> None:
        """Delete all rows of a user. It goes on if this call is cancelled. Raises StoreUnavailable."""
        task = self._deleting.get(user_id)
        if task is None:
            task = self._deleting[user_id] = asyncio.create_task(self._delete_in_parts(user_id))
            task.add_done_callback(lambda _: self._deleting.pop(user_id, None))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreUnavailable(
                    "the database is being closed; the erasure goes on after the next start"
                ) from None
            raise

    async def _delete_in_parts(self, user_id: str) -> None:
        async with self._turn:
            gone = False
            while not gone:
                gone = await _with_pause(lambda: self._core.store.erase_part(user_id))

    # ---- the events of others -----------------------------------------------------------------

    def _search(self) -> None:
        """Finish all erasures in the background, if this process does not do so already."""
        self._wake.set()
        self._idle.clear()
        if self._searching is None or self._searching.done():
            self._searching = asyncio.create_task(self._until_finished())

    async def _until_finished(self) -> None:
        """Finish erasures until none is left, and clean the files. Try again after a failure, and where a long read goes on."""
        wait, done, was_rewritten = CLEAN_SECONDS, False, False
        while not done:
            self._wake.clear()
            try:
                while await self._finish_some():
                    wait, was_rewritten = CLEAN_SECONDS, False
                if not self._wake.is_set():
                    self._idle.set()
                was_rewritten = was_rewritten or await self._try_rewrite()
                done = await self._core.store.clean_files() and not self._wake.is_set()
            except LaurelsError as error:
                log.warning("an erasure is not finished; trying again in %s seconds: %s", wait, error)
            if not done:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def _try_rewrite(self) -> bool:
        """The same as `_rewrite`, where a failure counts as done: on a full disk, each further attempt would hold up all writes.

        The next erasure or start tries it again, and `laurels doctor` reports it until then.
        """
        try:
            return await self._rewrite()
        except LaurelsError as error:
            log.warning("the file was not rewritten after an erasure; 'laurels erasures clean' does it: %s", error)
            return True

    async def _rewrite(self) -> bool:
        """Rewrite the files of a database that is not large, which takes the copies of moved rows out of them.

        After one, the next waits twenty times as long as that took, so that other writes lose a twentieth of the time at most.
        Returns whether nothing more is to be rewritten: False if more users are erased meanwhile.
        """
        if self._rewrite_at > monotonic():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._rewrite_at - monotonic())
            if self._wake.is_set():
                return False
        began = monotonic()
        if await rewrite(self._core.store, await self._core.now(), REWRITTEN_BYTES):
            self._rewrite_at = monotonic() + 20 * (monotonic() - began)
        return True

    async def _finish_some(self) -> bool:
        """Finish the erasures that are unfinished now. Returns whether there were any."""
        store = self._core.store
        users = [one.user_id for one in await store.unfinished_erasures()]
        for one in await store.unfinished_erasures():
            if one.rows_left:
                await self._delete_rows(one.user_id)
        if users:
            await self._redact(users)
            await store.end_erasures(users)
        return bool(users)

    async def _redact(self, users: Collection[str]) -> None:
        """Replace the ids of these users in all rows of others that name them."""
        store, keyring = self._core.store, await self._core.store.keyring()
        references = {user_id: keyring.reference(user_id) for user_id in users}
        for table in NAMING:
            key: RowKey | None = least_key(table)
            while key is not None:
                after = key
                key = await _with_pause(
                    lambda t=table, k=after: store.replace_names(t, references, k, SEARCHED_TOGETHER)
                )
        erased = erased_users(self._core.catalog, references, await store.amnesties())
        await self._redact_groups(erased)
        await self._redact_events(erased)

    async def _redact_groups(self, erased: ErasedUsers) -> None:
        """The same in the groups of all users."""
        store = self._core.store
        last: str | None = ""
        while last is not None:
            found, last = await _with_pause(
                lambda key=last: store.groups_naming([*erased.references], key, SEARCHED_TOGETHER)
            )
            for user_id, groups in found.items():
                if erased.out_of_groups(groups) != tuple(groups):
                    await self._redact_user(user_id, erased)

    async def _redact_events(self, erased: ErasedUsers) -> None:
        """The same in the data of all events."""
        store = self._core.store
        texts = [text for user_id in erased.references for text in stored_forms(user_id)]
        last: EventKey | None = FIRST_EVENT
        while last is not None:
            page = await _with_pause(lambda key=last: store.search_events(texts, key, SEARCHED_TOGETHER))
            naming = {row.event.user_id for row in page.found if _names(row.event.data or {}, erased)}
            for user_id in sorted(naming - erased.references.keys()):
                await self._redact_user(user_id, erased)
            last = page.last

    async def _redact_user(self, user_id: str, erased: ErasedUsers) -> None:
        command = RedactEvents(user_id, erased, await self._core.now())
        while True:
            try:
                with suppress(UserErased):
                    await self._core.run(command)
            except Overloaded as error:
                await asyncio.sleep(error.retry_after)
            else:
                return


def _names(data: Mapping[str, Any], erased: ErasedUsers) -> bool:
    """Whether an event's data names one of these users."""
    return erased.out_of_data(data) != data


async def rewrite(store: Store, now: datetime, most_bytes: int | None = None) -> bool:
    """Rewrite the files of a database that is not larger than this, and store that it was done. Returns whether it was."""
    done = await store.rewrite_files(most_bytes)
    if done:
        await store.save_maintenance_run(MaintenanceRun(REWRITE, now, {}))
    return done


async def is_rewritten(store: Store) -> bool:
    """Whether the files were rewritten since the last erasure, or need not be."""
    run = next((run for run in await store.maintenance_runs() if run.task == REWRITE), None)
    return not await store.needs_rewriting(run.at if run else None)


async def _with_pause(work: Callable[[], Awaitable[T]]) -> T:
    """Do this, and then wait as long as it took, so that others have half of the time."""
    began = monotonic()
    done = await work()
    await asyncio.sleep(monotonic() - began)
    return done


def check_erasure(user_id: str, reason: str | None) -> None:
    """Raise InvalidInput for an id or a reason that cannot be stored."""
    check_text("userId", user_id, MAX_USER_ID)
    if reason is not None:
        check_text("reason", reason, MAX_REASON)
