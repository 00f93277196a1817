-- post: older versions sign operators in without the second factor.

-- The second factor of an admin key: the secret of its codes, which only the key reveals; the time step of the last code that was
-- used; the hashes of the recovery codes that are left; how many wrong codes there were since the last right one, and when.
CREATE TABLE second_factors (
    key_hash   BLOB    NOT NULL PRIMARY KEY,
    secret     BLOB    NOT NULL,
    last_step  INTEGER NOT NULL,
    recovery   BLOB    NOT NULL,
    failed     INTEGER NOT NULL,
    failed_at  INTEGER,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether a session began with a second factor.
ALTER TABLE operator_sessions ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
