"""Sessions: who signs in, and the token that is returned once."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from laurels.present.base import Answer, Body, Name, UserId, UtcTime, ZoneName, whole_number

MAX_LIFETIME = 365 * 86400
"""The longest lifetime of a session, in seconds."""


class SessionIn(Body, frozen=True):
    """Who signs in. Name and time zone are stored with the user; a time zone that changes again too soon is ignored."""

    user_id: UserId
    name: Name | UnsetType = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    lifetime_seconds: Annotated[int | float, whole_number(MAX_LIFETIME, "Default: 30 days")] | UnsetType = UNSET


class Session(Answer, frozen=True):
    """A new session. The token is shown only here, and set as the cookie `laurels-session`."""

    token: str
    expires_at: UtcTime
