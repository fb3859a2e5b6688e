"""Read models of the ledger for commands, mails and reports."""
