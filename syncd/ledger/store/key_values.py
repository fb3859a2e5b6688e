"""Cursors: how far something was read, and other single values that outlive the process, by name.

They are asked for several times in each cycle, so they pass by the session's objects: statements alone.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Session, col

from syncd.ledger.store.tables import CursorRow


def get_cursor(session: Session, name: str) -> dict[str, object]:
    """One cursor's value, empty where it was never set."""
    value = session.connection().scalar(_GET, {"cursor": name})
    return dict(value) if value else {}


def set_cursor(session: Session, name: str, **value: object) -> None:
    """Write one cursor."""
    session.connection().execute(_SET, {"name": name, "value": value})


def drop_cursor(session: Session, name: str) -> None:
    """A cursor is as if it was never set."""
    session.connection().execute(_DROP, {"cursor": name})


_GET = select(col(CursorRow.value)).where(col(CursorRow.name) == bindparam("cursor"))
_NEW = insert(CursorRow)
_SET = _NEW.on_conflict_do_update(index_elements=["name"], set_={"value": _NEW.excluded.value})
_DROP = delete(CursorRow).where(col(CursorRow.name) == bindparam("cursor"))
