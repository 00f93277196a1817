"""What users were before changes that their other rows do not tell, so that the past can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from laurels.engine.values import plain
from laurels.engine.zones import Zones
from laurels.storage.contract.records import AwardRow

FIRST_FORMER_STATE = "first_former_state"
"""The maintenance run of the migration that began to store former states in a database with users. Nothing before it is known."""

NOT_STARTED = datetime.max.replace(microsecond=0, tzinfo=UTC)
"""The time of that run until a process is started after the migration."""


@plain
class FormerAward:
    """An award as it was until a revision.

    `earned_at` is in microseconds since 1970; None: an earlier version stored none. `renamed` is the id under which it goes on,
    if the badge was renamed.
    """

    award: AwardRow
    earned_at: int | None
    renamed: str | None = None


@plain
class FormerState:
    """What a user was before `revision`, which changed some of it at the time `at`.

    zones      the dated time zones, without corrections: these are adjustments
    groups     the groups that amnesties named then; others decide nothing
    rules      the fingerprint of the catalog under which the user was judged
    awards     the awards that this revision took or dated otherwise
    """

    user_id: str
    revision: int
    at: datetime
    zones: Zones
    joined_at: datetime | None
    groups: tuple[str, ...]
    rules: str
    awards: tuple[FormerAward, ...] = ()


class Past(Protocol):
    """Reading what users were before."""

    async def former_states(self, user_id: str) -> Sequence[FormerState]:
        """All former states of a user, oldest first."""
        ...
