"""Record: a decision becomes operations, in one transaction."""
