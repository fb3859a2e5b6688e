"""The rules for mails and comments: who hears what, and when."""
