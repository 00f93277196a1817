"""Succession: whether a catalog may follow the one in force, so that nothing that users have loses its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from laurels.engine.catalog import Catalog
from laurels.engine.leaderboards import Board
from laurels.engine.parsing import nearest
from laurels.engine.streaks import Streak
from laurels.errors import Fault


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of badges, streaks and leaderboards, as a database has stored them."""

    badges: frozenset[str] = frozenset()
    streaks: frozenset[str] = frozenset()
    boards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InUse:
    """What a database has under ids of the catalog in force.

    badges   how many users have each badge
    streaks  those of which a user has days
    boards   the leaderboards with lines or closed periods
    """

    badges: Mapping[str, int]
    streaks: frozenset[str] = frozenset()
    boards: frozenset[str] = frozenset()


NOTHING_IN_USE = InUse({})


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of id: its key in a catalog, the ids of a catalog, and the current id of each earlier one."""

    key: str
    ids: Callable[[Catalog], Collection[str]]
    renames: Callable[[Catalog], Mapping[str, str]]

    def current(self, catalog: Catalog, name: str) -> str | None:
        """The current id of what a catalog has, or had, under this id; None if it knows none."""
        current = self.renames(catalog).get(name, name)
        return current if current in self.ids(catalog) else None

    def lost(self, before: Catalog, after: Catalog) -> list[str]:
        """The ids, current and earlier ones, that name nothing in the new catalog, or something else than before."""
        known, lost = [*self.ids(before), *self.renames(before)], list[str]()
        for name in known:
            new, successor = self.current(after, name), self.successor(before, after, name)
            if new is None or (successor and new != successor):
                lost.append(name)
        return lost

    def successor(self, before: Catalog, after: Catalog, name: str) -> str | None:
        """The id in the new catalog of what this id names before; None if that is gone."""
        return self.current(after, self.current(before, name) or name)


_BADGES = _Kind(
    "badges", lambda catalog: [badge.id for badge in catalog.badges], lambda catalog: catalog.renames.badges
)
_STREAKS = _Kind("streaks", lambda catalog: catalog.streaks, lambda catalog: catalog.renames.streaks)
_BOARDS = _Kind("leaderboards", lambda catalog: catalog.boards, lambda catalog: catalog.renames.boards)


def ids_at_stake(before: Catalog, after: Catalog) -> Ids:
    """The ids that must not be in use if the new catalog is to follow: most new catalogs have none."""
    boards = {name for name in _BOARDS.lost(before, after) if name in before.boards}
    return Ids(
        badges=frozenset(_BADGES.lost(before, after)),
        streaks=frozenset([*_STREAKS.lost(before, after), *(name for name, _ in _counted_otherwise(before, after))]),
        boards=frozenset(boards | {name for name, _ in _retired_otherwise(before, after)}),
    )


def lost_names(before: Catalog, after: Catalog, used: InUse) -> list[Fault]:
    """A fault for each id in use that the new catalog does not know any more, and for lines that it would read otherwise.

    Leaderboards are moved to their new id when a catalog is put in force, badges and streaks of a user when the user is next
    read. So an earlier id of these two may still be in use.
    """
    return [
        *_faults(_BADGES, before, after, used.badges, _held),
        *_faults(_STREAKS, before, after, dict.fromkeys(used.streaks, 1), lambda _: "users have days of it"),
        *_faults(_BOARDS, before, after, dict.fromkeys(used.boards, 1), lambda _: "it has lines or closed periods"),
        *(_read_otherwise(board) for name, board in _retired_otherwise(before, after) if name in used.boards),
        *(_units_otherwise(streak) for name, streak in _counted_otherwise(before, after) if name in used.streaks),
    ]


def _held(users: int) -> str:
    return "1 user has it" if users == 1 else f"{users:,} users have it"


def _faults(
    kind: _Kind, before: Catalog, after: Catalog, used: Mapping[str, int], what: Callable[[int], str]
) -> Iterator[Fault]:
    """The faults of one kind. `used` has how much there is under each id, and `what` says that in words."""
    new, gone = {*kind.ids(after)} - {*kind.ids(before)}, Counter[str]()
    for name in kind.lost(before, after):
        successor = kind.successor(before, after, name)
        if not successor:
            gone[kind.current(before, name) or name] += used.get(name, 0)
        elif used.get(name):
            where, fix = f"{kind.key} '{successor}'.was", f'write was = ["{name}"] there, with its other earlier ids'
            yield Fault(where, f"no longer has '{name}', but {what(used[name])}", fix)
    for name, count in gone.items():
        if count:
            yield _gone(kind, name, what(count), new)


def _gone(kind: _Kind, name: str, what: str, new: Iterable[str]) -> Fault:
    """The fault of an id that is gone. `new` are the ids that its holder may have now."""
    names = sorted(new)
    successor = names[0] if len(names) == 1 else nearest(name, names)
    where = f"where it is called '{successor}' now" if successor else "in its successor"
    return Fault(
        f"{kind.key} '{name}'", f"is gone, but {what}", f'write was = "{name}" {where}, or keep it with retired = true'
    )


def _retired_otherwise(before: Catalog, after: Catalog) -> list[tuple[str, Board]]:
    """Leaderboards, with their ids before, whose lines stay as they are from now on, and would be read in another way."""
    found: list[tuple[str, Board]] = []
    for name, board in before.boards.items():
        retired = after.boards.get(_BOARDS.current(after, name) or "")
        if retired and retired.retired and _how_lines_are_read(board) != _how_lines_are_read(retired):
            found.append((name, retired))
    return found


def _counted_otherwise(before: Catalog, after: Catalog) -> list[tuple[str, Streak]]:
    """Streaks, with their names before, whose days stay as they are from now on, and would be read as other units."""
    found: list[tuple[str, Streak]] = []
    for name, streak in before.streaks.items():
        retired = after.streaks.get(_STREAKS.current(after, name) or "")
        if retired and retired.retired and _units(streak) != _units(retired):
            found.append((name, retired))
    return found


def _units(streak: Streak) -> tuple[str, str]:
    return streak.cadence, streak.week_starts


def _units_otherwise(streak: Streak) -> Fault:
    return Fault(
        f"streaks '{streak.name}'",
        "is retired with another 'cadence' or 'week_starts' than its days were counted by",
        "leave these keys as they were, and give a new streak another name",
    )


def _how_lines_are_read(board: Board) -> tuple[object, ...]:
    return board.highest, board.teams, board.within, replace(board.periods, reused=frozenset())


def _read_otherwise(board: Board) -> Fault:
    return Fault(
        f"leaderboards '{board.id}'",
        "is retired with another 'order', 'period', 'teams' or 'within' than its lines have",
        "leave these keys as they were, and give a new leaderboard another id",
    )
