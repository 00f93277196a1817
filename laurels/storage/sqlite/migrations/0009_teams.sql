-- post: older versions would count hidden users in the totals of their teams again.
-- Hidden users are left out of the totals of their teams, in all periods that are not closed. Those for whom only the catalog says
-- so are left out when they are next read or written.

DELETE FROM tallies WHERE (board, period) IN (
    WITH affected (board, period) AS (
        SELECT DISTINCT s.board, s.period FROM standings s JOIN users u ON u.user_id = s.user_id
        WHERE u.visibility = 'hidden' AND instr(s.board, '/team/') > 0 AND NOT EXISTS (
            SELECT 1 FROM closings c WHERE c.board = substr(s.board, 1, instr(s.board, '/') - 1) AND c.period = s.period
        )
    )
    SELECT board, period FROM affected
);

WITH affected (board, period) AS (
    SELECT DISTINCT s.board, s.period FROM standings s JOIN users u ON u.user_id = s.user_id
    WHERE u.visibility = 'hidden' AND instr(s.board, '/team/') > 0 AND NOT EXISTS (
        SELECT 1 FROM closings c WHERE c.board = substr(s.board, 1, instr(s.board, '/') - 1) AND c.period = s.period
    )
), kept AS (
    SELECT s.board, s.period, s.sort_key, s.reached_at
    FROM standings s JOIN affected a ON a.board = s.board AND a.period = s.period
    LEFT JOIN users u ON u.user_id = s.user_id
    WHERE u.visibility IS NULL OR u.visibility <> 'hidden'
), by_score (level, shift) AS (
    VALUES (0, 0), (1, 6), (2, 12), (3, 18), (4, 24), (5, 30), (6, 36), (7, 42), (8, 48)
), by_time (level, shift) AS (
    VALUES (9, 24), (10, 32), (11, 40)
)
INSERT INTO tallies (board, period, level, under, node, amount)
SELECT k.board, k.period, l.level, 0, k.sort_key >> l.shift, count(*)
FROM kept k CROSS JOIN by_score l GROUP BY k.board, k.period, l.level, k.sort_key >> l.shift
UNION ALL
SELECT k.board, k.period, l.level, k.sort_key, k.reached_at >> l.shift, count(*)
FROM kept k CROSS JOIN by_time l GROUP BY k.board, k.period, l.level, k.sort_key, k.reached_at >> l.shift
UNION ALL
SELECT k.board, k.period, 99, 0, 0, sum(abs(k.sort_key))
FROM kept k GROUP BY k.board, k.period HAVING sum(abs(k.sort_key)) > 0;

DELETE FROM standings WHERE user_id IN (SELECT user_id FROM users WHERE visibility = 'hidden') AND (board, period) IN (
    WITH affected (board, period) AS (
        SELECT DISTINCT s.board, s.period FROM standings s JOIN users u ON u.user_id = s.user_id
        WHERE u.visibility = 'hidden' AND instr(s.board, '/team/') > 0 AND NOT EXISTS (
            SELECT 1 FROM closings c WHERE c.board = substr(s.board, 1, instr(s.board, '/') - 1) AND c.period = s.period
        )
    )
    SELECT board, period FROM affected
);
