"""The data of `syncd status` and `syncd outbox`, ready for a table or for JSON.

The shapes are a promise to scripts (systemd/README.md, "For scripts").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlmodel import Session, col, func, or_, select

from syncd.domain.duty import OWED, RUNNING, DutyKind
from syncd.domain.incident import IncidentStatus, stub_title
from syncd.domain.mail import of_team
from syncd.domain.operation import OPEN_STATES, Kind, OperationState
from syncd.domain.recurring import PREFIX
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import has_json_entries
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import audit, first_load, holds, outbox
from syncd.ledger.store.key_values import DAEMON_STOPPED, get_cursor_in, is_of_run, run_every
from syncd.ledger.store.loaded_rules import not_asked_by_team
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.moved import moved_words
from syncd.ledger.store.names import names_in
from syncd.ledger.store.recurring import NOTES
from syncd.ledger.store.tables import AuditEventRow, IncidentRow, OperationRow, TicketRow
from syncd.ledger.store.troubles import Trouble, troubles_in
from syncd.ledger.views.postmortems import PostmortemView, iso, postmortem_views
from syncd.policy.duty_words import with_mode
from syncd.policy.ticket.revert_counter import CONFLICT, conflicts_in

Data = dict[str, Any]


def status_data(
    ledger: Transactions, limit: int = 200, *, everything: bool = False, team: str | None = None
) -> Data:
    """Return open and unfinished incidents with their tickets, the outbox by state, the last good cycles.

    `limit` bounds each list. `everything`: return all incidents instead, oldest first. `team`: return the
    incidents, operations, waits, conflicts, refusals and dry-run notes of this team alone; its case does not
    matter.
    """
    with ledger.read() as session:
        data = _status(session, limit, team) | {"moved": moved_words(session)}
        return data | {"incidents": _all_incidents(session, team)} if everything else data


def _of_team(team: str | None) -> ColumnElement[bool]:
    """Return the condition that an incident is of a team; None: of any mapped team."""
    if team is None:
        return col(IncidentRow.team).is_not(None)
    return func.lower(col(IncidentRow.team)) == team.lower()


def _operations_of_team(team: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions that an operation is of a team: of one of its incidents, or of its report."""
    if team is None:
        return []
    subject = col(OperationRow.incident_id)
    of_incidents = subject.in_(select(IncidentRow.id).where(_of_team(team)))
    recurring = func.lower(subject).startswith(f"{PREFIX}{team}/".lower(), autoescape=True)
    return [or_(of_incidents, func.lower(subject) == of_team(team).lower(), recurring)]


def _status(session: Session, limit: int, team: str | None) -> Data:
    open_ops = select(OperationRow.incident_id).where(
        col(OperationRow.state).in_([str(state) for state in OPEN_STATES])
    )
    rows = session.exec(
        select(IncidentRow, TicketRow)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(
            _of_team(team),
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
    postmortems, parked = postmortem_views(session, [row.id for row, _ticket in rows]), _parked(session)
    unasked = not_asked_by_team(session)
    reads = {side: get_cursor_in(session, f"cycle.{side}") for side in ("pagerduty", "jira")}
    return {
        "incidents": [
            incident_data(row, ticket, unasked, postmortems.get(row.id), parked.get(row.id, 0))
            for row, ticket in rows
        ],
        "outbox": outbox.counts(session, *_operations_of_team(team)),
        "cycles": {side: read.get("at") for side, read in reads.items()},
        "single_cycles": any(is_of_run(read) for read in reads.values()),
        "stopped": get_cursor_in(session, DAEMON_STOPPED).get("at"),
        "run_every": max(run_every(read) for read in reads.values()),
        "services": get_cursor_in(session, "services").get("down", []),
        "limits": get_cursor_in(session, "services").get("limits", []),
        "unmapped_services": get_cursor_in(session, "services").get("unmapped", {}),
        "refused": _refused(session, team),
        "notes": get_cursor_in(session, "services").get("notes", []),
        "troubles": [trouble_data(trouble) for trouble in troubles_in(session)],
        "waits": _waits(session, limit, team),
        "audit_head": f"{seq}:{digest}",
        "first_load": first_load.data_of(session),
        "held": holds.mass_data(session),
        "paused": holds.pauses(session),
        "dry_run_notes": _dry_run_notes(session, limit, team),
        "duplicates": doubles_data(session),
        "rivals": _rivals(session),
        "conflicts": _conflicts(session, limit, team),
    }


def _refused(session: Session, team: str | None) -> list[Data]:
    """Return what a service refuses or does not show: what stops a team (None: any) or concerns all."""
    refused = get_cursor_in(session, "services").get("refused")
    return [
        refusal
        for refusal in (refused if isinstance(refused, list) else [])
        if team is None
        or not refusal["teams"]
        or team.lower() in [stopped.lower() for stopped in refusal["teams"]]
    ]


def trouble_data(trouble: Trouble) -> Data:
    """Return something that syncd cannot read or do about one object: `what` completes "syncd cannot"."""
    return {
        "whose": trouble.whose,
        "number": trouble.number,
        "ticket": trouble.ticket,
        "what": trouble.what,
        "since": iso(trouble.since),
        "why": trouble.why,
    }


def _rivals(session: Session) -> list[Data]:
    """Return the ledgers that made tickets for the same incidents; `younger`: this ledger is younger."""
    return [
        {name: rival.get(name) for name in ("key", "since", "younger")} | {"instance": instance}
        for instance, rival in get_cursor_in(session, "rivals").items()
        if isinstance(rival, dict)
    ]


def _conflicts(session: Session, limit: int, team: str | None) -> list[Data]:
    """Return the conflicts in which the two sides still differ, the latest first.

    In a conflict a value was changed back too often, or changed on both sides; syncd leaves it alone since.
    """
    query = (
        select(AuditEventRow, IncidentRow, TicketRow)
        .join(IncidentRow, col(IncidentRow.id) == col(AuditEventRow.incident_id))
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id))
        .where(AuditEventRow.kind == CONFLICT, _of_team(team))
        .order_by(col(AuditEventRow.seq).desc())
    )
    conflicts: dict[tuple[str, str], Data] = {}
    for event, row, ticket in session.exec(query):
        data = audit.event_data(event.seq, event.text)
        aspect = str(data.get("aspect"))
        known = conflicts_in(ticket.agreed).get(aspect)
        if known is None or known.get("agree_since") or (row.id, aspect) in conflicts:
            continue
        conflicts[row.id, aspect] = {
            "incident": row.id,
            "number": row.number,
            "ticket": ticket.key,
            "since": iso(event.at),
            "aspect": aspect,
            "reason": data.get("reason"),
        }
    return list(conflicts.values())[:limit]


def _dry_run_notes(session: Session, limit: int, team: str | None) -> list[Data]:
    """Return the acts that rules in mode `report` would have done, the latest incidents first."""
    query = (
        select(IncidentRow)
        .where(has_json_entries(col(IncidentRow.dry_run_notes)), _of_team(team))
        .order_by(col(IncidentRow.number).desc())
        .limit(limit)
    )
    recurring = [
        {"incident": ident, "number": None, "dry_run_notes": notes}
        for ident, notes in get_cursor_in(session, NOTES).items()
        if team is None or ident.lower().startswith(f"{PREFIX}{team}/".lower())
    ]
    return recurring + [
        {"incident": row.id, "number": row.number, "dry_run_notes": list(row.dry_run_notes)}
        for row in session.exec(query).all()
    ]


def doubles_data(session: Session) -> Data:
    """Return how many duplicates the nightly search ever found, and those that it leaves to people."""
    entry = get_cursor_in(session, "duplicates")
    seen, left = entry.get("seen"), entry.get("left")
    # values by key are JSON: an empty ledger has neither list
    return {
        "at": entry.get("at"),
        "found": len(seen) if isinstance(seen, dict) else 0,
        "left": left if isinstance(left, list) else [],
    }


def _parked(session: Session) -> dict[str, int]:
    """Return how many operations are parked, by incident id."""
    query = (
        select(OperationRow.incident_id, func.count())
        .where(OperationRow.state == OperationState.PARKED)
        .group_by(col(OperationRow.incident_id))
    )
    return dict(session.exec(query).all())


def _all_incidents(session: Session, team: str | None) -> list[Data]:
    """Return all incidents of a team (None: of all) with their tickets, oldest first."""
    rows = session.exec(
        select(IncidentRow, TicketRow)
        .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
        .where(_of_team(team) if team is not None else true())
        .order_by(col(IncidentRow.number))
    ).all()
    postmortems, parked = postmortem_views(session, None), _parked(session)
    unasked = not_asked_by_team(session)
    return [
        incident_data(row, ticket, unasked, postmortems.get(row.id), parked.get(row.id, 0))
        for row, ticket in rows
    ]


def incident_data(
    incident: IncidentRow | IncidentRecord,
    ticket: TicketRow | None,
    unasked: Mapping[str, Collection[DutyKind]],
    postmortem: PostmortemView | None = None,
    parked: int = 0,
) -> Data:
    """Return one incident as `status` lists it; `parked` counts its parked operations.

    `unasked` are each team's duties that nobody is asked for; late items count only where people are.
    """
    not_asked = unasked.get(incident.team or "", ())
    postmortem = postmortem or PostmortemView()
    # a ticket that was just made has no snapshot yet
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
        "ticket_made": ticket is not None and ticket.origin == "operation",
        "ticket_done": issue is not None and issue["status"].get("category") == "done",
        "postmortem": postmortem.key,
        "due_at": iso(postmortem.due_at),
        "late_items": 0 if DutyKind.DONE in not_asked else postmortem.late_items,
        "parked": parked,
        "duties": {
            duty.kind: {
                "state": duty.verdict,
                "words": with_mode(duty.words, duty.state not in RUNNING or duty.kind not in not_asked),
                "owed": duty.state in OWED,
                "asked": duty.kind not in not_asked,
                "running": duty.state in RUNNING,
                "due_at": iso(duty.due_at),
            }
            for duty in postmortem.latest
        },
    }


def listing(ledger: Transactions, states: Sequence[OperationState] = OPEN_STATES) -> list[OperationRecord]:
    """Return the operations in these states, oldest first."""
    with ledger.read() as session:
        return [record_of(OperationRecord, row) for row in outbox.listing(session, states)]


def counts(ledger: Transactions) -> dict[str, int]:
    """Return how many operations are in each state."""
    with ledger.read() as session:
        return outbox.counts(session)


def outbox_data(ledger: Transactions) -> Data:
    """Return the open operations and the counts by state."""
    with ledger.read() as session:
        return {
            "counts": outbox.counts(session),
            "operations": _operations(session, OPEN_STATES),
        }


def plan_data(ledger: Transactions) -> list[Data]:
    """Return the operations that the next cycle would carry out."""
    states = (OperationState.PENDING, OperationState.UNKNOWN, OperationState.HELD)
    with ledger.read() as session:
        return [{name: row[name] for name in PLANNED} for row in _operations(session, states)]


PLANNED = ("incident", "number", "ticket", "name", "kind", "to", "target", "state", "reason")
"""The keys of an operation in a plan; the others are only true once it is on record."""


def _operations(session: Session, states: Sequence[OperationState]) -> list[Data]:
    """Return the operations in these states, oldest first, each with the name of its incident."""
    rows = outbox.listing(session, states)
    names = names_in(session, {row.incident_id for row in rows})
    named = [dict(zip(("number", "ticket", "name"), names[row.incident_id], strict=True)) for row in rows]
    return [operation_data(row) | more for row, more in zip(rows, named, strict=True)]


def operation_data(row: OperationRow | OperationRecord) -> Data:
    """Return one operation as `outbox` and `show` list it."""
    return {
        "id": row.id,
        "incident": row.incident_id,
        "kind": row.kind,
        "target": row.target,
        "to": _to(row),
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempts,
        "error": row.error,
        "needs": row.needs,
        "not_before": row.meaning.get("not_before"),
        "remote_id": row.remote_id,
        "bundle": _bundle(row.rendered or {}),
        **_wait(row),
        "decided_at": iso(row.decided_at),
        "finished_at": iso(row.finished_at),
    }


def _to(row: OperationRow | OperationRecord) -> str | None:
    """Return to whom a mail goes, or to which channel a post; None for any other operation."""
    if row.kind == Kind.POST_CHAT:
        return f"#{row.meaning.get('channel')}"
    return row.meaning.get("to") if row.kind == Kind.SEND_MAIL else None


_AWAITED = {
    OperationState.IN_FLIGHT: "the answer to its request",
    OperationState.HELD: "a person: `syncd outbox release`",
    OperationState.PARKED: "a person: `syncd outbox retry`",
}


def _wait(row: OperationRow | OperationRecord) -> Data:
    """Return what an open operation waits for, and since when; None for an operation that has ended."""
    if row.state not in OPEN_STATES:
        return {"waits_for": None, "waits_since": None}
    why = _AWAITED.get(OperationState(row.state)) or row.waits_for or "its turn"
    claimed = row.claimed_at if row.state == OperationState.IN_FLIGHT else None
    return {"waits_for": why, "waits_since": iso(claimed or row.waits_since or row.decided_at)}


def _waits(session: Session, limit: int, team: str | None) -> list[Data]:
    """Return what operations wait for, with their number and since when, the commonest first."""
    query = (
        select(OperationRow.waits_for, func.min(OperationRow.waits_since), func.count())
        .where(
            col(OperationRow.state).in_([str(OperationState.PENDING), str(OperationState.UNKNOWN)]),
            col(OperationRow.waits_for).is_not(None),
            *_operations_of_team(team),
        )
        .group_by(col(OperationRow.waits_for))
        .order_by(func.count().desc(), col(OperationRow.waits_for))
        .limit(limit)
    )
    return [
        {"why": why, "since": iso(since), "operations": number}
        for why, since, number in session.exec(query).all()
    ]


def _bundle(rendered: Data) -> str | None:
    """Return a line about a notice that left in one mail with others, None for any other operation."""
    if rendered.get("told_by"):
        return "told in one mail with other notices to the same person"
    tells = rendered.get("tells")
    return f"told in one mail with {len(tells)} other notices" if tells else None
