"""Rows: which columns a table has, and how they become the contract's values and come from them, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from laurels.engine.events import MAX_USER_ID, Event
from laurels.engine.ranking import TEAM, WITHIN, Place, Ranks, climbed
from laurels.storage.codec import (
    from_micros,
    maybe_micros,
    maybe_moment,
    pack_data,
    pack_progress,
    pack_zones,
    to_micros,
    unpack_data,
    unpack_progress,
    unpack_zones,
)
from laurels.storage.contract import (
    ActRow,
    AmnestyRow,
    AskedTeams,
    AwardRow,
    Changes,
    Closing,
    EventRow,
    Found,
    KeyRow,
    LedgerRow,
    Listing,
    MomentRow,
    Standing,
    Team,
    Teams,
    Upkeep,
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

NOBODY = "\U0010ffffnobody-"
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
    unpacked = unpack_progress(progress, points, maybe_moment(reached_at), unpack_zones(zones), maybe_moment(joined_at))
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
        int(progress.told.excluded),
    )


def renamed(found: Found, changes: Changes) -> list[Columns]:
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
        sent_at=maybe_moment(sent_at),
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


def act_of(row: Columns) -> ActRow:
    """An act, from ACTS."""
    user_id, act_id, revision, at, kind, data, reason, actor, undone_by = row
    return ActRow(user_id, act_id, revision, from_micros(at), kind, unpack_data(data) or {}, reason, actor, undone_by)


def act_columns(act: ActRow) -> Columns:
    """ACTS of an act."""
    at, data = to_micros(act.at), pack_data(act.data)
    return (act.user_id, act.act_id, act.revision, at, act.kind, data, act.reason, act.actor, act.undone_by)


def amnesty_of(row: Columns) -> AmnestyRow:
    """An amnesty, from AMNESTIES."""
    amnesty_id, first, last, group, reason, actor, created_at, lifted_at, *lifting = row
    made, lifted = from_micros(created_at), maybe_moment(lifted_at)
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
    moment = maybe_moment(counts_at)
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


def seats_of_teams(asked: AskedTeams) -> tuple[str, str, str]:
    """The period, and between which seats those of a board's teams lie."""
    seats = asked.board + TEAM
    return asked.period, seats, seats[:-1] + chr(ord(WITHIN) + 1)


def teams_of(asked: AskedTeams, found: Sequence[Columns]) -> Teams:
    """Teams, from their (rank, seat, total, members, members of all)."""
    seats = asked.board + TEAM
    lines = [Team(rank, seat.removeprefix(seats), total, members) for rank, seat, total, members, _ in found]
    return Teams(lines, found[0][4] if found else 0)


def closing_of(row: Columns) -> Closing:
    """A closed period, from CLOSINGS."""
    board, period, closed_at, told_at = row
    return Closing(board, period, from_micros(closed_at), maybe_moment(told_at))


def standing_of(row: Sequence[Any], rank: int) -> Standing:
    """A line of a board, from LINE."""
    user_id, name, points, sort_key, reached_at, visibility, excluded = row
    return Standing(rank, Place(sort_key, reached_at, user_id), name, points, visibility, bool(excluded))


def moment_of(row: Columns) -> MomentRow:
    """A moment, from MOMENTS."""
    user_id, revision, position, at, kind, data = row
    return MomentRow(user_id, revision, position, from_micros(at), kind, unpack_data(data) or {})


def moment_columns(moment: MomentRow) -> Columns:
    """MOMENTS of a moment."""
    at, data = to_micros(moment.at), _json(moment.data).decode()
    return (moment.user_id, moment.revision, moment.position, at, moment.type, data)


def in_front(lines: Iterable[Standing], top: int) -> list[Standing]:
    """The lines of the first `top` ranks, without those of users who are excluded by now."""
    return [line for line in lines if line.rank <= top and not line.excluded]


def closing_moment(line: Standing, asked: Listing, ranked: int, revision: int, at: datetime) -> MomentRow:
    """What a user in front is told when a period closes."""
    data = {"board": asked.board, "period": asked.period, "rank": line.rank, "ranked": ranked}
    return MomentRow(line.place.user_id, revision, 0, at, "leaderboard.closed", data)


def climbing_moments(changes: Changes, measured: Mapping[tuple[str, str], Mapping[str, Ranks]]) -> list[MomentRow]:
    """What users are told who climbed among the first ranks of a board, behind all else that they are told.

    Whom the transaction does not write climbed by no act: nobody, in the place of an erased user, and who was mended.
    """
    told: list[MomentRow] = []
    positions: dict[str, int] = {}
    of_tops = {key: of_board for key, of_board in measured.items() if key[0] in changes.tops}
    for (board, period), of_board in of_tops.items():
        for user_id, ranks in of_board.items():
            for kind in climbed(ranks, changes.tops[board].tell_top) if user_id in changes.next_moments else ():
                revision, first, at = changes.next_moments[user_id]
                position = positions.setdefault(user_id, first)
                positions[user_id] += 1
                data = {"board": board, "period": period, "before": ranks.before, "rank": ranks.after}
                told.append(MomentRow(user_id, revision, position, at, kind, data))
    return told


def key_of(row: Columns) -> KeyRow:
    """An API key, from KEYS."""
    key_hash, name, hint, created_at, revoked_at = row
    return KeyRow(key_hash, name, hint, from_micros(created_at), maybe_moment(revoked_at))


def upkeep_of(row: Columns) -> Upkeep:
    """What was done for the database's keep, from UPKEEP."""
    task, at, outcome = row
    return Upkeep(task, from_micros(at), unpack_data(outcome) or {})


def upkeep_columns(note: Upkeep) -> Columns:
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
