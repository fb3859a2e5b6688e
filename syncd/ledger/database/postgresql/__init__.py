"""A ledger in PostgreSQL: its connections, dialect, advisory lock, migration and the checks at the start."""
