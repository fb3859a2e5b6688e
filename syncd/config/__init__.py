"""Settings, mappings and templates: find, read and check them, and name every problem at once."""
