"""Templates: loading, the sandbox that renders them, and what they are given."""
