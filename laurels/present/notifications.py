"""Notifications: what a user's open pages are sent when something happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from laurels.engine.catalog import Catalog
from laurels.present.base import Answer, Points, SparseAnswer, UtcTime
from laurels.storage.contract import NotificationRow

_COPIED: Mapping[str, Sequence[str]] = {
    "badge": ("times",),
    "level": ("level", "title"),
    "streak": ("streak", "before", "length"),
    "leaderboard": ("period", "before", "rank", "ranked"),
}
"""The stored fields that a notification repeats, by the first word of its type."""


class NotificationBadge(Answer, frozen=True):
    """The badge of a notification. `points` are what it paid; 0 when it is revoked."""

    id: str
    name: str
    icon: str
    points: Points


class NotificationLeaderboard(Answer, frozen=True):
    """The leaderboard of a notification."""

    id: str
    name: str


class NotificationMessage(SparseAnswer, frozen=True):
    """Something that happened to a user. Which fields it has depends on `type`; a type that you do not know has only `data`.

    badge.earned and badge.revoked have `badge`, badge.repeated also how many `times` the user has it now; level.reached and
    level.lost `level` and `title`; streak.extended and streak.corrected `streak`, `before` and `length`; leaderboard.top,
    .passed and .closed `board`, `period` and `rank`, with the earlier rank as `before` (.passed) and the number of ranked users
    as `ranked` (.closed). `data` is what was stored.
    """

    id: Annotated[str, Meta(description="Its position among the user's notifications: 'REVISION-POSITION'")]
    type: str
    at: UtcTime
    data: dict[str, Any]
    badge: NotificationBadge | UnsetType = UNSET
    times: int | UnsetType = UNSET
    level: int | UnsetType = UNSET
    title: str | UnsetType = UNSET
    streak: str | UnsetType = UNSET
    length: int | UnsetType = UNSET
    board: NotificationLeaderboard | UnsetType = UNSET
    period: str | UnsetType = UNSET
    rank: int | UnsetType = UNSET
    ranked: int | UnsetType = UNSET
    before: int | UnsetType | None = UNSET


def notification_message(catalog: Catalog, row: NotificationRow) -> NotificationMessage:
    """A stored notification, with the names that the catalog gives its badge or leaderboard."""
    data, fields = row.data, dict[str, Any]()
    kind, _, _ = row.type.partition(".")
    fields |= {name: data[name] for name in _COPIED.get(kind, ()) if name in data}
    fields |= _named(catalog, row)
    return NotificationMessage(id=f"{row.revision}-{row.position}", type=row.type, at=row.at, data=dict(data), **fields)


def _named(catalog: Catalog, row: NotificationRow) -> dict[str, Any]:
    """The fields with the names of the catalog; the title of a level only in another language than the one that is stored."""
    kind, data = row.type.partition(".")[0], row.data
    if kind == "badge":
        badge = catalog.badge(data["badge"])
        name, icon = (badge.name, badge.icon) if badge else (data["badge"], "")
        return {"badge": NotificationBadge(id=data["badge"], name=name, icon=icon, points=data.get("points", 0))}
    if kind == "leaderboard":
        board = catalog.boards.get(data["board"])
        return {"board": NotificationLeaderboard(id=data["board"], name=board.name if board else data["board"])}
    if kind == "level" and catalog.shown_in != catalog.language and 1 <= data["level"] <= len(catalog.levels.all):
        level = catalog.levels.all[int(data["level"]) - 1]
        return {"title": level.title}
    return {}


def in_other_language(catalog: Catalog, message: NotificationMessage) -> NotificationMessage:
    """A notification with its names in the language of this catalog."""
    revision, _, position = message.id.partition("-")
    row = NotificationRow("", int(revision), int(position), message.at, message.type, message.data)
    return notification_message(catalog, row)
