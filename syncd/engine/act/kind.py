"""What every kind of write has in common, as the executor sees it.

`render` turns what is meant into the request's data, once, when the operation leaves for the first
time. `send` sends exactly one request. `confirm` runs in the transaction that ends the operation.
`look` asks the service whether the operation was carried out; only once-operations have it, since a
state operation whose outcome is unknown is decided anew from a fresh read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.ticket import Mark
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.ledger.store import snapshots
from syncd.ledger.store.tables import OperationRow, TicketRow
from syncd.remote.errors import RemoteError

Rendered = dict[str, JsonValue]
Failure = TypeVar("Failure", bound=RemoteError)


@dataclass(frozen=True)
class Outcome:
    """What the service named: an id, and what the confirmation wants to keep."""

    remote_id: str
    data: dict[str, JsonValue] = field(default_factory=dict)


class Act(Protocol):
    """One kind of write."""

    probes: bool
    """Whether a claim must carry `probe_from`."""
    findable: bool
    """Whether what was carried out can be looked up afterwards."""

    def render(self, desk: Desk, row: OperationRow) -> Rendered:
        """The request's data; raises `CannotRender`, `DecideAgain`, `NotYet` or `RemoteError`."""
        ...

    def complete(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Rendered:
        """What is sent: the rendered data with what must not be kept in the ledger; raises as `render`."""
        ...

    def send(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome:
        """Send one request; raises `NotDone` or `Unknown`."""
        ...

    def confirm(self, session: Session, desk: Desk, row: OperationRow, outcome: Outcome) -> None:
        """Write what is known now, in the transaction that ends the operation."""
        ...

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """What was carried out of an operation with unknown outcome; None: nothing can be seen.

        Raises `RemoteError` where this look tells nothing.
        """
        ...

    def done_before(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome | None:
        """What an earlier ledger carried out of it, which has the same mark; None: nothing can be seen.

        Asked of once-operations that never left, for incidents older than this ledger; raises `RemoteError`.
        """
        ...

    def drop_refused(self, row: OperationRow, refused: dict[str, str]) -> list[str]:
        """Which refused fields the request can do without; they are left out of the next rendering."""
        ...


class BaseAct:
    """Defaults: nothing to probe, nothing optional, no look."""

    probes = False
    findable = True

    def complete(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Rendered:
        """Nothing is held back."""
        return rendered

    def look(self, desk: Desk, row: OperationRow) -> Outcome | None:
        """State operations are decided anew instead of being looked up."""
        raise DecideAgain

    def done_before(self, desk: Desk, row: OperationRow, rendered: Rendered) -> Outcome | None:
        """A look tells, but not a create's, which needs to know where it began."""
        return self.look(desk, row) if self.findable and not self.probes else None

    def drop_refused(self, row: OperationRow, refused: dict[str, str]) -> list[str]:
        """Every field of the request is needed."""
        return []


def mark_of(desk: Desk, row: OperationRow) -> Mark:
    """The mark that what this operation makes will bear."""
    return Mark(op=row.op, kind=row.kind, incident=row.incident_id, instance=desk.ledger.instance)


def is_restricted(desk: Desk, row: OperationRow) -> bool:
    """Whether the operation's incident is restricted by now."""
    with desk.ledger.db.read() as session:
        return snapshots.is_restricted(session, row.incident_id)


def shown(desk: Desk, row: OperationRow, error: Failure) -> Failure:
    """A failure as it may be kept and logged: of a restricted incident, without the service's words."""
    return error.without_words() if is_restricted(desk, row) else error


def ticket_row(desk: Desk, row: OperationRow) -> TicketRow:
    """The ticket of the operation's incident; raises `DecideAgain` where there is none yet."""
    with desk.ledger.db.read() as session:
        ticket = session.get(TicketRow, row.incident_id)
    if ticket is None:
        raise DecideAgain
    return ticket
