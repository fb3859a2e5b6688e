"""Tests of the remote floor."""
