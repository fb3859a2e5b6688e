"""A transaction without the cost of a session of SQLAlchemy, for the verbs that need only its connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlmodel import Session


class PlainSession:
    """A transaction on a plain connection; it takes the place of a session, which costs more.

    Who asks for anything but the connection gets it from a session on that connection.
    """

    def __init__(self) -> None:
        self.info: dict[Any, Any] = {}
        self.session: Session | None = None
        """The session on the connection, None if nobody asked for one."""

    def connection(self) -> Connection:
        """Return the connection, in its transaction."""
        raise NotImplementedError

    def close_session(self) -> None:
        """Close the session, if there is one; the transaction stays as it is."""
        if self.session is not None:
            self.session.close()

    def __getattr__(self, name: str) -> Any:
        if self.session is None:
            # it ends no transaction that it did not begin
            self.session = Session(
                self.connection(), expire_on_commit=False, join_transaction_mode="rollback_only"
            )
        return getattr(self.session, name)
