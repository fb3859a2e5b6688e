"""Requests from the command line that change the ledger alone."""
