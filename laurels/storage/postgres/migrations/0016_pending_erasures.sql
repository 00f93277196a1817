-- post: older versions take no notice of this column, so they would show and change a user who is to be erased.

-- When a user is to be erased (null: no erasure is pending), and the few users of whom it is known.
ALTER TABLE users ADD COLUMN erase_at BIGINT;
CREATE INDEX users_to_erase ON users (erase_at) WHERE erase_at IS NOT NULL;
