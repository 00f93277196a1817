-- post: older versions accept cookies of the console that are signed with a secret of this database.
-- Sessions of the console: the hash of a random token. They belong to an admin key, and end with it.

CREATE TABLE operator_sessions (
    token_hash   BYTEA  NOT NULL PRIMARY KEY,
    key_hash     BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

DROP TABLE signed_out;
