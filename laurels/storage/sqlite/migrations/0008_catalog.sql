-- post: older versions judge by the file that they are given, whatever the database says.
-- The catalog belongs to the database: numbered revisions, of which the newest is in force.

CREATE TABLE catalog_revisions (
    number     INTEGER NOT NULL PRIMARY KEY,
    text       TEXT    NOT NULL,    -- TOML
    digest     TEXT    NOT NULL,    -- of the text
    rules      TEXT    NOT NULL,    -- fingerprint of everything in it that decides
    applied_at INTEGER NOT NULL,
    applied_by TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of the revision under which a row was decided; null: before there were revisions.
ALTER TABLE awards ADD COLUMN catalog INTEGER;
ALTER TABLE ledger ADD COLUMN catalog INTEGER;
