"""What the reading commands ask the ledger: plain data, ready for a table or for JSON.

The shapes are a promise to scripts (README, "For scripts").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, or_, select

from syncd.domain.incident import IncidentStatus, stub_title
from syncd.domain.operation import OPEN_STATES
from syncd.ledger.store import audit, holds, outbox
from syncd.ledger.store.key_values import get_cursor
from syncd.ledger.store.restored import restored_at
from syncd.ledger.store.snapshots import unreadable
from syncd.ledger.store.tables import (
    AuditEventRow,
    DutyRow,
    IncidentRow,
    MetaRow,
    MirrorLinkRow,
    OperationRow,
    TicketRow,
)
from syncd.ledger.views.action_items import items_data
from syncd.ledger.views.postmortems import Owed, owed_for, postmortem_data
from syncd.ledger.views.waiting_reason import waits

Data = dict[str, Any]


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def incident_data(row: IncidentRow, ticket: TicketRow | None, owed: Owed | None = None) -> Data:
    """One incident as `status` lists it; `owed` is its postmortem with its duties."""
    owed = owed or Owed()
    issue = ticket.snapshot if ticket and ticket.snapshot else None
    return {
        "id": row.id,
        "number": row.number,
        "title": stub_title(row.number) if row.restricted else row.snapshot.get("title", ""),
        "restricted": row.restricted,
        "team": row.team,
        "severity": row.severity,
        "severity_assumed": row.assumed,
        "status": row.status,
        "ticket": ticket.key if ticket else None,
        "ticket_status": issue["status"]["name"] if issue else None,
        "postmortem": owed.key,
        "due_at": _iso(owed.due_at),
        "duties": {one.kind: {"state": one.state, "due_at": _iso(one.due_at)} for one in owed.latest},
    }


def operation_data(row: OperationRow) -> Data:
    """One operation as `outbox` and `show` list it."""
    return {
        "id": row.id,
        "incident": row.incident_id,
        "kind": row.kind,
        "target": row.target,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempts,
        "error": row.error,
        "needs": row.needs,
        "remote_id": row.remote_id,
        "decided_at": _iso(row.decided_at),
        "finished_at": _iso(row.finished_at),
    }


def status_data(session: Session, limit: int = 200) -> Data:
    """Open and unfinished incidents with their tickets, the outbox by state, the last good cycles."""
    open_ops = select(OperationRow.incident_id).where(
        col(OperationRow.state).in_([str(state) for state in OPEN_STATES])
    )
    rows = session.exec(
        select(IncidentRow, TicketRow)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(
            col(IncidentRow.team).is_not(None),
            or_(
                IncidentRow.status != IncidentStatus.RESOLVED,
                col(IncidentRow.finished).is_(False),
                col(IncidentRow.id).in_(open_ops),
            ),
        )
        .order_by(col(IncidentRow.number).desc())
        .limit(limit)
    ).all()
    seq, digest = audit.head(session)
    owed = owed_for(session, [row.id for row, _ticket in rows])
    return {
        "incidents": [incident_data(row, ticket, owed.get(row.id)) for row, ticket in rows],
        "outbox": outbox.counts(session),
        "cycles": {side: get_cursor(session, f"cycle.{side}").get("at") for side in ("pagerduty", "jira")},
        "services": get_cursor(session, "services").get("down", []),
        "unmapped_services": get_cursor(session, "services").get("unmapped", {}),
        "notes": get_cursor(session, "services").get("notes", []),
        "unreadable": unreadable(session),
        "audit_head": f"{seq}:{digest}",
        "first_load": holds.first_load_data(session),
        "held": holds.mass_data(session),
        "paused": holds.pauses(session),
        "would": _would(session, limit),
        "doubles": _doubles(session),
        "rivals": _rivals(session),
        "conflicts": _conflicts(session, limit),
    }


def _rivals(session: Session) -> list[Data]:
    """Other ledgers that made tickets for the same incidents; `younger`: than they, this one is."""
    return [
        {name: one.get(name) for name in ("key", "since", "younger")} | {"instance": instance}
        for instance, one in get_cursor(session, "rivals").items()
        if isinstance(one, dict)
    ]


def _conflicts(session: Session, limit: int) -> list[Data]:
    """What was changed back too often, or changed on both sides, and is left since: the latest first."""
    query = (
        select(AuditEventRow, IncidentRow, TicketRow)
        .join(IncidentRow, col(IncidentRow.id) == col(AuditEventRow.incident_id))
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(AuditEventRow.kind == "conflict")
        .order_by(col(AuditEventRow.seq).desc())
        .limit(limit)
    )
    return [
        {
            "incident": row.id,
            "number": row.number,
            "ticket": ticket.key if ticket else None,
            "since": _iso(event.at),
            **{name: json.loads(event.text).get(name) for name in ("aspect", "reason")},
        }
        for event, row, ticket in session.exec(query).all()
    ]


def _would(session: Session, limit: int) -> list[Data]:
    """What rules in mode `report` would have done, the latest incidents first."""
    query = (
        select(IncidentRow)
        .where(func.json_array_length(col(IncidentRow.would)) > 0)
        .order_by(col(IncidentRow.number).desc())
        .limit(limit)
    )
    return [
        {"incident": row.id, "number": row.number, "would": list(row.would)}
        for row in session.exec(query).all()
    ]


def _doubles(session: Session) -> Data:
    """What the nightly sweep found: how many doubles ever, and those that it leaves to people."""
    known = get_cursor(session, "sweep")
    seen, left = known.get("seen"), known.get("left")
    return {
        "at": known.get("at"),
        "found": len(seen) if isinstance(seen, dict) else 0,
        "left": left if isinstance(left, list) else [],
    }


def ticket_delays(session: Session, since: datetime) -> list[float]:
    """Seconds from incident to ticket, of the tickets made since a moment.

    What happened before the ledger was born is left out: its tickets were late before we came.
    """
    row = session.get(MetaRow, "born")
    born = datetime.fromisoformat(row.value) if row else since
    query = (
        select(IncidentRow.created_at, TicketRow.created_at)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
        .where(TicketRow.created_at >= since, TicketRow.origin == "operation", IncidentRow.created_at >= born)
    )
    return [max(0.0, (made - began).total_seconds()) for began, made in session.exec(query).all()]


def duties_by_state(session: Session) -> dict[str, int]:
    """How many duties stand where."""
    query = select(DutyRow.state, func.count()).group_by(col(DutyRow.state)).order_by(col(DutyRow.state))
    return {state: int(number) for state, number in session.exec(query).all()}


def history(session: Session) -> Data:
    """How far back this ledger's own memory goes: its birth, its last restore, and how much of what an
    earlier ledger knew is `rebuilt`, counted by what it is, so that reports can say so."""
    born = session.get(MetaRow, "born")
    at = restored_at(session)
    return {
        "born": born.value if born else None,
        "restored": at.isoformat() if at else None,
        "rebuilt": _rebuilt(session),
    }


_REBUILT = {
    "ticket.adopted": "ticket",
    "postmortem.adopted": "postmortem",
    "item.adopted": "action item",
    "duty.rebuilt": "breach",
    "waiver.rebuilt": "waiver",
}
"""What an event counts as; an issue without our mark was adopted, and not made by an earlier ledger."""


def _rebuilt(session: Session) -> dict[str, int]:
    query = (
        select(AuditEventRow.kind, func.count())
        .where(col(AuditEventRow.kind).in_(_REBUILT))
        .where(
            or_(
                col(AuditEventRow.kind).not_in(["ticket.adopted", "postmortem.adopted"]),
                col(AuditEventRow.text).contains('"by":"mark"'),
            )
        )
        .group_by(col(AuditEventRow.kind))
    )
    counts = {kind: int(number) for kind, number in session.exec(query).all()}
    return {words: counts[kind] for kind, words in _REBUILT.items() if kind in counts}


def doubles(session: Session) -> tuple[int, int]:
    """How many doubles the sweep has found, and how many of them wait for a person."""
    data = _doubles(session)
    return int(data["found"]), len(data["left"])


def all_incidents(session: Session) -> list[Data]:
    """Every incident with its ticket, oldest first."""
    rows = session.exec(
        select(IncidentRow, TicketRow)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .order_by(col(IncidentRow.number))
    ).all()
    owed = owed_for(session, None)
    return [incident_data(row, ticket, owed.get(row.id)) for row, ticket in rows]


def find_incident(session: Session, wanted: str) -> IncidentRow | None:
    """Given an incident's id, its number or its ticket's key, return its row."""
    row = session.get(IncidentRow, wanted)
    if row is not None:
        return row
    number = wanted.removeprefix("#")
    if number.isdecimal() and len(number) < 19:
        return session.exec(select(IncidentRow).where(IncidentRow.number == int(number))).first()
    ticket = session.exec(select(TicketRow).where(TicketRow.key == wanted.upper())).first()
    return session.get(IncidentRow, ticket.incident_id) if ticket else None


def show_data(session: Session, row: IncidentRow, now: datetime) -> Data:
    """Everything known and done about one incident; `now` is when somebody asks."""
    ticket = session.get(TicketRow, row.id)
    owed = owed_for(session, [row.id]).get(row.id)
    operations = session.exec(
        select(OperationRow).where(OperationRow.incident_id == row.id).order_by(col(OperationRow.id))
    ).all()
    events = session.exec(
        select(AuditEventRow).where(AuditEventRow.incident_id == row.id).order_by(col(AuditEventRow.seq))
    ).all()
    pairs = session.exec(select(MirrorLinkRow).where(MirrorLinkRow.incident_id == row.id)).all()
    return {
        "incident": {**incident_data(row, ticket, owed), "snapshot": row.snapshot, "notes": row.notes},
        "ticket": _ticket_data(ticket) if ticket else None,
        "postmortem": postmortem_data(session, row, now),
        "action_items": items_data(session, row.id, now),
        "waits": waits(row, ticket, operations, now),
        "operations": [operation_data(operation) for operation in operations],
        "mirrored": [
            {"origin": pair.origin, "note": pair.note_id, "comment": pair.comment_id} for pair in pairs
        ],
        "events": [
            # an operation's event names the operation's kind in its data, too
            {"seq": event.seq, "at": _iso(event.at), "kind": event.kind, "data": json.loads(event.text)}
            for event in events
        ],
    }


def _ticket_data(ticket: TicketRow) -> Data:
    return {
        "key": ticket.key,
        "issue_id": ticket.issue_id,
        "origin": ticket.origin,
        "agreed": ticket.agreed,
        "refused": ticket.refused,
        "conflicts": sorted(
            name.removeprefix("conflict:") for name in ticket.agreed if name.startswith("conflict:")
        ),
        "out_of_sight_since": _iso(ticket.out_of_sight_since),
        "snapshot": ticket.snapshot,
    }


def outbox_data(session: Session, states: Sequence[Any] = OPEN_STATES) -> Data:
    """The open operations and the counts by state."""
    return {
        "counts": outbox.counts(session),
        "operations": [operation_data(row) for row in outbox.listing(session, states)],
    }
