"""The table `meta`: the ledger's name, its runs, its birth and its owners."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlmodel import Session, col

from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import upsert
from syncd.ledger.store.tables import MetaRow


def get_meta(session: Session, key: str) -> str | None:
    """Return a value of the table `meta`, None if it is not set."""
    return session.connection().scalar(_GET, {"name": key})


def drop_meta(session: Session, key: str) -> None:
    """Delete a value of the table `meta`."""
    session.connection().execute(_DROP, {"name": key})


def instance_of(ledger: Transactions) -> str | None:
    """Return the name of a ledger's instance, None if it has none; raise the database's error as it is."""
    with ledger.read() as session:
        return get_meta(session, "instance")


def set_meta(session: Session, key: str, value: str) -> None:
    """Store a value of the table `meta`."""
    session.connection().execute(_SET, {"key": key, "value": value})


_GET = select(col(MetaRow.value)).where(col(MetaRow.key) == bindparam("name"))
_SET = upsert(MetaRow, key="key")


_DROP = delete(MetaRow).where(col(MetaRow.key) == bindparam("name"))


def run_name_in(session: Session) -> str:
    """Return the name of the latest start of the executor, which operations in flight carry."""
    return f"{get_meta(session, 'instance')}/{get_meta(session, 'run')}"
