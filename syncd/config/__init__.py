"""Settings, mappings and templates: found, read and checked, with every problem named at once."""
