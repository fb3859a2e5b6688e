"""The tables of the ledger, and one module per family of tables that changes them."""
