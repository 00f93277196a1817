-- pre: older versions leave this column alone, and what they do not write is taken as unknown.

-- When each badge was earned, as a packed map of microseconds since 1970; null: none, or not known.
ALTER TABLE users ADD COLUMN earned BLOB;
