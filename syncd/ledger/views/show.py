"""What `syncd show` asks the ledger: plain data, ready for a table or for JSON.

The shapes are a promise to scripts (README, "For scripts").
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord, TicketRecord
from syncd.ledger.store.loading import get, load, select_records
from syncd.ledger.store.names import find_incident as find_incident
from syncd.ledger.store.tables import AuditEventRow, MirrorLinkRow, OperationRow
from syncd.ledger.views.actions import items_data
from syncd.ledger.views.incident_shape import incident_data
from syncd.ledger.views.outbox import operation_data
from syncd.ledger.views.postmortems import iso, postmortem_data, postmortem_views
from syncd.ledger.views.waiting_reason import waits

Data = dict[str, Any]


def show_data(ledger: Transactions, incident: IncidentRecord, now: datetime) -> Data:
    """Everything known and done about one incident; `now` is when somebody asks."""
    with ledger.read() as session:
        return _show(session, incident, now)


def _show(session: Session, incident: IncidentRecord, now: datetime) -> Data:
    ticket = get(session, TicketRecord, incident.id)
    owed = postmortem_views(session, [incident.id]).get(incident.id)
    query = select_records(OperationRecord).where(col(OperationRow.incident_id) == incident.id)
    operations = load(session, OperationRecord, query.order_by(col(OperationRow.id)))
    events = session.exec(
        select(AuditEventRow).where(AuditEventRow.incident_id == incident.id).order_by(col(AuditEventRow.seq))
    ).all()
    pairs = session.exec(select(MirrorLinkRow).where(MirrorLinkRow.incident_id == incident.id)).all()
    return {
        "incident": {
            **incident_data(incident, ticket, owed),
            "snapshot": incident.snapshot,
            "notes": incident.notes,
        },
        "ticket": _ticket_data(ticket) if ticket else None,
        "postmortem": postmortem_data(session, incident, now),
        "action_items": items_data(session, incident.id, now),
        "waits": waits(incident, ticket, operations, now),
        "operations": [operation_data(operation) for operation in operations],
        "mirrored": [
            {"origin": pair.origin, "note": pair.note_id, "comment": pair.comment_id} for pair in pairs
        ],
        "events": [
            # an operation's event names the operation's kind in its data, too
            {"seq": event.seq, "at": iso(event.at), "kind": event.kind, "data": json.loads(event.text)}
            for event in events
        ],
    }


def _ticket_data(ticket: TicketRecord) -> Data:
    return {
        "key": ticket.key,
        "issue_id": ticket.issue_id,
        "origin": ticket.origin,
        "agreed": ticket.agreed,
        "refused": ticket.refused,
        "conflicts": sorted(
            name.removeprefix("conflict:") for name in ticket.agreed if name.startswith("conflict:")
        ),
        "out_of_sight_since": iso(ticket.out_of_sight_since),
        "snapshot": ticket.snapshot,
    }
