"""Succession: whether a catalog may follow the one in force, so that nothing that people hold loses its name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from laurels.engine.catalog import Catalog
from laurels.engine.parsing import nearest
from laurels.errors import Fault


def lost_names(before: Catalog, after: Catalog, holders: Mapping[str, int], *, has_users: bool) -> list[Fault]:
    """A fault for each badge with holders, streak and leaderboard that the new catalog neither has, renames nor retires.

    `holders` is the number of users who have each badge, by the id under which it is stored. Streaks and leaderboards are
    taken to be in use as soon as there is a user.
    """
    renames = after.renames
    held = _by_current_id(before, holders)
    badges = [badge for badge in held if after.badge(badge) is None]
    faults = [_fault("badges", badge, _users(held[badge]), _new(before, after)) for badge in badges]
    if not has_users:
        return faults
    streaks = [name for name in before.streaks if renames.streak(name) not in after.streaks]
    faults += [_fault("streaks", name, "users", after.streaks.keys() - before.streaks.keys()) for name in streaks]
    boards = [name for name in before.boards if renames.boards.get(name, name) not in after.boards]
    return faults + [
        _fault("leaderboards", name, "users", after.boards.keys() - before.boards.keys()) for name in boards
    ]


def _by_current_id(before: Catalog, holders: Mapping[str, int]) -> dict[str, int]:
    """The holders of the badges that the catalog in force has: others were given up before."""
    held: dict[str, int] = {}
    for badge, count in holders.items():
        current = before.renames.badge(badge)
        if count and before.badge(current):
            held[current] = held.get(current, 0) + count
    return held


def _new(before: Catalog, after: Catalog) -> Collection[str]:
    return {badge.id for badge in after.badges} - {badge.id for badge in before.badges}


def _users(count: int) -> str:
    return "1 user" if count == 1 else f"{count:,} users"


def _fault(kind: str, name: str, users: str, new: Iterable[str]) -> Fault:
    """The fault of a name that is gone. `new` are the names that may be its successors."""
    names = sorted(new)
    successor = names[0] if len(names) == 1 else nearest(name, names)
    where = f"where it is called '{successor}' now" if successor else "in its successor"
    rename = f'write was = "{name}" {where}'
    return Fault(f"{kind} '{name}'", f"is gone, but {users} have it", f"{rename}, or keep it with retired = true")
