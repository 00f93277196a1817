"""Which notifications their users may read: none about a leaderboard for other groups of readers."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.engine.leaderboards import Board
from laurels.service.core import Core
from laurels.storage.contract import NotificationRow


async def with_readable(core: Core, rows: Sequence[NotificationRow]) -> list[tuple[NotificationRow, bool]]:
    """Each row with whether its user may read it now. Groups are read only if a row is about a leaderboard with `readers`."""
    boards = [_limited_board(core, row) for row in rows]
    limited = {row.user_id for row, board in zip(rows, boards, strict=True) if board}
    groups = {user_id: await core.groups_of(user_id) for user_id in limited}
    return [
        (row, board is None or board.may_be_read_by(groups[row.user_id]))
        for row, board in zip(rows, boards, strict=True)
    ]


def _limited_board(core: Core, row: NotificationRow) -> Board | None:
    """The leaderboard that a notification is about, if only some groups may read it."""
    if not row.type.startswith("leaderboard."):
        return None
    boards, renames = core.catalog.boards, core.catalog.renames.boards
    board = boards.get(renames.get(row.data["board"], row.data["board"]))
    return board if board and board.readers else None
