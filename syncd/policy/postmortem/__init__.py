"""The rules for postmortems and their duties."""
