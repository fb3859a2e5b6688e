"""The values of a mapping: one model for each section."""
