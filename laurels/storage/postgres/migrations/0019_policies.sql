-- pre: older versions leave these columns empty.

-- Whether what users get or lose by a revision reaches no notifications (1: none). Null: they are notified.
-- With a plan, how many users were brought under the revision so far, and when all of them were. Null: it was applied without one.
ALTER TABLE catalog_revisions ADD COLUMN silent BIGINT;
ALTER TABLE catalog_revisions ADD COLUMN filled BIGINT;
ALTER TABLE catalog_revisions ADD COLUMN filled_at BIGINT;
