"""The figures of a week, and the report that states them."""
