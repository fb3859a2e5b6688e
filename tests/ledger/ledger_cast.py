"""Values for the tests of the ledger: operations, an incident, an issue, and raw access to the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import CreateTicket, EditTicket, MirrorNote, MoveTicket, Operation, OperationState
from syncd.domain.operation.keys import copy_of_note_key, ticket_key
from syncd.domain.ticket import Issue, Status
from syncd.ledger.store import operation_states, outbox, snapshots
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.operation_states import GivenUp
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow

NOW = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)
GAVE_UP = GivenUp("boot-1", 1234.5)
RUN = "abcd/1"
FINISHED = (OperationState.DONE, OperationState.SUPERSEDED, OperationState.DROPPED)


def later(seconds: float) -> datetime:
    """Return the moment so many seconds after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def create(incident: str = "P1") -> Operation:
    """Return the create of an incident's ticket."""
    return CreateTicket(
        key=ticket_key(incident),
        incident=incident,
        reason="it has no ticket",
    )


def mirror(note: str = "N1", incident: str = "P1", *needs: str) -> Operation:
    """Return the mirroring of a note as a comment."""
    return MirrorNote(
        key=copy_of_note_key(note),
        incident=incident,
        needs=needs,
        note=note,
        author="",
        text="",
        at=NOW,
        reason="somebody wrote a note",
    )


def move(word: str = "acknowledged", incident: str = "P1", *needs: str) -> Operation:
    """Return a move of the ticket."""
    return MoveTicket(
        incident=incident,
        aspect="status",
        needs=needs,
        word=word,
        status="3",
        state=word,
        from_status="1",
        reason=f"the incident is {word}",
    )


def edit(incident: str = "P1", **fields: JsonValue) -> Operation:
    """Return an edit of the ticket's fields."""
    return EditTicket(
        incident=incident,
        aspect="fields",
        fields=fields,
        agree={},
        reason="changed on the incident",
    )


def record(
    session: Session, *operations: Operation, incident: str = "P1", hold: str = ""
) -> list[OperationRow]:
    """Record all operations that an incident needs now, as the engine does."""
    waiting = open_operations_in(session, incident)
    after = outbox.record(session, operations, NOW, "v1", waiting=waiting, hold=frozenset({hold} - {""}))
    # the ledger writes past the session: what a test holds shows it, too
    for row in session.identity_map.values():
        session.refresh(row)
    # those that waited come first
    rows = (session.get(OperationRow, made.id) for made in after[len(waiting) :])
    return [row for row in rows if row is not None]


def claim(
    session: Session, row: OperationRow, run: str = RUN, probe: int | None = None, **rendered: JsonValue
) -> OperationRow | None:
    """Claim an operation that is about to leave."""
    request = rendered or {"body": "as first rendered"}
    if operation_states.claim_in(session, row.id or 0, run, NOW, request, probe) is None:
        return None
    return session.get(OperationRow, row.id, populate_existing=True)


def put(session: Session, operation: Operation, state: OperationState) -> OperationRow:
    """Record an operation and bring it to a state, as the engine would."""
    hold = operation.key if state is OperationState.HELD else ""
    (row,) = record(session, operation, incident=operation.incident, hold=hold)
    if state in (OperationState.IN_FLIGHT, OperationState.UNKNOWN):
        claim(session, row)
    if state is OperationState.UNKNOWN:
        operation_states.mark_unknown_in(session, row, NOW, GAVE_UP, "timed out")
    elif state is OperationState.PARKED:
        operation_states.park_in(session, row, NOW, "400: no such field")
    elif state in FINISHED:
        operation_states.finish(session, row, state, NOW)
    return row


def states(session: Session) -> list[tuple[str, str]]:
    """Return key and state of each operation, oldest first."""
    rows = session.exec(select(OperationRow).order_by(col(OperationRow.id))).all()
    return [(row.key, row.state) for row in rows]


def incident(status: IncidentStatus = IncidentStatus.TRIGGERED, **more: object) -> Incident:
    """Return an incident of the service Payments."""
    data: dict[str, object] = {
        "id": "P1",
        "number": 17,
        "title": "Payments are late",
        "status": status,
        "service": Reference(id="S1", name="Payments"),
        "created_at": NOW,
    }
    return Incident.model_validate(data | more)


def save_incident(
    session: Session, read: Incident, read_seq: int, now: datetime, team: str | None
) -> IncidentRow | None:
    """Store an incident as read, under rules that withhold and restrict nothing."""
    return snapshots.save_incident(session, read, read_seq, now, team, lambda read, *_given: (read, None))


def issue(summary: str = "Payments are late", **more: object) -> Issue:
    """Return the issue OPS-5."""
    data: dict[str, object] = {
        "id": "10005",
        "key": "OPS-5",
        "project": "OPS",
        "type_id": "1",
        "status": Status(id="10", name="To Do", category="new"),
        "summary": summary,
    }
    return Issue.model_validate(data | more)


def ticket(incident_id: str = "P1", **more: object) -> TicketRow:
    """Return the ticket of an incident; the incident's row must be stored before it."""
    row = TicketRow(
        incident_id=incident_id,
        issue_id="10005",
        key="OPS-5",
        project="OPS",
        origin="operation",
        created_at=NOW,
    )
    for name, value in more.items():
        setattr(row, name, value)
    return row


@contextmanager
def behind_its_back(ledger: Path | str) -> Iterator[Any]:
    """Open a ledger by its file or its URL without syncd; the driver's connection executes statements."""
    if str(ledger).startswith("postgresql"):
        url = make_url(str(ledger))
        with psycopg.connect(
            host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True
        ) as connection:
            yield connection
        return
    with closing(sqlite3.connect(str(ledger).removeprefix("sqlite:///"), timeout=0)) as file, file:
        yield file


def forge(ledger: Path | str, *statements: str) -> None:
    """Change the audit trail: remove its triggers, execute the statements, put the triggers back."""
    on_server = str(ledger).startswith("postgresql")
    with behind_its_back(ledger) as connection:
        triggers = connection.execute(_TRIGGERS_OF_SERVER if on_server else _TRIGGERS_OF_FILE).fetchall()
        for name, _sql in triggers:
            connection.execute(f"DROP TRIGGER {name}" + (" ON audit_event" if on_server else ""))
        for statement in statements:
            connection.execute(statement)
        for _name, sql in triggers:
            connection.execute(sql)


_TRIGGERS_OF_FILE = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
_TRIGGERS_OF_SERVER = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"


CHANGES: dict[str, Callable[[Session, OperationRow], None]] = {
    "put back": lambda session, row: operation_states.put_back_in(session, row, NOW, "connection refused"),
    "park": lambda session, row: operation_states.park_in(session, row, NOW, "400"),
    "settle": lambda session, row: operation_states.mark_unknown_in(session, row, NOW, GAVE_UP, "timed out"),
    "done": lambda session, row: operation_states.finish(
        session, row, OperationState.DONE, NOW, remote_id="1"
    ),
    "drop": lambda session, row: operation_states.finish(
        session, row, OperationState.DROPPED, NOW, why="ana"
    ),
    "supersede": lambda session, row: operation_states.finish(session, row, OperationState.SUPERSEDED, NOW),
}
"""All changes of an open operation's state but the claim."""
