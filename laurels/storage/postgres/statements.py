"""Every statement of the PostgreSQL engine. A batch goes as one statement for each table: columns as arrays, one array each."""

from __future__ import annotations

from itertools import pairwise

from laurels.engine.ranking import (
    FIRST_TIME_LEVEL,
    HIDDEN,
    KEY_SHIFTS,
    LEAST_NODE,
    TEAM,
    TIME_SHIFTS,
    TOTAL_LEVEL,
    WITHIN,
)
from laurels.storage import rows
from laurels.storage.tables import OF_EACH, TABLES

NUMBERS = {
    *(
        "joined_at",
        "created_at",
        "reached_at",
        "occurred_at",
        "sent_at",
        "recorded_at",
        "awarded_at",
        "erased_at",
        "at",
    ),
    *(
        "revision",
        "reversed_by",
        "undone_by",
        "points",
        "amount",
        "quantity",
        "day",
        "late_by",
        "amnesties",
        "position",
    ),
    *("counts_at", "excluded", "rank_before", "rank_after", "sort_key", "level", "under", "node", "part"),
}
BYTES = {"progress", "user_hash"}

PARTS = 8
"""A node's count is split into so many rows, by a hash of the user."""


def _type(column: str) -> str:
    return "bigint" if column in NUMBERS else "bytea" if column in BYTES else "text"


def _arrays(columns: str) -> str:
    """One array parameter for each column: 'unnest($1::text[], $2::bigint[])'."""
    typed = [f"${index}::{_type(name)}[]" for index, name in enumerate(columns.split(", "), start=1)]
    return f"unnest({', '.join(typed)})"


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) SELECT * FROM {_arrays(columns)}"


def _setting(columns: str, source: str, *, but: str) -> str:
    """'name = source.name, ...' of all columns but those."""
    return ", ".join(f"{name} = {source}.{name}" for name in columns.split(", ") if name not in but.split(", "))


# ---- users, and what is found of them ---------------------------------------------------------

LOCK_USERS = f"SELECT {rows.USERS} FROM users WHERE user_id = ANY($1) ORDER BY user_id FOR NO KEY UPDATE"
"""In the order of their ids, so that two processes that want the same users cannot wait for one another."""

USER = f"SELECT {rows.USERS} FROM users WHERE user_id = $1"
ADD_USERS = _insert("users", rows.USERS)
SAVE_USERS = f"""
UPDATE users AS u SET {_setting(rows.USERS, "n", but="user_id, created_at")}
FROM {_arrays(rows.USERS)} AS n ({rows.USERS}) WHERE u.user_id = n.user_id
"""
SOME_USERS = f"SELECT {rows.USERS} FROM users WHERE user_id = ANY($1)"
USER_IDS = "SELECT user_id FROM users WHERE user_id > $1 ORDER BY user_id LIMIT $2"
LOCK_NEW = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock($1, bucket) ELSE pg_advisory_xact_lock_shared($1, bucket) END
FROM unnest($2::integer[], $3::boolean[]) AS locks (bucket, alone)
"""
ANY_USER = "SELECT 1 FROM users WHERE user_id = ANY($1) LIMIT 1"
ERASED = "SELECT user_hash FROM tombstones WHERE user_hash = ANY($1)"
ERASE = [f"DELETE FROM {table} WHERE user_id = ANY($1)" for table in rows.TABLES_OF_USERS]
ADD_TOMBSTONES = f"{_insert('tombstones', 'user_hash, erased_at')} ON CONFLICT (user_hash) DO NOTHING"
SECRET = "SELECT value FROM secrets WHERE name = 'tombstones'"
ADD_SECRET = "INSERT INTO secrets (name, value) VALUES ('tombstones', $1) ON CONFLICT (name) DO NOTHING"

# ---- events, acts, awards, ledger -------------------------------------------------------------

AMNESTY_COUNT = "SELECT count(*) + count(lifted_at) FROM amnesties"
EVENTS = f"""
SELECT a.amnesty_count, e.* FROM ({AMNESTY_COUNT}) AS a (amnesty_count) LEFT JOIN (
    SELECT {rows.EVENTS} FROM unnest($1::text[], $2::text[]) AS asked (user_id, event_id)
    JOIN events USING (user_id, event_id)
) AS e ON true
"""
"""The events asked for, each beside the count of amnesties; without any, one row with that count."""

EVENT = f"SELECT {rows.EVENTS} FROM events WHERE user_id = $1 AND event_id = $2"
EVENTS_OF = f"SELECT {rows.EVENTS} FROM events WHERE user_id = ANY($1) ORDER BY user_id, revision"
EVENTS_WITHIN = f"SELECT {rows.EVENTS} FROM events WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision"
ADD_EVENTS = _insert("events", rows.EVENTS)
MARK_EVENTS = """
UPDATE events AS e SET reversed_by = n.reversed_by
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (reversed_by, user_id, event_id)
WHERE e.user_id = n.user_id AND e.event_id = n.event_id
"""
NEXT_EVENT_OF_DAYS = """
SELECT user_id, event_id, day FROM events WHERE (user_id, event_id) > ($1, $2) AND day = ANY($3::integer[])
ORDER BY user_id, event_id LIMIT 1
"""
ACTS_OF = f"SELECT {rows.ACTS} FROM acts WHERE user_id = ANY($1) ORDER BY user_id, revision"
ACTS_WITHIN = f"SELECT {rows.ACTS} FROM acts WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision"
SAVE_ACTS = f"""
{_insert("acts", rows.ACTS)}
ON CONFLICT (user_id, act_id) DO UPDATE SET {_setting(rows.ACTS, "excluded", but="user_id, adjustment_id")}
"""
AWARDS_OF = f"SELECT {rows.AWARDS} FROM awards WHERE user_id = ANY($1) ORDER BY user_id, revision, badge"
AWARDS_WITHIN = (
    f"SELECT {rows.AWARDS} FROM awards WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision, badge"
)
ADD_AWARDS = _insert("awards", rows.AWARDS)
DROP_AWARDS = """
DELETE FROM awards AS a USING unnest($1::text[], $2::text[]) AS gone (user_id, badge)
WHERE a.user_id = gone.user_id AND a.badge = gone.badge
"""
LEDGER_OF = f"SELECT {rows.LEDGER} FROM ledger WHERE user_id = ANY($1) ORDER BY user_id, revision, position"
ENTRIES_WITHIN = (
    f"SELECT {rows.LEDGER} FROM ledger WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision, position"
)
ADD_ENTRIES = _insert("ledger", rows.LEDGER)
ADD_MOMENTS = _insert("outbox", rows.MOMENTS)
NEWEST_MOMENT = "SELECT revision, position FROM outbox WHERE user_id = $1 ORDER BY revision DESC, position DESC LIMIT 1"
NEXT_MOMENTS = f"""
SELECT told.* FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS asked (user_id, revision, position), LATERAL (
    SELECT {rows.MOMENTS} FROM outbox o
    WHERE o.user_id = asked.user_id AND (o.revision, o.position) > (asked.revision, asked.position)
    ORDER BY o.revision, o.position LIMIT $4
) AS told ORDER BY 1, 2, 3
"""
"""Each user's own, by the key of the outbox."""

REVISIONS = """
SELECT revision FROM (
    SELECT revision FROM events WHERE user_id = $1 AND revision < $2
    UNION SELECT revision FROM awards WHERE user_id = $1 AND revision < $2
    UNION SELECT revision FROM ledger WHERE user_id = $1 AND revision < $2
    UNION SELECT revision FROM acts WHERE user_id = $1 AND revision < $2
) AS filled ORDER BY revision DESC LIMIT $3
"""

# ---- boards -----------------------------------------------------------------------------------

LINE = f"""
SELECT {rows.LINE}
FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE s.board = $1 AND s.period = $2
"""
LINES_OF = f"{LINE} AND s.user_id = ANY($3)"
FIRST = f"{LINE} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT %d"
"""Numbers of lines are filled in, for a plan that is made for any numbers reads a tenth of the board."""

BEHIND = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) > ($3, $4, $5) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT %d
"""
BEFORE = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) < ($3, $4, $5)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT %d
"""
VIEWS = f"""
SELECT 'user' AS kind, {rows.USERS} FROM users WHERE user_id = ANY($3)
UNION ALL
SELECT 'line', line.user_id, name, NULL, NULL, 0, sort_key, '', points, reached_at, ''::bytea, NULL, 0, visibility, excluded
FROM ({FIRST}) AS line
UNION ALL
SELECT 'amnesties', '', NULL, NULL, NULL, 0, 0, '', 0, NULL, ''::bytea, NULL, ({AMNESTY_COUNT}), NULL, 0
"""
"""Some users, the first lines of the board and the count of amnesties, in one snapshot, each kind in the columns of a user
(a line's sort key in that of the revision).
"""

CLOSED = "SELECT told_at IS NOT NULL FROM closings WHERE board = $1 AND period = $2"
CLOSED_OF = """
SELECT board, period FROM unnest($1::text[], $2::text[]) AS asked (board, period) JOIN closings USING (board, period)
"""
CLOSE = """
INSERT INTO closings (board, period, closed_at) VALUES ($1, $2, $3) ON CONFLICT (board, period) DO NOTHING RETURNING 1
"""
TOLD = "UPDATE closings SET told_at = $3 WHERE board = $1 AND period = $2 AND told_at IS NULL RETURNING 1"
CLOSINGS = f"SELECT {rows.CLOSINGS} FROM closings WHERE board = $1 ORDER BY closed_at DESC, period DESC LIMIT $2"
NEXT_REVISIONS = "UPDATE users SET revision = revision + 1 WHERE user_id = ANY($1) RETURNING user_id, revision"
LOCK_PERIODS = "SELECT pg_advisory_xact_lock_shared($1, period) FROM unnest($2::integer[]) AS period"
LOCK_PERIOD = "SELECT pg_advisory_xact_lock($1, $2)"
SEATS_OF_PERIODS = f"FROM tallies t WHERE t.level = {FIRST_TIME_LEVEL - 1}"
PERIODS = f"""
WITH RECURSIVE seat (period, board) AS (
    (SELECT t.period, t.board {SEATS_OF_PERIODS} ORDER BY t.period, t.board LIMIT 1)
    UNION ALL
    SELECT next.period, next.board FROM seat, LATERAL (
        SELECT t.period, t.board {SEATS_OF_PERIODS} AND (t.period, t.board) > (
            seat.period,
            CASE WHEN strpos(seat.board, '{WITHIN}') > 0
                THEN split_part(seat.board, '{WITHIN}', 1) || '{rows.BEHIND_PARTS}' ELSE seat.board END
        ) ORDER BY t.period, t.board LIMIT 1
    ) AS next
)
SELECT DISTINCT split_part(seat.board, '{WITHIN}', 1) AS base, seat.period FROM seat WHERE NOT EXISTS (
    SELECT 1 FROM closings c
    WHERE c.board = split_part(seat.board, '{WITHIN}', 1) AND c.period = seat.period AND c.told_at IS NOT NULL
) ORDER BY base, period
"""
"""Each step leaps over all tallies of a board's part in a period, and from the first of its parts over all of them."""


def _teams(*, mean: bool, highest: bool) -> str:
    down = "DESC" if highest else "ASC"
    ahead = f"total / members {down}, (total % members)::float8 / members {down}" if mean else f"total {down}"
    return f"""
    WITH teams AS (
        SELECT t.board AS seat, sum(t.amount)::bigint AS total, (
            SELECT sum(n.amount)::bigint FROM tallies n
            WHERE n.board = t.board AND n.period = $1 AND n.level = {FIRST_TIME_LEVEL - 1} AND n.under = 0
        ) AS members FROM tallies t WHERE t.level = {TOTAL_LEVEL} AND t.period = $1 AND t.board > $2 AND t.board < $3
        GROUP BY t.board
    ), ranked AS (
        SELECT rank() OVER (ORDER BY {ahead}) AS rank, seat, total, members,
            row_number() OVER (ORDER BY {ahead}, seat) AS number, sum(members) OVER ()::bigint AS everybody FROM teams
    ) SELECT rank, seat, total, members, everybody FROM ranked WHERE number <= $4 OR seat = ANY($5::text[]) ORDER BY number
    """


TEAMS = {(mean, highest): _teams(mean=mean, highest=highest) for mean in (False, True) for highest in (False, True)}
"""By whether a team has its members' mean, and whether the highest comes first. A mean is compared by its whole part and by
the rest, which floating numbers tell apart for any number of members.
"""

STANDINGS_OF = f"SELECT {rows.STANDINGS} FROM standings WHERE user_id = ANY($1)"
OPEN_STANDINGS_OF = f"""
{STANDINGS_OF} AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.period = standings.period AND c.board = split_part(standings.board, '{WITHIN}', 1)
)
"""
STANDINGS_AT = """
SELECT user_id, board, period, sort_key, reached_at FROM unnest($1::text[], $2::text[], $3::text[])
    AS asked (user_id, board, period) JOIN standings USING (user_id, board, period)
"""
GAPS = f"""
SELECT sort_key, reached_at, user_id, ahead FROM standings
WHERE board = ANY(ARRAY[$1, $1 || '{HIDDEN}']) AND period = $2 AND ahead > 0
    AND (sort_key, reached_at) >= ($3, $4) AND (sort_key, reached_at) <= ($5, $6)
"""
LOCK_GAPS = "SELECT pg_advisory_xact_lock($1)"
LEAVE_GAPS = f"""
WITH gap AS (
    SELECT s.period, following.user_id, following.board, s.ahead + asked.taken AS ahead
    FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS asked (board, period, base, taken)
    JOIN standings s ON s.user_id = $1 AND s.board = asked.board AND s.period = asked.period,
    LATERAL (
        SELECT equal.user_id, seat.board FROM unnest(ARRAY[asked.base, asked.base || '{HIDDEN}']) AS seat (board), LATERAL (
            SELECT e.user_id FROM standings e
            WHERE e.board = seat.board AND e.period = s.period AND e.sort_key = s.sort_key AND e.reached_at = s.reached_at
                AND e.user_id > $1 AND e.user_id < '{rows.ERASED_USER}'
            ORDER BY e.user_id LIMIT 1
        ) AS equal ORDER BY equal.user_id LIMIT 1
    ) AS following
)
UPDATE standings s SET ahead = s.ahead + gap.ahead FROM gap
WHERE s.user_id = gap.user_id AND s.board = gap.board AND s.period = gap.period AND gap.ahead > 0
"""
"""Ahead of the next equal of a user ($1) in each of these seats and periods, who may be hidden: that somebody stood there (where
they took a rank), and what was noted ahead of them.
"""

SAVE_STANDINGS = f"""
{_insert("standings", rows.STANDINGS)}
ON CONFLICT (user_id, board, period) DO UPDATE SET sort_key = excluded.sort_key, reached_at = excluded.reached_at
"""
DROP_STANDINGS = """
DELETE FROM standings AS s USING unnest($1::text[], $2::text[], $3::text[]) AS gone (user_id, board, period)
WHERE s.user_id = gone.user_id AND s.board = gone.board AND s.period = gone.period
"""
SAVE_TALLIES = f"""
{_insert("tallies", "board, period, level, under, node, part, amount")}
ON CONFLICT (board, period, level, under, node, part) DO UPDATE SET amount = tallies.amount + excluded.amount
"""
DROP_EMPTY_TALLIES = """
DELETE FROM tallies AS t
USING unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS n (board, period, level, under, node, part)
WHERE (t.board, t.period, t.level, t.under, t.node, t.part) = (n.board, n.period, n.level, n.under, n.node, n.part)
    AND t.amount = 0
"""


def _ranges(value: str, shifts: tuple[int, ...], first_level: int, under: str) -> list[str]:
    """The nodes before that of `value`, as rows of (level, under, low, high, sign).

    Like `ranges_ahead` in `engine/leaderboards.py`, but each level is taken to the nearer end of its siblings: where that is the
    last one, the parent is counted whole, and the siblings from `value` on are taken off again.
    """
    ranges: list[str] = []
    rounding, here = 0, f"({value} >> {shifts[0]})"
    for level, (shift, coarser) in enumerate(pairwise(shifts)):
        rounding += ((1 << (coarser - shift - 1)) - 1) << shift
        parent = f"(({value} + {rounding}) >> {coarser})"
        edge = f"({parent} << {coarser - shift})"
        ranges.append(
            f"({first_level + level}, {under}, least({here}, {edge}), greatest({here}, {edge}) - 1, sign({here} - {edge}))"
        )
        here = parent
    return [*ranges, f"({first_level + len(shifts) - 1}, {under}, {LEAST_NODE}, {here} - 1, 1)"]


def _counted(ranges: list[str]) -> str:
    """How many stand in these ranges. One scan serves all, for a server that opens one for each takes a third longer."""
    return f"""(
        SELECT coalesce(sum(n.amount * r.sign), 0)
        FROM (VALUES {", ".join(ranges)}) AS r (level, under, low, high, sign), LATERAL (
            SELECT sum(t.amount)::bigint AS amount FROM tallies t
            WHERE t.board = $1 AND t.period = $2 AND t.level = r.level AND t.under = r.under
                AND t.node BETWEEN r.low AND r.high
        ) AS n
    )"""


_BY_SCORE = _ranges("p.sort_key", KEY_SHIFTS, 0, "0::bigint")
_BY_TIME = _ranges("p.reached_at", TIME_SHIFTS, FIRST_TIME_LEVEL, "p.sort_key")
_BETTER = {
    "first": f"""({_counted(_BY_SCORE + _BY_TIME)} + (
        SELECT count(*) FROM standings s
        WHERE s.board = $1 AND s.period = $2 AND s.sort_key = p.sort_key
            AND s.reached_at >= (p.reached_at >> {TIME_SHIFTS[0]}) << {TIME_SHIFTS[0]}
            AND (s.reached_at, s.user_id) < (p.reached_at, p.user_id)
    ))::bigint""",
    "shared": f"{_counted(_BY_SCORE)}::bigint",
    "dense": """(
        SELECT count(DISTINCT t.node) FROM tallies t
        WHERE t.board = $1 AND t.period = $2 AND t.level = 0 AND t.under = 0 AND t.node < p.sort_key
    )""",
}
"""How much is ahead of a place p, by tie rule: standings; standings of better scores; better scores."""

RANKED = f"""
SELECT coalesce(sum(amount), 0)::bigint FROM tallies
WHERE board = $1 AND period = $2 AND level = {FIRST_TIME_LEVEL - 1} AND under = 0
"""
BETTER = {
    ties: f"""
    SELECT {better} FROM unnest($3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY
        AS p (sort_key, reached_at, user_id, number)
    ORDER BY p.number
    """
    for ties, better in _BETTER.items()
}
HOLDERS = """
SELECT node, sum(amount)::bigint FROM tallies
WHERE board = $1 AND period = $2 AND level = 0 AND under = 0 AND node = ANY($3::bigint[]) GROUP BY node
"""
"""How many stand at each of these scores; a node of the finest level is one."""

_GAP = """ + (
    SELECT coalesce(sum(g.ahead), 0)::bigint FROM standings g
    WHERE g.board = ANY(ARRAY[$1, $4]) AND g.period = $2 AND g.ahead > 0
        AND g.sort_key = p.sort_key AND g.reached_at = p.reached_at AND g.user_id <= p.user_id
)"""
"""How many of nobody's places lie ahead of a place p among its equals."""

RANK = {
    ties: f"""
    SELECT (SELECT {better}{_GAP if ties == "first" else ""} FROM (
        SELECT sort_key, reached_at, user_id FROM standings
        WHERE user_id = $3 AND period = $2 AND board IN ($1, $4) ORDER BY board LIMIT 1
    ) AS p), ({RANKED})
    """
    for ties, better in _BETTER.items()
}
"""Of a user who stands on the board ($1), or behind it where the hidden ones do ($4): its name comes first in order."""

TRUE_TALLIES = " UNION ALL ".join(
    [
        f"SELECT board, period, {level} AS level, 0::bigint AS under, sort_key >> {shift} AS node, {{part}}, "
        "count(*) AS amount FROM standings GROUP BY 1, 2, 3, 4, 5, 6"
        for level, shift in enumerate(KEY_SHIFTS)
    ]
    + [
        f"SELECT board, period, {FIRST_TIME_LEVEL + level}, sort_key, reached_at >> {shift}, {{part}}, count(*) "
        "FROM standings GROUP BY 1, 2, 3, 4, 5, 6"
        for level, shift in enumerate(TIME_SHIFTS)
    ]
    + [
        (
            f"SELECT board, period, {TOTAL_LEVEL}, 0, 0, {{part}}, sum(abs(sort_key))::bigint "
            f"FROM standings WHERE strpos(board, '{TEAM}') > 0 GROUP BY 1, 2, 6"
        )
    ]
).format(part=f"get_byte(sha256(convert_to(user_id, 'UTF8')), 0) % {PARTS} AS part")
WRONG_TALLIES = f"""
SELECT count(*) FROM tallies AS stored
FULL JOIN ({TRUE_TALLIES}) AS recount USING (board, period, level, under, node, part)
WHERE stored.amount IS DISTINCT FROM recount.amount
"""
LOCK_BOARDS = "LOCK TABLE standings, tallies IN SHARE ROW EXCLUSIVE MODE"
MAKE_TALLIES = f"INSERT INTO tallies (board, period, level, under, node, part, amount) {TRUE_TALLIES}"

# ---- everybody, keys and sessions -------------------------------------------------------------

# Each of these may be done again when a lost connection leaves the first time in doubt: what is there already, by an id that
# was made for it, is one's own.


def _lives(column: str) -> str:
    """Whether it has not ended, or, where $3 says that this is done again, ended at this very moment."""
    return f"({column} IS NULL OR $3::boolean AND {column} = $1)"


ALL_AMNESTIES = f"SELECT {rows.AMNESTIES} FROM amnesties ORDER BY created_at, amnesty_id"
ADD_AMNESTY = f"""
INSERT INTO amnesties ({rows.AMNESTIES}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (amnesty_id) DO NOTHING
"""
LIFT_AMNESTY = f"""
UPDATE amnesties SET lifted_at = $1, lifted_by = $4, lift_reason = $5 WHERE amnesty_id = $2 AND {_lives("lifted_at")} RETURNING 1
"""
CLOCK_OFFSET = "SELECT clock_offset FROM sandbox"
SET_CLOCK_OFFSET = """
INSERT INTO sandbox (only_row, clock_offset) VALUES (1, $1)
ON CONFLICT (only_row) DO UPDATE SET clock_offset = excluded.clock_offset
"""
MOVE_CLOCK_OFFSET = """
UPDATE sandbox SET clock_offset = $1 WHERE clock_offset = $2 OR $3::boolean AND clock_offset = $1 RETURNING 1
"""
COUNTS = """
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM events), (SELECT count(*) FROM awards),
    (SELECT count(*) FROM sessions), (SELECT max(recorded_at) FROM events)
"""
BADGE_HOLDERS = "SELECT badge, count(*) FROM awards GROUP BY badge"
USERS_BY_ID = f"SELECT {rows.USERS} FROM users WHERE user_id >= $1 AND user_id < $2 ORDER BY user_id LIMIT $3"
USERS_BY_NAME = f"""
SELECT {rows.USERS} FROM users WHERE strpos(lower(name), lower($1)) > 0 AND NOT (user_id >= $1 AND user_id < $2)
ORDER BY name COLLATE "C", user_id LIMIT $3
"""
SAMPLE = "SELECT user_id FROM users ORDER BY hashtextextended(user_id, 0), user_id LIMIT $1"
SURVEYED = f"SELECT {rows.USERS} FROM users WHERE user_id = ANY($1) ORDER BY user_id"
PAID = f"""
SELECT user_id, {rows.DAY_OF_ENTRY} AS day, reason, ref, sum(amount)::bigint FROM ledger WHERE user_id = ANY($1)
GROUP BY user_id, day, reason, ref ORDER BY user_id, day, reason COLLATE "C", ref COLLATE "C"
"""
NEWEST_ACTS = f"""
SELECT {rows.ACTS} FROM acts WHERE (at, user_id, act_id) < ($1, $2, $3)
ORDER BY at DESC, user_id DESC, act_id DESC LIMIT $4
"""
ALL_UPKEEP = f"SELECT {rows.UPKEEP} FROM upkeep ORDER BY task"
SAVE_UPKEEP = f"""
INSERT INTO upkeep ({rows.UPKEEP}) VALUES ($1, $2, $3)
ON CONFLICT (task) DO UPDATE SET at = excluded.at, outcome = excluded.outcome
"""
WITHIN_SECONDS = "SET LOCAL statement_timeout = '%ds'"

ADD_KEY = f"INSERT INTO api_keys ({rows.KEYS}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_hash) DO NOTHING"
KEY_NAMES = "SELECT key_hash, name FROM api_keys WHERE key_hash = ANY($1) AND revoked_at IS NULL"
ALL_KEYS = f"SELECT {rows.KEYS} FROM api_keys ORDER BY created_at, name"
REVOKE_KEY = f"UPDATE api_keys SET revoked_at = $1 WHERE name = $2 AND {_lives('revoked_at')} RETURNING 1"
KEEP_USER = "SELECT 1 FROM users WHERE user_id = $1 FOR KEY SHARE"
"""Whoever erases this user waits until the transaction ends."""

ADD_SESSION = """
INSERT INTO sessions (user_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, token_hash) DO NOTHING
"""
DROP_EXPIRED = "DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2"
SESSIONS = """
SELECT user_id, token_hash, expires_at FROM unnest($1::text[], $2::bytea[]) AS asked (user_id, token_hash)
JOIN sessions USING (user_id, token_hash)
"""
END_SESSION = "DELETE FROM sessions WHERE user_id = $1 AND token_hash = $2"
SIGN_OUT = "INSERT INTO signed_out (session_hash, expires_at) VALUES ($1, $2) ON CONFLICT (session_hash) DO NOTHING"
FORGET_SIGNED_OUT = "DELETE FROM signed_out WHERE expires_at <= $1"
IS_SIGNED_OUT = "SELECT 1 FROM signed_out WHERE session_hash = $1"

# ---- moving house -----------------------------------------------------------------------------

LOCK_ALL = f"LOCK TABLE {', '.join(TABLES)}, tallies IN SHARE ROW EXCLUSIVE MODE"
COUNT = {name: f"SELECT count(*) FROM {name}" for name in TABLES}
ALL_ROWS = {
    name: f"SELECT {', '.join(table.columns)} FROM {name} ORDER BY {', '.join(table.key)}"
    for name, table in TABLES.items()
}
HOLDS_ANY = "SELECT " + " OR ".join(f"EXISTS (SELECT 1 FROM {name})" for name in TABLES if name not in OF_EACH)
DROP_OF_EACH = [f"DELETE FROM {name}" for name in OF_EACH]
ANALYZE = f"ANALYZE {', '.join(TABLES)}, tallies"
"""Without it, the server would plan as for empty tables until it looks by itself."""
