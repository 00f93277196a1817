-- post: older versions would judge earlier events by the newest version of each point rule.

-- The earlier versions of the point rules of this revision, as TOML. Null: there are none.
ALTER TABLE catalog_revisions ADD COLUMN past TEXT;
