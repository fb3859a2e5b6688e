"""The ledger's revisions, and Alembic's run from one to the next on a connection of the database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection
from sqlmodel import Session

from syncd.ledger.database.backend import FirstRows
from syncd.ledger.database.triggers import check_triggers
from syncd.ledger.errors import LedgerFromTheFuture

HEAD = "0001"
"""The revision that this version of syncd reads and writes."""

_KNOWN = ("0001",)

_SCRIPTS = Path(__file__).parents[1] / "migrations"


def is_head(revision: str | None, name: str) -> bool:
    """Return True if a ledger's revision is `HEAD`; raise `LedgerFromTheFuture` for an unknown one."""
    if revision is not None and revision not in _KNOWN:
        raise LedgerFromTheFuture(
            f"{name} was written by a newer syncd (revision {revision}, this one knows {HEAD})",
            "install that version again, or restore the backup it made before its migration",
        )
    return revision == HEAD


def upgrade(connection: Connection, first_rows: FirstRows | None) -> None:
    """Bring a ledger to `HEAD` in the transaction of a connection, and check its triggers; do not commit.

    `first_rows` writes into the new tables, in the same transaction.
    """
    # loaded here, since most starts have nothing to migrate
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))  # % is special there
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
    # a rebuilt table loses its triggers
    with Session(connection) as session:
        check_triggers(session)
        if first_rows is not None:
            first_rows(session)
