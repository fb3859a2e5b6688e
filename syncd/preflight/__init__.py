"""Checks before the daemon runs: `check` and `init` ask both services whether a mapping fits."""
