-- Places of nobody in closed periods, and which periods there are.

-- How many of nobody's places lie directly ahead of this one, where an erased user stood among its equals of one moment: their own rows sort
-- behind all others. A rank is told by the sum of those up to it.
ALTER TABLE standings ADD COLUMN ahead BIGINT NOT NULL DEFAULT 0;

CREATE INDEX standings_gaps ON standings (board, period, sort_key, reached_at, user_id) WHERE ahead > 0;

-- One entry for each part of a seat of a period: the coarsest level of scores (engine/leaderboards.py).
CREATE INDEX tallies_by_period ON tallies (period, board) WHERE level = 8;
