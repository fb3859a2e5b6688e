"""Observe, decide, record, act, confirm: the way that every piece of data takes, always the same."""
