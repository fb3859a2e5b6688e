"""What several kinds of operations need to write to Jira."""
