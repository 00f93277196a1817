"""Sessions: who signs in, the token that is returned once, and the list of a user's sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from laurels.engine.names import clean_name
from laurels.engine.zones import reported_zone
from laurels.errors import InvalidInput
from laurels.present.base import Answer, Body, SparseAnswer, UserId, UtcTime, whole_number
from laurels.storage.contract import SessionRow

MAX_LIFETIME = 365 * 86400
"""The longest lifetime of a session, in seconds."""

SESSION_ID_LENGTH = 32
SESSION_ID = "^[0-9a-f]{32}$"


class SessionIn(Body, frozen=True):
    """Who signs in. Name and time zone are stored with the user.

    No sign-in is refused because of them: a name or time zone that cannot be used is left out, and `ignored` says why.
    """

    user_id: UserId
    name: Annotated[Any, Meta(description="The display name; control characters are removed")] | UnsetType = UNSET
    time_zone: (
        Annotated[
            Any,
            Meta(
                description="The browser's time zone: an IANA name, such as 'Europe/Berlin', in any letter case. "
                "UTC, GMT and Etc/... are not used, because browsers that hide the zone report them"
            ),
        ]
        | UnsetType
    ) = UNSET
    lifetime_seconds: Annotated[int | float, whole_number(MAX_LIFETIME, "Default: 30 days")] | UnsetType = UNSET

    def read(self) -> tuple[str | UnsetType, str | UnsetType, list[Ignored]]:
        """The name and the time zone, as far as they can be used, and what cannot."""
        ignored: list[Ignored] = []
        name: str | UnsetType = UNSET
        zone: str | UnsetType = UNSET
        try:
            name = UNSET if self.name is UNSET else _name(self.name)
        except InvalidInput as error:
            ignored.append(Ignored(field="name", why=str(error)))
        try:
            zone = UNSET if self.time_zone is UNSET else reported_zone(self.time_zone)
        except InvalidInput as error:
            ignored.append(Ignored(field="timeZone", why=str(error)))
        return name, zone, ignored


def _name(said: object) -> str:
    if not isinstance(said, str):
        raise InvalidInput("name", "must be a text")
    return clean_name(said)


class Ignored(Answer, frozen=True):
    """A field that was left out, and why."""

    field: str
    why: str


class Session(SparseAnswer, frozen=True):
    """A new session. The token is shown only here, and set as the cookie `laurels-session`.

    `ignored` is left out when all fields were used.
    """

    token: str
    expires_at: UtcTime
    ignored: Sequence[Ignored] = ()


class UserSession(Answer, frozen=True):
    """A session of a user that has not ended. From its id no one can make its token."""

    id: Annotated[str, Meta(extra_json_schema={"pattern": SESSION_ID})]
    created_at: UtcTime
    expires_at: UtcTime


class UserSessions(Answer, frozen=True):
    """The sessions of a user, newest first; of very many, the newest."""

    sessions: Sequence[UserSession]


class EndedSessions(Answer, frozen=True):
    """How many sessions were ended that had not expired."""

    ended: int


def user_session(row: SessionRow) -> UserSession:
    """A session as it is listed."""
    return UserSession(id=id_of_session(row.token_hash), created_at=row.created_at, expires_at=row.expires_at)


def id_of_session(token_hash: bytes) -> str:
    """The id of a session. It is a hash again, because the stored one must not leave the database."""
    return hashlib.sha256(b"id of a session " + token_hash).hexdigest()[:SESSION_ID_LENGTH]
