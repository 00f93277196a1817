"""What changed for a user between two times, and which change made something so."""

from __future__ import annotations

from datetime import datetime

from laurels.commands.former_catalogs import FormerCatalogs
from laurels.commands.past import UserRecord, as_read, awarded_at
from laurels.commands.timeline import Holds, Search, points_by_revision, steps
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import BadgeNotFound, CatalogError, InvalidInput, PastNotStored
from laurels.present.past_changes import Cause, UserDifference, cause, difference
from laurels.service.core import Core
from laurels.service.past import checked_instants, on_record, readable_since


class PastChanges:
    """Answers what changed. `Admin` has these methods."""

    _core: Core

    async def compare_user(self, user_id: str, since: datetime, until: datetime) -> UserDifference:
        """What changed for a user from one time until another, by what was known at each.

        Raises InvalidInput, UserNotFound (also for a user who did not exist then), ErasurePending and PastNotStored.
        """
        check_text("userId", user_id, MAX_USER_ID)
        until, _ = await checked_instants(self._core, until, None, "until")
        since, _ = await checked_instants(self._core, since, None, "since")
        if since > until:
            raise InvalidInput("since", "must not be after 'until'; exchange them")

        def compared(record: UserRecord, catalogs: FormerCatalogs) -> UserDifference:
            users = as_read(record, catalogs, since), as_read(record, catalogs, until)
            both = catalogs.in_force(since).catalog, catalogs.in_force(until).catalog
            first, last = catalogs.row_at(since).number, catalogs.row_at(until).number
            revisions = [row.number for row in catalogs.rows if first < row.number <= last]
            changed = [(at, row) for row in record.snapshot.amnesties for at in (row.created_at, row.lifted_at) if at]
            amnesties = [row.amnesty_id for at, row in changed if since < at <= until]
            return difference(users, both, (since, until), revisions, list(dict.fromkeys(amnesties)))

        try:
            return await on_record(self._core.store, user_id, since, compared)
        except CatalogError:
            raise PastNotStored(readable_since(await self._core.store.catalog_revisions(), since)) from None

    async def find_cause(
        self, user_id: str, *, badge: str | None = None, level: int | None = None, points: int | None = None
    ) -> Cause | None:
        """The change after which a user has a badge, at least a level, or at least some points; or since which not any more.

        None if the user never had it. Raises InvalidInput, BadgeNotFound, UserNotFound, ErasurePending and PastNotStored.
        """
        check_text("userId", user_id, MAX_USER_ID)
        if sum(value is not None for value in (badge, level, points)) != 1:
            raise InvalidInput("badge", "name either a badge, a level or a number of points")

        def searched(record: UserRecord, catalogs: FormerCatalogs) -> Cause | None:
            holds, recorded, what = _asked(record, catalogs, badge, level, points)
            found = Search(record, catalogs, holds, recorded).turn()
            if found is None:
                return None
            after = catalogs.in_force(found.step.at).catalog
            earlier = (
                [row for row in catalogs.rows if row.number < int(found.step.id)]
                if found.step.kind == "catalog"
                else []
            )
            before = FormerCatalogs(earlier).in_force(found.step.at).catalog if earlier else after
            return cause(found, (before, after), what)

        user = await self._core.user(user_id)
        try:
            return await on_record(self._core.store, user_id, user.created_at, searched)
        except CatalogError:
            raise PastNotStored(readable_since(await self._core.store.catalog_revisions(), user.created_at)) from None


def _asked(
    record: UserRecord, catalogs: FormerCatalogs, badge: str | None, level: int | None, points: int | None
) -> tuple[Holds, dict[int, bool], str]:
    """What is asked of a user, what the rows say of it for each revision, and its words."""
    revisions = [step.revision for step in steps(record, catalogs) if step.of_user]
    if badge is not None:
        newest = catalogs.in_force(datetime.max.replace(tzinfo=record.user.created_at.tzinfo)).catalog
        names, current = newest.renames, newest.renames.badge(badge)
        spans = awarded_at(record)
        if newest.badge(current) is None and not any(names.badge(name) == current for name, _, _ in spans):
            raise BadgeNotFound(f"there is no badge '{badge}', and the user never had one of this id")
        recorded = {
            revision: any(names.badge(name) == current and first <= revision < until for name, first, until in spans)
            for revision in revisions
        }
        return (
            lambda user, _: any(names.badge(name) == current for name in user.row.progress.badges),
            recorded,
            f"the badge {current}",
        )
    sums = points_by_revision(record, revisions)
    if points is not None:
        recorded = {revision: sums[revision] >= points for revision in revisions}
        return lambda user, _: user.row.progress.points >= points, recorded, f"{points:,} points or more"
    assert level is not None
    by_revision = {
        step.revision: catalogs.in_force(step.at).catalog for step in steps(record, catalogs) if step.of_user
    }
    recorded = {one: by_revision[one].levels.number(sums[one]) >= level for one in revisions}
    return (
        lambda user, catalog: catalog.levels.number(user.row.progress.points) >= level,
        recorded,
        f"level {level} or a higher one",
    )
