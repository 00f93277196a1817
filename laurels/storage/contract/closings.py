"""A closed period of a leaderboard, as it is stored."""

from __future__ import annotations

from datetime import datetime

from laurels.engine.values import plain


@plain
class ClosedPeriodRow:
    """A period of a leaderboard that is closed for good.

    `notified_at` is when the users in the first ranks were notified (None: not yet). `starts_at`, `ends_at` and `rule` are its
    own bounds and rule, whatever the catalog has under the same key later; see `engine/closings.py`. Without a rule, an older
    version closed it.
    """

    board: str
    period: str
    closed_at: datetime
    notified_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rule: str | None = None
