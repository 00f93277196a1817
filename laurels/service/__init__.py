"""The facade, and what it is made of: group commit, administration, reports, and the composition root."""
