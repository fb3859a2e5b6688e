"""A ledger in a SQLite file: its connection, lock file, migration, backup, and the watch over its file."""
