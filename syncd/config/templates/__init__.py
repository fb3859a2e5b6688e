"""Templates: their loader, the sandbox that renders them, and their variables."""
