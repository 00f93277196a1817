-- post: tables and columns that older versions use have other names afterwards.
-- Plain names: changes made by hand are adjustments, and the last run of a maintenance task is a maintenance run.

ALTER TABLE acts RENAME TO adjustments;
ALTER TABLE adjustments RENAME COLUMN act_id TO adjustment_id;
ALTER INDEX acts_pkey RENAME TO adjustments_pkey;
ALTER INDEX acts_by_revision RENAME TO adjustments_by_revision;
ALTER INDEX acts_by_time RENAME TO adjustments_by_time;

UPDATE adjustments SET kind = 'points' WHERE kind = 'adjustment';

ALTER TABLE closings RENAME COLUMN told_at TO notified_at;
ALTER TABLE upkeep RENAME TO maintenance_runs;
ALTER INDEX upkeep_pkey RENAME TO maintenance_runs_pkey;

-- Whether processes of older versions may continue (pre) or must have stopped (post); see storage/migrate.py.
ALTER TABLE migrations ADD COLUMN mark TEXT NOT NULL DEFAULT 'post';
