-- post: older versions would change users without a row here.

-- What a user was before a revision that changed it: zones, joining time, groups that amnesties name, the rules under which they
-- were judged, and in `data` the awards that ended or got another date. Without these, the past cannot be read.
CREATE TABLE former_states (
    user_id   TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    zones     TEXT,
    joined_at INTEGER,
    groups    TEXT,
    rules     TEXT    NOT NULL,
    data      TEXT    NOT NULL,
    PRIMARY KEY (user_id, revision)
) STRICT, WITHOUT ROWID;

-- Of users who exist already, nothing before the next start is known. Its time is stored then: no statement reads a clock.
INSERT INTO maintenance_runs (task, at, outcome)
SELECT 'first_former_state', 253402300799000000, '{}' WHERE EXISTS (SELECT 1 FROM users);
