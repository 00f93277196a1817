-- What operators look at.

-- When something was last done for the database's keep, and what came of it.
CREATE TABLE upkeep (
    task    TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- backup, verify
    at      BIGINT NOT NULL,
    outcome TEXT   NOT NULL                        -- JSON
);

-- The newest acts of everybody.
CREATE INDEX acts_by_time ON acts (at, user_id, act_id);
