-- pre: older versions leave these columns empty.

-- The address of the client and the id of the request that applied an adjustment over HTTP. Null: neither, or an older version did.
ALTER TABLE adjustments ADD COLUMN address TEXT;
ALTER TABLE adjustments ADD COLUMN request_id TEXT;
