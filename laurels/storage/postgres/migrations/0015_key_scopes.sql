-- post: older versions take no notice of these columns, so a key with one scope could do everything.

-- What an API key may do, its names with spaces between them; the role of an admin key, '' for an API key; from when on a key is
-- refused; and the networks from which it may be used, with spaces between them, '' for all.
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '';

-- Keys that exist may do what they could: everything that there is today.
UPDATE api_keys SET role = 'owner' WHERE substr(hint, 1, 14) = 'laurels_admin_';
UPDATE api_keys
SET scopes = 'adjustments:write catalog:apply events:write sessions:write users:erase users:read users:write'
WHERE role = '';
