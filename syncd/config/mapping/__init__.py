"""Mappings: YAML files read, checked and made into values, with errors that name file, line and column."""
