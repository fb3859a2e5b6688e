"""The values of a mapping, one model per section."""
