"""Values by key: how far something was read, and other single values that outlive the process.

They are asked for several times in each cycle, so they pass by the session's objects: statements alone.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Session, col

from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import KeyValueRow


def get_cursor_in(session: Session, name: str) -> dict[str, object]:
    """Return one cursor's value, empty where it was never set."""
    value = session.connection().scalar(_GET, {"name": name})
    return dict(value) if value else {}


def get_value(ledger: Transactions, name: str) -> dict[str, object]:
    """Return one cursor's value, empty where it was never set."""
    with ledger.read() as session:
        return get_cursor_in(session, name)


def set_cursor_in(session: Session, name: str, **value: object) -> None:
    """Store the value of a key."""
    session.connection().execute(_SET, {"name": name, "value": value})


def set_value(ledger: Transactions, name: str, **value: object) -> None:
    """Store the value of a key."""
    with ledger.write() as session:
        set_cursor_in(session, name, **value)


def drop_cursor_in(session: Session, name: str) -> None:
    """Have a cursor as if it was never set."""
    session.connection().execute(_DROP, {"name": name})


def highest_number(ledger: Transactions, project: str) -> int | None:
    """Return the highest issue number that any answer of a project has shown, None: there was none yet."""
    return _number(get_value(ledger, _highest(project)))


def raise_highest_number(ledger: Transactions, project: str, number: int) -> None:
    """An answer has shown this issue number of a project: keep it if it is the highest."""
    with ledger.write() as session:
        known = _number(get_cursor_in(session, _highest(project)))
        if known is None or known < number:
            set_cursor_in(session, _highest(project), number=number)


def _highest(project: str) -> str:
    return f"jira.highest.{project}"


def _number(value: dict[str, object]) -> int | None:
    number = value.get("number")
    return number if isinstance(number, int) else None


_GET = select(col(KeyValueRow.value)).where(col(KeyValueRow.name) == bindparam("name"))
_NEW = insert(KeyValueRow)
_SET = _NEW.on_conflict_do_update(index_elements=["name"], set_={"value": _NEW.excluded.value})
_DROP = delete(KeyValueRow).where(col(KeyValueRow.name) == bindparam("name"))
