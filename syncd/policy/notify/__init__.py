"""The rules for mails and comments: the recipient, the message and the time."""
