"""Renames: what badges, streaks and leaderboards were called before.

A database keeps what it stored under an earlier id. The catalog says with `was` which id it has today, and what is read
under the earlier one is taken for the current one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from laurels.engine.parsing import Table
from laurels.engine.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Renames:
    """The current id of each earlier one, by kind."""

    badges: Mapping[str, str] = field(default_factory=dict[str, str])
    streaks: Mapping[str, str] = field(default_factory=dict[str, str])
    boards: Mapping[str, str] = field(default_factory=dict[str, str])

    def __bool__(self) -> bool:
        """Whether anything was renamed."""
        return bool(self.badges or self.streaks or self.boards)

    def badge(self, badge: str) -> str:
        """The current id of a badge."""
        return self.badges.get(badge, badge)

    def streak(self, streak: str) -> str:
        """The current name of a streak."""
        return self.streaks.get(streak, streak)

    def data(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data of a stored adjustment, with current names."""
        if "badge" in data and data["badge"] in self.badges:
            return {**data, "badge": self.badges[data["badge"]]}
        if "streak" in data and data["streak"] in self.streaks:
            return {**data, "streak": self.streaks[data["streak"]]}
        return data

    def progress(self, progress: Progress, badges: Mapping[str, int]) -> Progress:
        """A user's progress with current names, but for its manual state, which adjustments give.

        `badges` are those that the user has, with what they paid.
        """
        return replace(
            progress,
            days=_renamed(self.streaks, progress.days),
            partial=_renamed(self.streaks, progress.partial),
            folds=_renamed(self.streaks, progress.folds),
            badges=badges,
            scores=_renamed(self.boards, progress.scores),
            values_within=_renamed(self.boards, progress.values_within),
            board_days=None if progress.board_days is None else _renamed(self.boards, progress.board_days),
        )


def _renamed(names: Mapping[str, str], values: Mapping[str, T]) -> dict[str, T]:
    """Values by current id. What is stored under the current id itself is newer than under an earlier one."""
    earlier = {names[name]: value for name, value in values.items() if name in names}
    return earlier | {name: value for name, value in values.items() if name not in names}


def was_of(raw: Mapping[str, Any]) -> list[str]:
    """The earlier ids in a table that was not read yet; what is wrong in it is reported when it is read."""
    was: Any = raw.get("was")
    named = cast(list[Any], was) if isinstance(was, list) else [was]
    return [name for name in named if isinstance(name, str)]


def read_was(table: Table) -> tuple[str, ...]:
    """The key `was`: one earlier id, or a list of them."""
    if not table.has("was"):
        return ()
    return (table.text("was"),) if isinstance(table.raw["was"], str) else table.texts("was")


def earlier_names(table: Table, key: str, current: Iterable[tuple[str, Sequence[str]]]) -> dict[str, str]:
    """The current id of each earlier one. `current` are the ids of one kind with their earlier ones."""
    known = list(current)
    ids = {name for name, _ in known}
    names: dict[str, str] = {}
    for name, earlier in known:
        for one in earlier:
            if one in ids:
                table.fault(f"{key} '{name}'.was", f"'{one}' is in use", "give an id that is not in this file any more")
            elif one in names:
                table.fault(f"{key} '{name}'.was", f"'{one}' is also named by '{names[one]}'", "name it once")
            else:
                names[one] = name
    return names
