"""Verification: how stored state differs from a rebuild of it from events, adjustments and the ledger."""

from __future__ import annotations

from laurels.present.base import Answer


class Difference(Answer, frozen=True):
    """One thing in a user's stored state that differs from a rebuild. `what` names the field; both values are shown as text."""

    user_id: str
    what: str
    stored: str
    rebuilt: str


class Verification(Answer, frozen=True):
    """How many users were compared, every difference, and how many leaderboard tallies are wrong."""

    ok: bool
    users: int
    wrong_tallies: int
    differences: list[Difference]
