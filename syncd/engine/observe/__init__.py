"""Observe: read both services, and store what was read."""
