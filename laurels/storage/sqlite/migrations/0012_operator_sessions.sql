-- post: older versions accept cookies of the console that are signed with a secret of this database.
-- Sessions of the console: the hash of a random token. They belong to an admin key, and end with it.

CREATE TABLE operator_sessions (
    token_hash   BLOB    NOT NULL PRIMARY KEY,
    key_hash     BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

DROP TABLE signed_out;
