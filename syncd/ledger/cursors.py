"""Cursors: how far something was read, and other single values that outlive the process, by name."""

from __future__ import annotations

from sqlalchemy import bindparam
from sqlmodel import Session, select

from syncd.ledger.tables import CursorRow


def get_cursor(session: Session, name: str) -> dict[str, object]:
    """One cursor's value, empty where it was never set."""
    value = session.exec(_CURSOR, params={"cursor": name}).first()
    return dict(value) if value else {}


_CURSOR = select(CursorRow.value).where(CursorRow.name == bindparam("cursor"))


def set_cursor(session: Session, name: str, **value: object) -> None:
    """Write one cursor."""
    session.merge(CursorRow(name=name, value=value))
