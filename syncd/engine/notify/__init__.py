"""Notify: which mails are due, and what they say."""
