"""The rules: pure functions from the state of one incident (`Case`) to operations with reasons."""
