"""What the parts of one Laurels share: its database, catalog and clock, the queue of its writes, and user rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from laurels.commands.audit import Draft
from laurels.commands.unit_of_work import Command
from laurels.commands.users import RefreshUser
from laurels.engine.catalog import Catalog
from laurels.engine.elapsing import is_due
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.engine.zones import Zones
from laurels.errors import ErasurePending, LaurelsError, StoreUnavailable, UserNotFound
from laurels.present.presentation import Presentation
from laurels.present.profiles import RANKED_IN_PROFILE, ProfileMaker
from laurels.service.clock import DatabaseClock
from laurels.service.group_commit import MOST_SWITCHES, GroupCommit
from laurels.service.languages import in_readers_language
from laurels.service.rules import Rules
from laurels.service.security_log import SecurityLog
from laurels.storage.contract import LIBRARY, ClosedPeriodRow, OtherRevision, ProfileView, Source, Store, UserRow
from laurels.storage.secret_file import shown
from laurels.storage.secrets import Keyring

T = TypeVar("T")


class Core:
    """The shared state of one Laurels. It holds no user: every user is read from the database when needed.

    `recomputing` are the leaderboards whose users are still being brought under a changed rule. `source` is where changes come
    from that say nothing else.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        clock: DatabaseClock,
        group_commit: GroupCommit,
        default_zone: str,
        source: Source = LIBRARY,
    ) -> None:
        self.store = store
        self.rules = rules
        self.clock = clock
        self.group_commit = group_commit
        self.source = source
        self.security = SecurityLog(store)
        self.new_user_zones = Zones(default=default_zone)
        self.recomputing: frozenset[str] = frozenset()
        self._makers: dict[str, ProfileMaker] = {}  # by the language of their texts
        self._keyring: Keyring | None = None
        self._closings: dict[tuple[str, str], ClosedPeriodRow] = {}

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self.rules.catalog

    @property
    def shown(self) -> Catalog:
        """The same with its texts in the reader's language."""
        catalog = self.rules.catalog
        return in_readers_language(catalog) if catalog.other_languages else catalog

    async def closing(self, board: str, period: str) -> ClosedPeriodRow | None:
        """A closed period with its bounds and rule, which never change; None if it is not closed."""
        row = self._closings.get((board, period)) or await self.store.closing(board, period)
        if row is not None and row.rule is not None:
            self._closings[board, period] = row
        return row

    async def now(self) -> datetime:
        """The current time; see DatabaseClock."""
        return await self.clock.now()

    async def run(self, command: Command) -> object:
        """Run one command through group commit. Returns its answer, or raises its error."""
        (answer,) = await self.group_commit.submit([command])
        if isinstance(answer, LaurelsError):
            raise answer
        return answer

    async def run_audited(self, command: Command, draft: Draft) -> object:
        """The same for a command that writes this row of the audit if it changes something; the security log has it too."""
        answer = await self.run(command)
        if draft.written:
            await self.security.note(draft.written)
        return answer

    async def presentation(self, *, at_once: bool = False) -> Presentation:
        """The catalog in force, with the keys of the database; with `at_once`, also those of a file that was just replaced."""
        return (await self.profile_maker(at_once=at_once)).context

    async def profile_maker(self, *, at_once: bool = False) -> ProfileMaker:
        """The maker of profiles under the catalog in force, with its texts in the reader's language."""
        keyring, catalog = await self.store.keyring(at_once=at_once), self.shown
        maker = self._makers.get(catalog.shown_in)
        if maker is None or maker.context.catalog is not catalog or maker.context.keyring is not keyring:
            if self._keyring and self._keyring != keyring:
                await self.security.write("secret.changed", None, None, None, {"key": shown(keyring.fingerprint)})
            self._keyring = keyring
            if maker is not None:
                self._makers.clear()  # those in other languages are of an earlier catalog or keyring, too
            maker = self._makers[catalog.shown_in] = ProfileMaker(Presentation(catalog, keyring))
        return maker

    async def user(self, user_id: str) -> UserRow:
        """The user's row as stored. Raises InvalidInput, UserNotFound, ErasurePending."""
        check_text("userId", user_id, MAX_USER_ID)
        user = await self.store.user(user_id)
        if user is None:
            raise UserNotFound
        if user.erase_at is not None:
            raise ErasurePending(user.erase_at)
        return user

    async def groups_of(self, user_id: str) -> Sequence[str]:
        """The groups that a user is in now; none for someone who is no user."""
        user = await self.store.user(user_id)
        return user.groups if user else ()

    def is_outdated(self, user: UserRow, amnesty_count: int, now: datetime) -> bool:
        """Whether the user's progress was made under other rules or before an amnesty, or time has earned a badge since."""
        catalog = self.catalog
        same = user.rules == catalog.rules and user.amnesties == amnesty_count
        return not same or (bool(catalog.timed) and is_due(catalog, user.progress, now))

    async def current_user(self, user_id: str) -> UserRow:
        """The user's row, first brought up to date if it is outdated. Raises InvalidInput, UserNotFound, UserErased."""
        check_text("userId", user_id, MAX_USER_ID)
        view = await self.profile_view(user_id)
        if view.user is None:
            raise UserNotFound
        if not self.is_outdated(view.user, view.amnesty_count, await self.now()):
            return view.user
        return await self.refreshed(user_id)

    async def profile_view(self, user_id: str) -> ProfileView:
        """What the user's profile is made from, with the catalog that the same snapshot has in force. Raises ErasurePending."""
        view = await self.store.profile_view(user_id, RANKED_IN_PROFILE)
        await self.rules.follow(view.catalog)
        if view.user is not None and view.user.erase_at is not None:
            raise ErasurePending(view.user.erase_at)
        return view

    async def supplies(self) -> Mapping[str, int]:
        """How many copies of each badge of limited supply are taken. Reads nothing if the catalog in force has none."""
        return await self.store.supplies() if self.catalog.limited else {}

    async def under_one_revision(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` under the newest revision of the catalog, again if it finds that another one was put in force meanwhile."""
        for _ in range(MOST_SWITCHES):
            await self.rules.follow()
            with suppress(OtherRevision):
                return await work()
        raise StoreUnavailable("the catalog was changed again and again meanwhile; send this again")

    async def refreshed(self, user_id: str) -> UserRow:
        """The user's row, brought under the rules and amnesties in force. Raises UserErased."""
        row = await self.run(RefreshUser(user_id, await self.now()))
        assert isinstance(row, UserRow)
        return row
