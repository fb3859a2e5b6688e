"""The record of what is known, meant and done: SQLite by default. The only place that knows SQL."""
