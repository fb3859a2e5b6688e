"""Notify: decide which mails are due, and compose them."""
