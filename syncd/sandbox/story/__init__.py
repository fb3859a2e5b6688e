"""Stories to play on the sandbox."""
