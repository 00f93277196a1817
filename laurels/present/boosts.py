"""Boosts that count now or will: what pages show of the times in which point rules pay more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from laurels.engine.boosts import Boost
from laurels.engine.catalog import Catalog
from laurels.present.base import SparseAnswer, UtcTime

_A_DAY = timedelta(days=1)


class CatalogBoost(SparseAnswer, frozen=True):
    """A time in which point rules pay `factor` times as much ("1.5"). `rules` are their ids; missing: all.

    It counts from `firstDay` to `lastDay`, by each user's own dates; or from `startsAt` until before `endsAt`.
    """

    id: str
    name: str
    factor: str
    rules: Sequence[str] = ()
    first_day: date | None = None
    last_day: date | None = None
    starts_at: UtcTime | None = None
    ends_at: UtcTime | None = None


def shown_boosts(catalog: Catalog, now: datetime) -> list[CatalogBoost]:
    """The boosts whose time is not over for everyone, in the order of the file."""
    return [_shown(boost) for boost in catalog.boosts if boost.end.latest > now]


def _shown(boost: Boost) -> CatalogBoost:
    what, start, end = (boost.id, boost.name, boost.factor, boost.rules), boost.start, boost.end
    if start.at:
        return CatalogBoost(*what, starts_at=start.at, ends_at=end.at)
    return CatalogBoost(*what, date.fromordinal(start.day), date.fromordinal(end.day) - _A_DAY)


def time_of(boost: CatalogBoost) -> str:
    """Its time in words: '2026-06-05 to 2026-06-07' by users' dates, or two times in UTC."""
    if boost.starts_at and boost.ends_at:
        return f"{boost.starts_at:%Y-%m-%d %H:%M} until {boost.ends_at:%Y-%m-%d %H:%M} UTC"
    return f"{boost.first_day} to {boost.last_day}"
