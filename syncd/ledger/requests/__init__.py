"""What people asked for at the command line and only changes the ledger."""
