"""Adopt, rebuild or report the objects that an earlier ledger left in the two services."""
