-- post: tables and columns that older versions use have other names afterwards.
-- Plain names: changes made by hand are adjustments, and the last run of a maintenance task is a maintenance run.

ALTER TABLE acts RENAME TO adjustments;
ALTER TABLE adjustments RENAME COLUMN act_id TO adjustment_id;

DROP INDEX acts_by_revision;
DROP INDEX acts_by_time;
CREATE UNIQUE INDEX adjustments_by_revision ON adjustments (user_id, revision);
CREATE INDEX adjustments_by_time ON adjustments (at, user_id, adjustment_id);

UPDATE adjustments SET kind = 'points' WHERE kind = 'adjustment';

ALTER TABLE closings RENAME COLUMN told_at TO notified_at;
ALTER TABLE upkeep RENAME TO maintenance_runs;

-- Whether processes of older versions may continue (pre) or must have stopped (post); see storage/migrate.py.
ALTER TABLE migrations ADD COLUMN mark TEXT NOT NULL DEFAULT 'post';
