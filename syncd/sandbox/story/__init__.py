"""A story to play on the sandbox."""
