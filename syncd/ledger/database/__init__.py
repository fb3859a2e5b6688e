"""The database below the ledger: connection, lock, triggers, migrations, backup."""
