"""Rows of users of which only what is asked for is decoded: a plan looks at all users, and most do not change."""

from __future__ import annotations

from typing import Any

import msgspec

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
