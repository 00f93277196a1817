"""Rows: which columns a table has, and how they become the contract's values and come from them, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from laurels.engine.events import MAX_USER_ID, Event
from laurels.engine.ranking import TEAM, WITHIN, Place, Ranks, rank_changes
from laurels.storage.codec import (
    from_micros,
    maybe_instant,
    maybe_micros,
    pack_data,
    pack_progress,
    pack_zones,
    to_micros,
    unpack_data,
    unpack_progress,
    unpack_zones,
)
from laurels.storage.contract import (
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    Changes,
    ClosedPeriodRow,
    EventRow,
    KeyRow,
    LeaderboardRequest,
    LedgerRow,
    Loaded,
    MaintenanceRun,
    NotificationRow,
    Standing,
    Team,
    Teams,
    TeamsRequest,
    UserRow,
)

USERS = (
    "user_id, name, zones, joined_at, created_at, revision, rules, points, reached_at, progress, groups, amnesties, "
    "visibility, excluded"
)
EVENTS = (
    "user_id, event_id, revision, type, occurred_at, sent_at, recorded_at, day, quantity, data, outcome, "
    "rank_before, rank_after, late_by, reversed_by"
)
ACTS = "user_id, act_id, revision, at, kind, data, reason, actor, undone_by"
AWARDS = "user_id, badge, revision, awarded_at, points, event_id"
LEDGER = "user_id, revision, position, at, amount, reason, ref, event_id, counts_at"
CLOSINGS = "board, period, closed_at, told_at"
LINE = "s.user_id, u.name, u.points, s.sort_key, s.reached_at, u.visibility, u.excluded"
STANDINGS = "user_id, board, period, sort_key, reached_at"
MOMENTS = "user_id, revision, position, at, type, data"
AMNESTIES = "amnesty_id, first_day, last_day, for_group, reason, actor, created_at, lifted_at, lifted_by, lift_reason"
KEYS = "key_hash, name, hint, created_at, revoked_at"
UPKEEP = "task, at, outcome"
DAY = 86_400_000_000
DAY_OF_ENTRY = f"(at + {date(1970, 1, 1).toordinal() * DAY}) / {DAY}"
"""The day (UTC) of an entry of the ledger, as an ordinal; numbers above 0 are divided alike everywhere."""


TABLES_OF_USERS = ("users", "sessions", "events", "acts", "awards", "ledger", "outbox", "standings")
"""All tables with rows of one user, in the order of erasing: whoever adds rows of a user keeps the user's row meanwhile."""

ERASED_USER = "\U0010ffffnobody-"
"""How the names of those begin who keep the places of erased users in closed periods: behind all others of the same moment."""

BEHIND_PARTS = f"{WITHIN}\U0010ffff"
"""Behind a board's id: what sorts behind all its parts, and before whatever else does."""

GROUP_SEPARATOR = "\n"  # no name of a group may hold a control character

Columns = Sequence[Any]

_json = msgspec.json.Encoder(order="deterministic").encode


def user_of(row: Columns) -> UserRow:
    """A user, from USERS."""
    user_id, name, zones, joined_at, created_at, revision, rules, points, reached_at, progress, *rest = row
    groups, amnesties, visibility, _ = rest
    unpacked = unpack_progress(
        progress, points, maybe_instant(reached_at), unpack_zones(zones), maybe_instant(joined_at)
    )
    of_groups = tuple(groups.split(GROUP_SEPARATOR)) if groups else ()
    return UserRow(user_id, name, from_micros(created_at), revision, rules, unpacked, of_groups, amnesties, visibility)


def user_columns(user: UserRow) -> Columns:
    """USERS of a user."""
    progress = user.progress
    return (
        user.user_id,
        user.name,
        pack_zones(progress.zones),
        maybe_micros(progress.joined_at),
        to_micros(user.created_at),
        user.revision,
        user.rules,
        progress.points,
        maybe_micros(progress.reached_at),
        pack_progress(progress),
        GROUP_SEPARATOR.join(user.groups) or None,
        user.amnesties,
        user.visibility,
        int(progress.manual.excluded),
    )


def renamed(found: Loaded, changes: Changes) -> list[Columns]:
    """The new name and the id of each user who had another name before."""
    known = found.users
    return [
        (user.name, user.user_id)
        for user in changes.users
        if user.user_id in known and known[user.user_id].name != user.name
    ]


def event_of(row: Columns) -> EventRow:
    """An event, from EVENTS."""
    user_id, event_id, revision, kind, occurred_at, sent_at, recorded_at, day, quantity, data, *rest = row
    outcome, before, after, late_by, reversed_by = rest
    return EventRow(
        event=Event(user_id, event_id, kind, from_micros(occurred_at), quantity, unpack_data(data), day, late_by),
        sent_at=maybe_instant(sent_at),
        recorded_at=from_micros(recorded_at),
        revision=revision,
        outcome=outcome.encode() if outcome else None,
        rank_before=before,
        rank_after=after,
        reversed_by=reversed_by,
    )


def event_columns(row: EventRow, ranks: Mapping[str, Ranks]) -> Columns:
    """EVENTS of an event, with the ranks that its transaction measured."""
    event = row.event
    assert event.occurred_at is not None
    moved = ranks.get(event.user_id) if row.outcome else None
    return (
        event.user_id,
        event.id,
        row.revision,
        event.type,
        to_micros(event.occurred_at),
        maybe_micros(row.sent_at),
        to_micros(row.recorded_at),
        event.day,
        event.quantity,
        pack_data(event.data),
        row.outcome.decode() if row.outcome else None,
        moved.before if moved else None,
        moved.after if moved else None,
        event.late_by,
        row.reversed_by,
    )


def adjustment_of(row: Columns) -> AdjustmentRow:
    """An act, from ACTS."""
    user_id, adjustment_id, revision, at, kind, data, reason, actor, undone_by = row
    return AdjustmentRow(
        user_id, adjustment_id, revision, from_micros(at), kind, unpack_data(data) or {}, reason, actor, undone_by
    )


def adjustment_columns(act: AdjustmentRow) -> Columns:
    """ACTS of an act."""
    at, data = to_micros(act.at), pack_data(act.data)
    return (act.user_id, act.adjustment_id, act.revision, at, act.kind, data, act.reason, act.actor, act.undone_by)


def amnesty_of(row: Columns) -> AmnestyRow:
    """An amnesty, from AMNESTIES."""
    amnesty_id, first, last, group, reason, actor, created_at, lifted_at, *lifting = row
    made, lifted = from_micros(created_at), maybe_instant(lifted_at)
    return AmnestyRow(amnesty_id, first, last, group, reason, actor, made, lifted, *lifting)


def amnesty_columns(row: AmnestyRow) -> Columns:
    """AMNESTIES of an amnesty."""
    made, lifted = to_micros(row.created_at), maybe_micros(row.lifted_at)
    days, lifting = (row.first_day, row.last_day), (lifted, row.lifted_by, row.lift_reason)
    return (row.amnesty_id, *days, row.for_group, row.reason, row.actor, made, *lifting)


def amnesty_count(rows: Sequence[AmnestyRow]) -> int:
    """A number that differs after each amnesty that is made or lifted."""
    return len(rows) + sum(row.lifted_at is not None for row in rows)


def award_of(row: Columns) -> AwardRow:
    """An award, from AWARDS."""
    user_id, badge, revision, awarded_at, points, event_id = row
    return AwardRow(user_id, badge, revision, from_micros(awarded_at), points, event_id)


def award_columns(award: AwardRow) -> Columns:
    """AWARDS of an award."""
    return (award.user_id, award.badge, award.revision, to_micros(award.awarded_at), award.points, award.event_id)


def entry_of(row: Columns) -> LedgerRow:
    """A ledger entry, from LEDGER."""
    user_id, revision, position, at, amount, reason, ref, event_id, counts_at = row
    moment = maybe_instant(counts_at)
    return LedgerRow(user_id, revision, position, from_micros(at), amount, reason, ref, event_id, moment)


def entry_columns(entry: LedgerRow) -> Columns:
    """LEDGER of an entry."""
    at, counts_at, what = to_micros(entry.at), maybe_micros(entry.counts_at), (entry.reason, entry.ref)
    return (entry.user_id, entry.revision, entry.position, at, entry.amount, *what, entry.event_id, counts_at)


def standings_of(rows: Iterable[Columns]) -> dict[tuple[str, str], Place]:
    """A user's places by board and period, from STANDINGS."""
    return {(board, period): Place(sort_key, at, user_id) for user_id, board, period, sort_key, at in rows}


def standings_shown(found: Sequence[Sequence[Any]], ranks: Sequence[int]) -> list[Standing]:
    """Lines with their ranks, but for those of nobody, whose places only count."""
    return [standing_of(row, rank) for row, rank in zip(found, ranks, strict=True) if row[2] is not None]


def partitions_of_teams(asked: TeamsRequest) -> tuple[str, str, str]:
    """The period, and between which seats those of a board's teams lie."""
    partitions = asked.board + TEAM
    return asked.period, partitions, partitions[:-1] + chr(ord(WITHIN) + 1)


def teams_of(asked: TeamsRequest, found: Sequence[Columns]) -> Teams:
    """Teams, from their (rank, seat, total, members, members of all)."""
    partitions = asked.board + TEAM
    lines = [
        Team(rank, partition.removeprefix(partitions), total, members) for rank, partition, total, members, _ in found
    ]
    return Teams(lines, found[0][4] if found else 0)


def closing_of(row: Columns) -> ClosedPeriodRow:
    """A closed period, from CLOSINGS."""
    board, period, closed_at, notified_at = row
    return ClosedPeriodRow(board, period, from_micros(closed_at), maybe_instant(notified_at))


def standing_of(row: Sequence[Any], rank: int) -> Standing:
    """A line of a board, from LINE."""
    user_id, name, points, sort_key, reached_at, visibility, excluded = row
    return Standing(rank, Place(sort_key, reached_at, user_id), name, points, visibility, bool(excluded))


def notification_of(row: Columns) -> NotificationRow:
    """A moment, from MOMENTS."""
    user_id, revision, position, at, kind, data = row
    return NotificationRow(user_id, revision, position, from_micros(at), kind, unpack_data(data) or {})


def notification_columns(moment: NotificationRow) -> Columns:
    """MOMENTS of a moment."""
    at, data = to_micros(moment.at), _json(moment.data).decode()
    return (moment.user_id, moment.revision, moment.position, at, moment.type, data)


def in_front(lines: Iterable[Standing], top: int) -> list[Standing]:
    """The lines of the first `top` ranks, without those of users who are excluded by now."""
    return [line for line in lines if line.rank <= top and not line.excluded]


def closing_notification(
    line: Standing, asked: LeaderboardRequest, ranked: int, revision: int, at: datetime
) -> NotificationRow:
    """What a user in front is told when a period closes."""
    data = {"board": asked.board, "period": asked.period, "rank": line.rank, "ranked": ranked}
    return NotificationRow(line.place.user_id, revision, 0, at, "leaderboard.closed", data)


def rank_notifications(
    changes: Changes, measured: Mapping[tuple[str, str], Mapping[str, Ranks]]
) -> list[NotificationRow]:
    """What users are told who climbed among the first ranks of a board, behind all else that they are told.

    Whom the transaction does not write climbed by no act: nobody, in the place of an erased user, and who was mended.
    """
    told: list[NotificationRow] = []
    positions: dict[str, int] = {}
    of_tops = {key: of_board for key, of_board in measured.items() if key[0] in changes.tops}
    for (board, period), of_board in of_tops.items():
        for user_id, ranks in of_board.items():
            for kind in (
                rank_changes(ranks, changes.tops[board].notify_top) if user_id in changes.next_notifications else ()
            ):
                revision, first, at = changes.next_notifications[user_id]
                position = positions.setdefault(user_id, first)
                positions[user_id] += 1
                data = {"board": board, "period": period, "before": ranks.before, "rank": ranks.after}
                told.append(NotificationRow(user_id, revision, position, at, kind, data))
    return told


def key_of(row: Columns) -> KeyRow:
    """An API key, from KEYS."""
    key_hash, name, hint, created_at, revoked_at = row
    return KeyRow(key_hash, name, hint, from_micros(created_at), maybe_instant(revoked_at))


def maintenance_run_of(row: Columns) -> MaintenanceRun:
    """What was done for the database's keep, from UPKEEP."""
    task, at, outcome = row
    return MaintenanceRun(task, from_micros(at), unpack_data(outcome) or {})


def maintenance_run_columns(note: MaintenanceRun) -> Columns:
    """UPKEEP of what was done."""
    return (note.task, to_micros(note.at), pack_data(note.outcome))


def end_of_prefix(text: str) -> str:
    """A text behind all ids that begin with this one, and before all others behind it, by code point."""
    kept = text.rstrip(LAST_CHARACTER)
    if not kept:
        return LAST_CHARACTER * (MAX_USER_ID + 1)
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(following if following != FIRST_SURROGATE else BEHIND_SURROGATES)


LAST_CHARACTER = "\U0010ffff"
FIRST_SURROGATE, BEHIND_SURROGATES = 0xD800, 0xE000  # no character
