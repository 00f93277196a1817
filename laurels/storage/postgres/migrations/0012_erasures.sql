-- pre: older versions erase a user in one transaction, and leave what a newer one has begun.

-- Erased users who left something that is still to be deleted. rows_left: whether rows of their own are left
-- (1), or only other users' events are still to be searched for the id (0). The row is deleted when all is done.
CREATE TABLE unfinished_erasures (
    user_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    erased_at BIGINT NOT NULL,
    rows_left BIGINT NOT NULL
);
