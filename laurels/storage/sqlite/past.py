"""What users were before, on SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.storage.columns import FORMER_STATES
from laurels.storage.contract import FormerState
from laurels.storage.former import former_state_of
from laurels.storage.sqlite.connections import Connections, translated

FORMER_STATES_OF = f"SELECT {FORMER_STATES} FROM former_states WHERE user_id = ? ORDER BY revision"


class Past(Connections):
    """Reading former states."""

    async def former_states(self, user_id: str) -> Sequence[FormerState]:
        with translated:
            return [former_state_of(row) for row in self._reader.execute(FORMER_STATES_OF, (user_id,))]
