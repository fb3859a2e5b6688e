"""The weekly report as an e-mail."""
