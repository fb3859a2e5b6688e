"""Jira's REST API, Cloud and Data Center."""
