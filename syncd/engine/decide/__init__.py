"""Decide: build the case that the policy judges."""
