"""Bulk: creates that wait in the outbox leave in batches."""
