"""A user's profile as it was: what a read at an earlier time answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from laurels.present.presentation import Presentation
from laurels.present.profiles import Leader, Profile, ProfileMaker
from laurels.storage.contract import UserRow


class UserProfile(Profile, frozen=True):
    """A user's profile, now or as of an earlier time. In the past, `leaderboard` and `userRank` are null."""

    leaderboard: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]  # in the past there is none
        Annotated[list[Leader], Meta(max_length=5)] | None,
        Meta(description="The top users by points; null as of an earlier time, because it is about others"),
    ]


def past_profile(context: Presentation, row: UserRow, at: datetime, more: Mapping[str, Any]) -> UserProfile:
    """The profile of a user as they were at this time, with what it includes."""
    profile = ProfileMaker(context).profile(row, (), at)
    fields = {name: getattr(profile, name) for name in profile.__struct_fields__}
    values: dict[str, Any] = {**fields, **more, "leaderboard": None, "user_rank": None}
    return UserProfile(**values)
