-- What the console keeps.

-- Who lifted an amnesty, and why; null where it stands, or was lifted before this was asked.
ALTER TABLE amnesties ADD COLUMN lifted_by TEXT;
ALTER TABLE amnesties ADD COLUMN lift_reason TEXT;

-- Sessions of the console that were signed out before they expired.
CREATE TABLE signed_out (
    session_hash BYTEA  NOT NULL PRIMARY KEY,
    expires_at   BIGINT NOT NULL
);
