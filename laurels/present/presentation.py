"""What the makers of leaderboard lines and profiles share."""

from __future__ import annotations

from dataclasses import dataclass

from laurels.engine.catalog import Catalog
from laurels.engine.leaderboards import Board
from laurels.engine.pseudonyms import PSEUDONYM_ID, pseudonym, pseudonym_id
from laurels.storage.contract import Standing
from laurels.storage.secrets import Keyring

ANONYMOUS = "Anonymous"
"""The name of a user without one."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """The catalog in force, and the keys of the database, from which pseudonyms and cursors are made."""

    catalog: Catalog
    keyring: Keyring

    def name_on(self, board: Board, standing: Standing, reader: str | None = None) -> tuple[str, str]:
        """The id and name under which a reader sees a line. Readers see their own id and name on their own line."""
        user_id = standing.place.user_id
        if user_id == reader or board.visibility_of(standing.visibility) != "pseudonym":
            return user_id, standing.name or ANONYMOUS
        sealed = self.keyring.pseudonym_hash(user_id)
        return PSEUDONYM_ID + pseudonym_id(sealed), pseudonym(sealed)
