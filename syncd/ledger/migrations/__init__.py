"""The ledger's shape over time, one file a change, from the first release on."""
