-- What makes a history that can be repaired: late days, groups, acts that can be undone, amnesties, a clock for sandboxes.

ALTER TABLE events ADD COLUMN late_by INTEGER NOT NULL DEFAULT 0;  -- days between its day and that of its recording
ALTER TABLE events ADD COLUMN reversed_by INTEGER;                 -- the revision that took it back; null: it stands

ALTER TABLE users ADD COLUMN groups TEXT;                          -- names, a line each; null: none
ALTER TABLE users ADD COLUMN amnesties INTEGER NOT NULL DEFAULT 0; -- the amnesties that are in the progress, by their count

-- What was told of a user beside the events. An act stands until another undoes it; none is ever deleted.
CREATE TABLE acts (
    user_id   TEXT    NOT NULL,
    act_id    TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    data      TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    undone_by INTEGER,              -- the revision that undid it; null: it stands
    PRIMARY KEY (user_id, act_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX acts_by_revision ON acts (user_id, revision);

-- Days on which nothing was required of anybody, or of a group. Few rows, read whole.
CREATE TABLE amnesties (
    amnesty_id TEXT    NOT NULL PRIMARY KEY,
    first_day  INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    for_group  TEXT,                -- null: everybody
    reason     TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    lifted_at  INTEGER
) STRICT, WITHOUT ROWID;

-- The clock of a sandbox, in microseconds ahead of the machine's; no row: this is no sandbox.
CREATE TABLE sandbox (
    only_row     INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    clock_offset INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
