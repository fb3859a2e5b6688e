"""The rules: pure functions from all that is known of one incident to what ought to be done, and why."""
