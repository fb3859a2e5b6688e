"""Tells a ledger that cannot be used from a fault in syncd, by what the database raised."""

from __future__ import annotations

from sqlalchemy.exc import DatabaseError, OperationalError


def unusable(error: Exception) -> str | None:
    """Return what the database says of a locked, full or foreign file; None where it is something else.

    What else a database complains about is our fault.
    """
    return str(getattr(error, "orig", error)) if type(error) in (OperationalError, DatabaseError) else None
