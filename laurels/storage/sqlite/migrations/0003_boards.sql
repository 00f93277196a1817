-- Leaderboards within periods.

-- What an entry pays counts within periods of leaderboards; null: in none.
ALTER TABLE ledger ADD COLUMN counts_at INTEGER;

UPDATE ledger SET counts_at = coalesce(
    (SELECT occurred_at FROM events WHERE events.user_id = ledger.user_id AND events.event_id = ledger.event_id), at
) WHERE reason <> 'catalog';

-- How a user wants to be shown on leaderboards (null: as each board has it), and whether they are excluded from all.
ALTER TABLE users ADD COLUMN visibility TEXT;
ALTER TABLE users ADD COLUMN excluded INTEGER NOT NULL DEFAULT 0;

-- Periods that are closed for good: nothing is added to their standings any more. told_at: when those in front were told.
CREATE TABLE closings (
    board     TEXT NOT NULL,
    period    TEXT NOT NULL,
    closed_at INTEGER NOT NULL,
    told_at   INTEGER,
    PRIMARY KEY (board, period)
) STRICT, WITHOUT ROWID;

-- The totals of teams, which are kept as a level of their own.
CREATE INDEX tallies_of_teams ON tallies (period, board) WHERE level = 99;
