"""The rules for action items."""
