-- Leaderboards within periods.

-- What an entry pays counts within periods of leaderboards; null: in none.
ALTER TABLE ledger ADD COLUMN counts_at BIGINT;

UPDATE ledger SET counts_at = coalesce(
    (SELECT occurred_at FROM events WHERE events.user_id = ledger.user_id AND events.event_id = ledger.event_id), at
) WHERE reason <> 'catalog';
