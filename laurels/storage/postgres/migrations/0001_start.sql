-- Times are microseconds since 1970, UTC. Days are proleptic Gregorian ordinals (1 is 0001-01-01).
-- user_id leads every key of a user's rows, so that they can be sharded by it. Texts that are compared or sorted are of the
-- collation "C": by code point, as everywhere in Laurels. A fillfactor below 100 leaves room to write a row anew on its own page.

CREATE TABLE users (
    user_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT,
    zones      TEXT,                -- JSON: [first, [[since, zone], ...], default]
    joined_at  BIGINT,
    created_at BIGINT NOT NULL,
    revision   BIGINT NOT NULL,     -- how many acts made this row what it is
    rules      TEXT   NOT NULL,     -- the catalog under which the progress was made
    points     BIGINT NOT NULL,     -- the sum of the ledger
    reached_at BIGINT,              -- when these points were reached
    progress   BYTEA  NOT NULL,     -- storage/codec.py
    groups     TEXT,                -- names, a line each; null: none
    amnesties  BIGINT NOT NULL DEFAULT 0 -- the amnesties that are in the progress, by their count
) WITH (fillfactor = 70);

CREATE TABLE events (
    user_id     TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    revision    BIGINT  NOT NULL,
    type        TEXT    NOT NULL,
    occurred_at BIGINT  NOT NULL,   -- when it counts
    sent_at     BIGINT,             -- when its sender said it happened; null: the sender said nothing
    recorded_at BIGINT  NOT NULL,
    day         INTEGER NOT NULL,   -- fixed here, whatever zones come later
    quantity    BIGINT  NOT NULL,
    data        TEXT,
    outcome     TEXT,               -- what it changed; null: nothing
    rank_before BIGINT,
    rank_after  BIGINT,
    late_by     INTEGER NOT NULL DEFAULT 0, -- days between its day and that of its recording
    reversed_by BIGINT,             -- the revision that took it back; null: it stands
    PRIMARY KEY (user_id, event_id)
);

CREATE UNIQUE INDEX events_by_revision ON events (user_id, revision);

CREATE TABLE acts (
    user_id   TEXT COLLATE "C" NOT NULL,
    act_id    TEXT COLLATE "C" NOT NULL,
    revision  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    data      TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    actor     TEXT   NOT NULL,
    undone_by BIGINT,               -- the revision that undid it; null: it stands
    PRIMARY KEY (user_id, act_id)
);

CREATE UNIQUE INDEX acts_by_revision ON acts (user_id, revision);

CREATE TABLE awards (
    user_id    TEXT COLLATE "C" NOT NULL,
    badge      TEXT COLLATE "C" NOT NULL,
    revision   BIGINT NOT NULL,
    awarded_at BIGINT NOT NULL,
    points     BIGINT NOT NULL,
    event_id   TEXT,
    PRIMARY KEY (user_id, badge)
);

CREATE TABLE ledger (
    user_id  TEXT COLLATE "C" NOT NULL,
    revision BIGINT  NOT NULL,
    position INTEGER NOT NULL,
    at       BIGINT  NOT NULL,
    amount   BIGINT  NOT NULL,
    reason   TEXT    NOT NULL,      -- badge, rule, catalog
    ref      TEXT    NOT NULL,      -- which badge, rule or catalog
    event_id TEXT,
    PRIMARY KEY (user_id, revision, position)
);

CREATE TABLE outbox (
    user_id  TEXT COLLATE "C" NOT NULL,
    revision BIGINT  NOT NULL,
    position INTEGER NOT NULL,
    at       BIGINT  NOT NULL,
    type     TEXT    NOT NULL,
    data     TEXT    NOT NULL,
    PRIMARY KEY (user_id, revision, position)
);

-- A board's one order: sort_key (minus the score), then who reached it first, then the user id.
CREATE TABLE standings (
    user_id    TEXT COLLATE "C" NOT NULL,
    board      TEXT COLLATE "C" NOT NULL,
    period     TEXT COLLATE "C" NOT NULL,
    sort_key   BIGINT NOT NULL,
    reached_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, board, period)
);

CREATE INDEX standings_in_order ON standings (board, period, sort_key, reached_at, user_id);

-- How many standings lie in each node of the trees that engine/leaderboards.py describes. A node's count is the sum over its
-- parts; a user's part is a hash of the id, so that no row is one that all writers wait for.
CREATE TABLE tallies (
    board  TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    level  INTEGER NOT NULL,
    under  BIGINT  NOT NULL,
    node   BIGINT  NOT NULL,
    part   INTEGER NOT NULL,
    amount BIGINT  NOT NULL,
    PRIMARY KEY (board, period, level, under, node, part)
) WITH (fillfactor = 70);

CREATE TABLE sessions (
    user_id    TEXT COLLATE "C" NOT NULL,
    token_hash BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, token_hash)
);

CREATE TABLE api_keys (
    key_hash   BYTEA  NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    hint       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE UNIQUE INDEX api_keys_living_name ON api_keys (name) WHERE revoked_at IS NULL;

-- All that is left of an erased user: a hash that only this database's secret can make.
CREATE TABLE tombstones (
    user_hash BYTEA  NOT NULL PRIMARY KEY,
    erased_at BIGINT NOT NULL
);

CREATE TABLE secrets (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Days on which nothing was required of anybody, or of a group. Few rows, read whole.
CREATE TABLE amnesties (
    amnesty_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    first_day  INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    for_group  TEXT,                -- null: everybody
    reason     TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    lifted_at  BIGINT
);

-- The clock of a sandbox, in microseconds ahead of the machine's; no row: this is no sandbox.
CREATE TABLE sandbox (
    only_row     INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    clock_offset BIGINT  NOT NULL
);
