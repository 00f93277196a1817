"""Former units: a user's streaks as they were stored under a catalog that counted them by other units, such as days before weeks.

A rebuild counts them again from all events. Until then, and for a retired streak, whose days no event credits any more, each
stored unit stands for the one that holds its first day.
"""

from __future__ import annotations

from dataclasses import replace

from laurels.engine.adding import calendar_of
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.progress import Progress
from laurels.engine.streaks import Streak, folded
from laurels.engine.units import cadence_of


def in_present_units(catalog: Catalog, progress: Progress) -> Progress:
    """The progress with every streak in the units that this catalog counts; the same value if all of them are already."""
    former = [
        streak
        for name, streak in catalog.streaks.items()
        if name in progress.days and cadence_of(progress.days[name].first) != streak.cadence
    ]
    if not former:
        return progress
    days, folds, partial = dict(progress.days), dict(progress.folds), dict(progress.partial)
    for streak in former:
        days[streak.name] = _converted(streak, days[streak.name])
        folds[streak.name] = folded(streak, days[streak.name], calendar_of(streak, progress))
        partial.pop(streak.name, None)
    return replace(progress, days=days, folds=folds, partial=partial)


def _converted(streak: Streak, stored: Days) -> Days:
    before, found = replace(streak, cadence=cadence_of(stored.first)), Days()
    for unit in stored:
        found = found.with_day(streak.unit(before.first_day(unit)))
    return found
