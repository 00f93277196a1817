-- Times are microseconds since 1970, UTC. Days are proleptic Gregorian ordinals (1 is 0001-01-01).
-- user_id leads every key of a user's rows, so that they can be sharded by it.

CREATE TABLE users (
    user_id    TEXT    NOT NULL PRIMARY KEY,
    name       TEXT,
    zones      TEXT,                -- JSON: [first, [[since, zone], ...], default]
    joined_at  INTEGER,
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL,    -- how many acts made this row what it is
    rules      TEXT    NOT NULL,    -- the catalog under which the progress was made
    points     INTEGER NOT NULL,    -- the sum of the ledger
    reached_at INTEGER,             -- when these points were reached
    progress   BLOB    NOT NULL     -- storage/codec.py
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    user_id     TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    type        TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,   -- when it counts
    sent_at     INTEGER,            -- when its sender said it happened; null: the sender said nothing
    recorded_at INTEGER NOT NULL,
    day         INTEGER NOT NULL,   -- fixed here, whatever zones come later
    quantity    INTEGER NOT NULL,
    data        TEXT,
    outcome     TEXT,               -- what it changed; null: nothing
    rank_before INTEGER,
    rank_after  INTEGER,
    PRIMARY KEY (user_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_revision ON events (user_id, revision);

CREATE TABLE awards (
    user_id    TEXT    NOT NULL,
    badge      TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    awarded_at INTEGER NOT NULL,
    points     INTEGER NOT NULL,
    event_id   TEXT,
    PRIMARY KEY (user_id, badge)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    user_id  TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    reason   TEXT    NOT NULL,      -- badge, rule, catalog
    ref      TEXT    NOT NULL,      -- which badge, rule or catalog
    event_id TEXT,
    PRIMARY KEY (user_id, revision, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    user_id  TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    data     TEXT    NOT NULL,
    PRIMARY KEY (user_id, revision, position)
) STRICT, WITHOUT ROWID;

-- A board's one order: sort_key (minus the score), then who reached it first, then the user id.
CREATE TABLE standings (
    user_id    TEXT    NOT NULL,
    board      TEXT    NOT NULL,
    period     TEXT    NOT NULL,
    sort_key   INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, board, period)
) STRICT, WITHOUT ROWID;

CREATE INDEX standings_in_order ON standings (board, period, sort_key, reached_at, user_id);

-- How many standings lie in each node of the trees that engine/leaderboards.py describes.
CREATE TABLE tallies (
    board  TEXT    NOT NULL,
    period TEXT    NOT NULL,
    level  INTEGER NOT NULL,
    under  INTEGER NOT NULL,
    node   INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (board, period, level, under, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    user_id    TEXT    NOT NULL,
    token_hash BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, token_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    key_hash   BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    hint       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_living_name ON api_keys (name) WHERE revoked_at IS NULL;

-- All that is left of an erased user: a hash that only this database's secret can make.
CREATE TABLE tombstones (
    user_hash BLOB    NOT NULL PRIMARY KEY,
    erased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
