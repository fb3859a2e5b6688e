"""The audit trail as data: its chain of hashes, and what its events tell about the records beside it."""
