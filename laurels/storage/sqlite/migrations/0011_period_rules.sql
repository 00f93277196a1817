-- pre: older versions close periods without a rule; the next start of this version adds it.

-- The bounds and the rule under which a period closed, as JSON. Null: closed by an older version, not yet completed.
ALTER TABLE closings ADD COLUMN starts_at INTEGER;
ALTER TABLE closings ADD COLUMN ends_at INTEGER;
ALTER TABLE closings ADD COLUMN rule TEXT;

-- The rule under which the open standings of a leaderboard are. recomputed_at null: users are still being recomputed.
CREATE TABLE board_rules (
    board         TEXT NOT NULL PRIMARY KEY,
    rule          TEXT NOT NULL,
    recomputed_at INTEGER
) STRICT, WITHOUT ROWID;
