-- What operators look at.

-- When something was last done for the database's keep, and what came of it.
CREATE TABLE upkeep (
    task    TEXT    NOT NULL PRIMARY KEY, -- backup, verify
    at      INTEGER NOT NULL,
    outcome TEXT    NOT NULL              -- JSON
) STRICT, WITHOUT ROWID;

-- The newest acts of everybody.
CREATE INDEX acts_by_time ON acts (at, user_id, act_id);

-- All ids and names without the progress beside them: for finding, counting and sampling users.
CREATE INDEX users_by_name ON users (name);
