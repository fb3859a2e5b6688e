"""The verbs for an operation that leaves: read its basis, claim it, or store why it was not carried out.

Each verb opens one transaction. It raises `OperationMoved` if the operation left the state that the caller
read. `syncd.ledger.store.confirming` ends an operation that was carried out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.incident import Incident
from syncd.domain.operation import MoveTicket, OperationBase, OperationState, Target
from syncd.domain.operation.keys import words_of_needs
from syncd.domain.operation.rendered import Rendered
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import holds, outbox
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.intake import StorageRules
from syncd.ledger.store.loading import get
from syncd.ledger.store.lookups import incident_and_ticket_in
from syncd.ledger.store.operation_states import (
    UNKNOWN,
    GivenUp,
    claim_in,
    end_unknown,
    finish,
    mark_unknown_in,
    note,
    park_in,
    put_back_in,
)
from syncd.ledger.store.snapshots import save_incident
from syncd.ledger.store.tables import IncidentRow, OperationRow
from syncd.policy.case import TicketState


@dataclass(frozen=True)
class Basis:
    """The incident and the ticket from which an operation is rendered, as of one transaction."""

    incident: IncidentRecord | None
    ticket: TicketState | None

    @property
    def restricted(self) -> bool:
        """True if the incident is restricted."""
        return self.incident is not None and self.incident.restricted


def basis_of(ledger: Transactions, incident_id: str) -> Basis:
    """Return an incident and its ticket as they are on record."""
    with ledger.read_one() as session:
        return Basis(*incident_and_ticket_in(session, incident_id))


def ready(ledger: Transactions, operation: OperationRecord, now: datetime) -> Basis | str:
    """Return the basis of a pending operation; if it may not leave yet, what it waits for, in words."""
    move = operation.operation
    # a move back waits until the ticket has rested (flapping)
    if isinstance(move, MoveTicket) and move.not_before is not None and now < move.not_before:
        return f"{move.not_before:%H:%M:%S} UTC: the ticket has just left that status"
    with ledger.read() as session:
        unmet = outbox.unmet(session, operation, now)
        if unmet:
            return words_of_needs(operation.incident_id, unmet)
        if not holds.may_leave_in(session, operation.target, [operation.incident_id]):
            return holds.awaited_command(session, operation.target)
        return Basis(*incident_and_ticket_in(session, operation.incident_id))


class _Withheld(Exception):
    """An incident is restricted by now, or an operation changed its state: roll the transaction back."""


def store_before_change(
    ledger: Transactions,
    rules: StorageRules,
    incident: Incident,
    read_seq: int,
    now: datetime,
    *,
    text: bool,
) -> IncidentRecord | None:
    """Store an incident as read just before syncd changes it; return it as it is on record afterwards.

    Return None and store nothing if it is not on record, or if it is restricted and a `text` was to be
    written.
    """
    try:
        with ledger.write() as session:
            row = session.get(IncidentRow, incident.id)
            save_incident(session, incident, read_seq, now, row.team if row else None, rules.incident)
            session.flush()
            stored = get(session, IncidentRecord, incident.id)
            if stored is None or (stored.restricted and text):
                raise _Withheld  # rolls the transaction back
            return stored
    except _Withheld:
        return None


def render_anew(ledger: Transactions, operation: OperationRecord) -> OperationRecord:
    """Delete an operation's rendered request; return the operation without it."""
    with ledger.write() as session:
        return note(session, operation, rendered=None)


@dataclass(frozen=True)
class Leaving:
    """An operation that is about to leave, with its rendered request."""

    operation_id: int
    rendered: Rendered


def claim(
    ledger: Transactions,
    leaving: Sequence[Leaving],
    target: str,
    run: str,
    now: datetime,
    probe_from: int | None,
    *,
    together: bool = False,
) -> list[OperationRecord] | None:
    """Claim the operations that are about to leave for a target; return those that may leave.

    Return None if the target was paused since they were rendered, or if a first load holds one of them. An
    operation is left out if it is no longer pending, or if its incident became restricted since. If they must
    leave `together`, one that is left out keeps all others back.
    """
    try:
        with ledger.write() as session:
            ids = [operation.operation_id for operation in leaving]
            if not holds.may_leave_in(session, target, _incidents_of(session, ids)):
                return None
            claims = [
                claim_in(session, operation.operation_id, run, now, operation.rendered.stored, probe_from)
                for operation in leaving
            ]
            if together and None in claims:
                raise _Withheld
            return [operation for operation in claims if operation is not None]
    except _Withheld:
        return []


def put_back(
    ledger: Transactions,
    operations: Sequence[OperationRecord],
    now: datetime,
    error: str,
    changed: OperationBase | None = None,
    *,
    anew: bool = False,
    uncounted: bool = False,
) -> None:
    """Make operations pending again that were certainly not done; `changed` replaces the decided write.

    `anew`: delete the rendered request, so that the next pass renders it again. `uncounted`: the attempt
    does not count, because the service never took it.
    """
    values: dict[str, Any] = {"rendered": None} if anew else {}
    with ledger.write() as session:
        for operation in operations:
            attempts = {"attempts": operation.attempts - 1} if uncounted else {}
            put_back_in(session, operation, now, error, **_stored(changed), **values, **attempts)


def park(
    ledger: Transactions,
    operation: OperationRecord,
    now: datetime,
    error: str,
    changed: OperationBase | None = None,
) -> None:
    """Park an operation that a service refused, with the service's words, until a person retries it.

    `changed` replaces the decided write.
    """
    with ledger.write() as session:
        park_in(session, operation, now, error, **_stored(changed))


def _stored(changed: OperationBase | None) -> dict[str, Any]:
    return {} if changed is None else {"meaning": changed.meaning}


def mark_unknown(
    ledger: Transactions,
    operations: Sequence[OperationRecord],
    now: datetime,
    given_up: GivenUp,
    error: str,
) -> list[OperationRecord]:
    """Mark the outcome of operations as unknown, so that syncd looks them up; return them so."""
    with ledger.write() as session:
        return [mark_unknown_in(session, operation, now, given_up, error) for operation in operations]


def restart_settle_time(
    ledger: Transactions, operation: OperationRecord, given_up: GivenUp
) -> OperationRecord:
    """Begin an operation's settle time anew, as after a reboot; return the operation so."""
    with ledger.write() as session:
        return note(session, operation, gave_up_boot_id=given_up.boot_id, gave_up_boottime=given_up.boottime)


def end(
    ledger: Transactions,
    operation: OperationRecord,
    state: OperationState,
    now: datetime,
    why: str,
    changed: OperationBase | None = None,
    rendered: Rendered | None = None,
) -> None:
    """End an operation that was not carried out, with the reason.

    `changed` replaces the decided write, `rendered` the rendered request.
    """
    values: dict[str, Any] = {} if rendered is None else {"rendered": rendered.stored}
    with ledger.write() as session:
        finish(session, operation, state, now, why=why, **_stored(changed), **values)


def decide_anew(
    ledger: Transactions,
    operation: OperationRecord,
    now: datetime,
    read_seq: int,
    why: str,
    look: str,
    *,
    unknown: bool,
    error: str | None,
) -> None:
    """End a state operation that was refused or whose outcome is `unknown`, with a change notice.

    A read that begins at `read_seq` or later is fresh enough; `look` is the notice's reason.
    """
    with ledger.write() as session:
        if unknown:
            end_unknown(session, operation, now, why, error=error)
        else:
            finish(session, operation, OperationState.SUPERSEDED, now, why=why, error=error)
        ticket = operation.target == Target.JIRA
        notice_changes_in(session, [operation.incident_id], now, read_seq, look, ticket=ticket)


def refusals_before(ledger: Transactions, operation: OperationRecord) -> int:
    """Return how often this very write was refused in a row; an unknown outcome is no refusal."""
    where = {"object": operation.object, "aspect": operation.aspect, "row": operation.id}
    count = 0
    with ledger.read() as session:
        for state, meaning, error, rendered in session.connection().execute(_BEFORE, where):
            # a success, or another decision for the same place, ends the row of refusals
            if state != OperationState.SUPERSEDED or meaning != operation.meaning:
                break
            count += error is not None and not (rendered or {}).get(UNKNOWN)
    return count


LOOKED_THROUGH = 20
"""How many operations of the same object and aspect are searched for refusals."""
_BEFORE = (
    columns(
        col(OperationRow.state),
        col(OperationRow.meaning),
        col(OperationRow.error),
        col(OperationRow.rendered),
    )
    .where(
        col(OperationRow.object) == bindparam("object"),
        col(OperationRow.aspect) == bindparam("aspect"),
        col(OperationRow.id) < bindparam("row"),
    )
    .order_by(col(OperationRow.id).desc())
    .limit(LOOKED_THROUGH)
)


def _incidents_of(session: Session, operation_ids: Sequence[int]) -> Iterator[str]:
    """Yield the incidents of operations; read them only if somebody asks: seldom, after the first load."""
    yield from session.connection().scalars(_INCIDENTS_OF, {"ids": operation_ids})


_INCIDENTS_OF = (
    columns(col(OperationRow.incident_id))
    .where(col(OperationRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(OperationRow.id))
)
