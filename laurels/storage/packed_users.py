"""Rows of users and events of which only what is asked for is decoded: a plan looks at all users, and most do not change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from laurels.engine.events import Event
from laurels.engine.instants import EPOCH, from_micros
from laurels.engine.progress import NO_MANUAL_STATE, ManualState
from laurels.storage import codec
from laurels.storage.codec import Columns
from laurels.storage.columns import USERS
from laurels.storage.contract import UserRow

_NONE = msgspec.Raw(b"\xc0")

_USER_ID, _REVISION, _RULES, _POINTS, _PROGRESS, _AMNESTIES = (
    [*USERS.kinds].index(name) for name in ("user_id", "revision", "rules", "points", "progress", "amnesties")
)


class _Glance(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a packed progress, of which only small parts are decoded."""

    totals: dict[str, int]
    days: msgspec.Raw
    capped: msgspec.Raw
    partial: msgspec.Raw
    folds: msgspec.Raw
    badges: dict[str, int]
    manual: msgspec.Raw
    scores: msgspec.Raw = _NONE
    latest: msgspec.Raw = _NONE
    values: msgspec.Raw = _NONE
    values_within: msgspec.Raw = _NONE
    board_days: msgspec.Raw = _NONE


_glance = msgspec.msgpack.Decoder(_Glance).decode
_folds = msgspec.msgpack.Decoder(dict[str, tuple[Any, Any, Any, int, Any, Any, Any]]).decode


class PackedUser:
    """A user's row. Conditions and levels read it as a `Progress`; what is not decoded yet is decoded then."""

    __slots__ = (
        "_columns",
        "_seen",
        "_unpacked",
        "amnesties",
        "badges",
        "points",
        "revision",
        "rules",
        "totals",
        "user_id",
    )

    def __init__(self, columns: Columns) -> None:
        """A row of USERS."""
        self._columns = columns
        self._unpacked: UserRow | None = None
        self.user_id: str = columns[_USER_ID]
        self.revision: int = columns[_REVISION]
        self.rules: str = columns[_RULES]
        self.points: int = columns[_POINTS]
        self.amnesties: int = columns[_AMNESTIES]
        self._seen = seen = _glance(columns[_PROGRESS])
        self.totals, self.badges = seen.totals, seen.badges

    def __getattr__(self, name: str) -> Any:
        """Everything else of a progress."""
        return getattr(self.row.progress, name)

    @property
    def row(self) -> UserRow:
        """The whole row, decoded."""
        if self._unpacked is None:
            self._unpacked = codec.user_of(self._columns)
        return self._unpacked

    @property
    def manual(self) -> ManualState:
        """What was set by hand."""
        return NO_MANUAL_STATE if bytes(self._seen.manual) == b"\xc0" else self.row.progress.manual

    @property
    def knows_board_days(self) -> bool:
        """Whether the days of leaderboards are stored; an earlier version did not."""
        return bytes(self._seen.board_days) != b"\xc0"

    def longest(self, streak: str) -> int:
        """The length of the streak's longest run."""
        fold = _folds(self._seen.folds).get(streak)
        return fold[3] if fold else 0


class PackedEvents:
    """Events of some types of several users."""

    __slots__ = ("_of_user",)

    def __init__(self, rows: Iterable[Columns]) -> None:
        """Rows of COUNTED_EVENT with the data of each, or NULL; those of a user together."""
        self._of_user: dict[str, list[Columns]] = {}
        user_id, found = None, list[Columns]()
        for row in rows:
            if row[0] != user_id:
                user_id = row[0]
                self._of_user[user_id] = found = []
            found.append(row)

    def active(self, user_id: str, revision: int, *, recording: bool) -> list[Event]:
        """The events that counted when the user had this revision, in any order.

        Their time of recording is decoded only if it is asked for, and their data is there only if it was read.
        """
        events: list[Event] = []
        for row in self._of_user.get(user_id, ()):
            _, event_id, of, kind, occurred_at, recorded_at, day, quantity, late_by, reversed_by, data = row
            if of <= revision and (reversed_by is None or reversed_by > revision):
                at = EPOCH + timedelta(0, 0, occurred_at)  # as `from_micros`, in half the time
                read = codec.unpack_data(data) if data else None
                recorded = from_micros(recorded_at) if recording else None
                events.append(Event(user_id, event_id, kind, at, quantity, read, day, late_by, recorded))
        return events
