"""What users were before, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.storage.columns import FORMER_STATES
from laurels.storage.contract import FormerState
from laurels.storage.former import former_state_of
from laurels.storage.postgres.connections import Connections

FORMER_STATES_OF = f"SELECT {FORMER_STATES} FROM former_states WHERE user_id = $1 ORDER BY revision"


class Past(Connections):
    """Reading former states."""

    async def former_states(self, user_id: str) -> Sequence[FormerState]:
        return [former_state_of(row) for row in await self._rows(FORMER_STATES_OF, user_id)]
