-- pre: older versions write no rows of the audit, and no uses of keys.

-- What was done besides adjustments, by whom and from where. Erasing a user replaces their id by its keyed hash.
CREATE TABLE audit (
    audit_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at             BIGINT NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,
    principal_kind TEXT,            -- null: no one was authenticated
    principal_name TEXT COLLATE "C",
    target_kind    TEXT,            -- what was changed: user, erased (a user), amnesty, catalog, key, database
    target         TEXT COLLATE "C",
    detail         TEXT NOT NULL,   -- JSON
    address        TEXT,
    request_id     TEXT,
    times          BIGINT NOT NULL    -- how often it happened within the same minute
);

CREATE INDEX audit_by_time ON audit (at, audit_id);
CREATE INDEX audit_by_kind ON audit (kind, at, audit_id);
CREATE INDEX audit_by_principal ON audit (principal_name, at, audit_id);
CREATE INDEX audit_by_target ON audit (target, at, audit_id);

ALTER TABLE adjustments ALTER COLUMN kind TYPE TEXT COLLATE "C";
CREATE INDEX adjustments_by_kind ON adjustments (kind, at, user_id, adjustment_id);
CREATE INDEX adjustments_by_principal ON adjustments
    ((coalesce(principal_name, actor) COLLATE "C"), at, user_id, adjustment_id);
CREATE INDEX adjustments_by_user ON adjustments (user_id, at, adjustment_id);

ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
