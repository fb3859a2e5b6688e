"""Helpers that several kinds of operations need to write to Jira."""
