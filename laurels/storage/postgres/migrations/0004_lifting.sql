-- Who lifted an amnesty, and why; null where it stands, or was lifted before this was asked.
ALTER TABLE amnesties ADD COLUMN lifted_by TEXT;
ALTER TABLE amnesties ADD COLUMN lift_reason TEXT;
