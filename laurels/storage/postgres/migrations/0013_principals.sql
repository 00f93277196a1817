-- pre: older versions leave these columns empty.

-- Who was authenticated when this was done; `actor`, `lifted_by` and `applied_by` are what they said. Null: an older version did it.
ALTER TABLE adjustments ADD COLUMN principal_kind TEXT;
ALTER TABLE adjustments ADD COLUMN principal_name TEXT;
ALTER TABLE amnesties ADD COLUMN principal_kind TEXT;
ALTER TABLE amnesties ADD COLUMN principal_name TEXT;
ALTER TABLE amnesties ADD COLUMN lift_principal_kind TEXT;
ALTER TABLE amnesties ADD COLUMN lift_principal_name TEXT;
ALTER TABLE catalog_revisions ADD COLUMN principal_kind TEXT;
ALTER TABLE catalog_revisions ADD COLUMN principal_name TEXT;
