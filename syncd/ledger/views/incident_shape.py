"""How `syncd status` and `syncd show` describe one incident; the shape is a promise to scripts."""

from __future__ import annotations

from typing import Any

from syncd.domain.incident import stub_title
from syncd.ledger.records import IncidentRecord, TicketRecord
from syncd.ledger.store.tables import IncidentRow, TicketRow
from syncd.ledger.views.postmortems import PostmortemView, iso

Data = dict[str, Any]
AnyIncident = IncidentRow | IncidentRecord
AnyTicket = TicketRow | TicketRecord


def incident_data(
    incident: AnyIncident, ticket: AnyTicket | None, owed: PostmortemView | None = None
) -> Data:
    """One incident as `status` lists it; `owed` is its postmortem with its duties."""
    owed = owed or PostmortemView()
    issue = ticket.snapshot if ticket and ticket.snapshot else None
    return {
        "id": incident.id,
        "number": incident.number,
        "title": stub_title(incident.number) if incident.restricted else incident.snapshot.get("title", ""),
        "restricted": incident.restricted,
        "team": incident.team,
        "severity": incident.severity,
        "severity_assumed": incident.assumed,
        "status": incident.status,
        "ticket": ticket.key if ticket else None,
        "ticket_status": issue["status"]["name"] if issue else None,
        "postmortem": owed.key,
        "due_at": iso(owed.due_at),
        "duties": {one.kind: {"state": one.state, "due_at": iso(one.due_at)} for one in owed.latest},
    }
