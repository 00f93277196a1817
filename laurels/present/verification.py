"""Verification: how stored state differs from a rebuild of it from events, adjustments and the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.present.base import Answer, UtcTime


class Difference(Answer, frozen=True):
    """One thing in a user's stored state that differs from a rebuild. `what` names the field; both values are shown as text.

    `user_id` is '' for what is of no single user, such as the rule of a closed period.
    """

    user_id: str
    what: str
    stored: str
    rebuilt: str


class Comparison(Answer, frozen=True):
    """How one user's stored state differs from a rebuild of it.

    `ahead_of_clock` is the newest instant at which something of the user was recorded, if the clock has not reached it; the
    user is then compared as of that instant.
    """

    differences: list[Difference]
    ahead_of_clock: UtcTime | None = None


class Verification(Answer, frozen=True):
    """How many users were compared, every difference, and how many leaderboard tallies are wrong.

    `users_ahead_of_clock` are compared users for whom something was recorded later than the clock's time; the newest such
    instant is `ahead_of_clock`.
    """

    ok: bool
    users: int
    wrong_tallies: int
    differences: list[Difference]
    users_ahead_of_clock: int = 0
    ahead_of_clock: UtcTime | None = None


def joined(
    comparisons: Sequence[Comparison], wrong_tallies: int = 0, of_database: Sequence[Difference] = ()
) -> Verification:
    """The verification of all compared users. `of_database` are differences that are of no single user."""
    ahead = [one.ahead_of_clock for one in comparisons if one.ahead_of_clock]
    differences = [*of_database, *(difference for one in comparisons for difference in one.differences)]
    return Verification(
        ok=not differences and not wrong_tallies,
        users=len(comparisons),
        wrong_tallies=wrong_tallies,
        differences=differences,
        users_ahead_of_clock=len(ahead),
        ahead_of_clock=max(ahead, default=None),
    )
