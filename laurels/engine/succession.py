"""Succession: whether a catalog may follow the one in force, so that no badge that users have loses its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from laurels.engine.catalog import Catalog
from laurels.engine.parsing import nearest
from laurels.errors import Fault


def lost_badges(before: Catalog, after: Catalog, holders: Mapping[str, int]) -> list[Fault]:
    """A fault for each badge with holders that the new catalog neither has, renames nor retires.

    `holders` is the number of users who have each badge, by the id under which it is stored. Streaks and leaderboards may go:
    what they show follows from events and closed periods, and is there again when they are.
    """
    new = {badge.id for badge in after.badges} - {badge.id for badge in before.badges}
    held = _by_current_id(before, holders)
    return [_fault(badge, count, new) for badge, count in held.items() if after.badge(badge) is None]


def _by_current_id(before: Catalog, holders: Mapping[str, int]) -> dict[str, int]:
    """The holders of the badges that the catalog in force has: others were given up before."""
    held: dict[str, int] = {}
    for badge, count in holders.items():
        current = before.renames.badge(badge)
        if count and before.badge(current):
            held[current] = held.get(current, 0) + count
    return held


def _fault(badge: str, holders: int, new: Iterable[str]) -> Fault:
    """The fault of a badge that is gone. `new` are the ids that it may have now."""
    names = sorted(new)
    successor = names[0] if len(names) == 1 else nearest(badge, names)
    where = f"where it is called '{successor}' now" if successor else "in its successor"
    users = "1 user has" if holders == 1 else f"{holders:,} users have"
    fix = f'write was = "{badge}" {where}, or keep it with retired = true'
    return Fault(f"badges '{badge}'", f"is gone, but {users} it", fix)
