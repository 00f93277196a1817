"""Users: what the app sends about one, and what is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from laurels.engine.catalog import Catalog
from laurels.engine.instants import read_instant
from laurels.engine.leaderboards import Visibility
from laurels.present.base import Answer, Body, Group, Name, Points, TimeText, UtcTime, ZoneName
from laurels.storage.contract import UserRow


class UserIn(Body, frozen=True):
    """What the app knows about a user. A field that is left out stays as it is; null removes a name or a joining time."""

    name: Name | UnsetType | None = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    joined_at: TimeText | UnsetType | None = UNSET
    groups: Annotated[list[Group], Meta(max_length=50)] | UnsetType = UNSET
    visibility: Visibility | UnsetType | None = UNSET

    def joined(self) -> datetime | UnsetType | None:
        """The joining time. Raises InvalidInput."""
        return read_instant("joinedAt", self.joined_at) if isinstance(self.joined_at, str) else self.joined_at


class VisibilityIn(Body, frozen=True):
    """How leaderboards show the user: by name, under a pseudonym, or not at all; null: each leaderboard's default."""

    visibility: Visibility | None


class ZoneChange(Answer, frozen=True):
    """A time zone and the time from which it applies; null for the first one, which applies to all earlier times."""

    since: UtcTime | None
    time_zone: str


class User(Answer, frozen=True):
    """A user as stored."""

    user_id: str
    name: str | None
    time_zone: str
    time_zones: list[ZoneChange]
    joined_at: UtcTime | None
    created_at: UtcTime
    groups: list[str]
    visibility: Visibility | None
    points: Points
    level: int
    title: str


def user(catalog: Catalog, row: UserRow, now: datetime) -> User:
    """A user as stored, with the time zone at this time."""
    progress = row.progress
    zones = progress.zones
    level = catalog.levels.read(progress.points).level
    return User(
        user_id=row.user_id,
        name=row.name,
        time_zone=zones.at(now),
        time_zones=[
            ZoneChange(since=None, time_zone=zones.first or zones.default),
            *(ZoneChange(since=since, time_zone=name) for since, name in zones.journeys()),
        ],
        joined_at=progress.joined_at,
        created_at=row.created_at,
        groups=list(row.groups),
        visibility=row.visibility,
        points=progress.points,
        level=level.number,
        title=level.title,
    )
