-- post: older versions sign operators in without the second factor.

-- The second factor of an admin key: the secret of its codes, which only the key reveals; the time step of the last code that was
-- used; the hashes of the recovery codes that are left; how many wrong codes there were since the last right one, and when.
CREATE TABLE second_factors (
    key_hash   BYTEA  NOT NULL PRIMARY KEY,
    secret     BYTEA  NOT NULL,
    last_step  BIGINT NOT NULL,
    recovery   BYTEA  NOT NULL,
    failed     BIGINT NOT NULL,
    failed_at  BIGINT,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);

-- Whether a session began with a second factor.
ALTER TABLE operator_sessions ADD COLUMN second_factor BIGINT NOT NULL DEFAULT 0;
