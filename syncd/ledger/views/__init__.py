"""What commands, mails and reports read from the ledger."""
