"""One HTTP transport for both services: budget, deadlines, failure classes, counts."""
