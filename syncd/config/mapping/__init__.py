"""Mappings: read and check YAML files, with errors that name file, line and column."""
