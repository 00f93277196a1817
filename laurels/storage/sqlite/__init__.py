"""SQLite: one file, no service."""
