"""Postmortems, action items, duties and waivers in the ledger: stored with what they were read from.

A duty's row is written where it stands otherwise than before, each time with an audit event that says since
when, until when and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.base import Reference
from syncd.domain.history import Change, SeverityPeriod
from syncd.domain.incident import Incident, LogEntry
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import ActionItemRecord, IncidentRecord, PostmortemRecord, TicketRecord
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.loaded_rules import earlier_values
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.case import Case, ClosedBy, ItemState, PostmortemState, TicketState
from syncd.policy.postmortem.owed import over_since

DutyIssueRow = PostmortemRow | ActionItemRow

GENERATIONS = 5
"""Merges of merges that are followed."""


def duty_issues_by_id(session: Session, issue_ids: Iterable[str]) -> dict[str, DutyIssueRow]:
    """Which of these issues are postmortems or action items, by issue id."""
    ids = list(issue_ids)
    found: dict[str, DutyIssueRow] = {}
    for row in session.exec(_POSTMORTEMS_BY_ISSUE, params={"issues": ids}).all():
        found[row.issue_id] = row
    for item in session.exec(_ITEMS_BY_ISSUE, params={"issues": ids}).all():
        found[item.issue_id] = item
    return found


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_POSTMORTEMS_BY_ISSUE = select(PostmortemRow).where(col(PostmortemRow.issue_id).in_(_ISSUES))
_ITEMS_BY_ISSUE = select(ActionItemRow).where(col(ActionItemRow.issue_id).in_(_ISSUES))


def items_of(session: Session, incident_id: str) -> list[ActionItemRow]:
    """The action items of an incident, in the order in which they were first seen."""
    return list(session.exec(_ITEMS, params={"incident": incident_id}).all())


_ITEMS = (
    select(ActionItemRow)
    .where(ActionItemRow.incident_id == bindparam("incident"))
    .order_by(col(ActionItemRow.first_seen_at))
)


def postmortem_state(row: PostmortemRow | PostmortemRecord) -> PostmortemState:
    """A postmortem's row as the rules see it."""
    return PostmortemState(
        issue_id=row.issue_id,
        key=row.key,
        origin=row.origin,
        agreed=row.agreed,
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        changes=tuple(Change.model_validate(one) for one in row.changes),
        changes_until=row.changes_until,
        follow_ups=tuple(row.follow_ups),
        follow_ups_since=row.follow_ups_since,
        gone_since=row.out_of_sight_since,
        created_at=row.created_at,
    )


def save_changes(row: DutyIssueRow, changes: Iterable[Change], until: datetime) -> None:
    """Keep what an issue's changelog says, which is complete up to `until`."""
    row.changes = [one.model_dump(mode="json") for one in changes]
    row.changes_until = until


def save_log(ledger: Transactions, incident_id: str, entries: Sequence[LogEntry], read_seq: int) -> None:
    """Store an incident's log as read; of a restricted one only what happened when, without words."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None or read_seq <= row.log_read_seq:
            return
        row.log = [_entry(entry, row.restricted) for entry in entries]
        row.log_read_seq = read_seq
        for entry in entries:
            note_acknowledged(row, entry)
        session.add(row)


def save_close(
    ledger: Transactions, incident_id: str, closed: ClosedBy, read_seq: int, now: datetime
) -> None:
    """Store who moved a ticket to where it stood when that was read.

    One that was moved on meanwhile has a change notice: it is read again before anything is judged.
    """
    with ledger.write() as session:
        ticket = session.get(TicketRow, incident_id)
        if ticket is None:
            return
        ticket.closed = closed.model_dump(mode="json")
        session.add(ticket)
        if ticket.snapshot and ticket.snapshot["status"]["id"] != closed.status:
            notice_changes_in(session, [incident_id], now, read_seq, "its ticket moved on", ticket=True)


def note_acknowledged(row: IncidentRow, entry: LogEntry) -> None:
    """Keep when an incident was first acknowledged: the time to acknowledge ends there."""
    if entry.kind == "acknowledge" and (row.acknowledged_at is None or entry.at < row.acknowledged_at):
        row.acknowledged_at = entry.at


def _entry(entry: LogEntry, restricted: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": entry.id, "kind": entry.kind, "at": entry.at.isoformat()}
    if entry.agent is not None:
        kept["agent"] = entry.agent.name
        kept["agent_id"] = entry.agent.id
        kept["person"] = entry.by_person
    if not restricted:
        kept["summary"] = entry.summary
    return kept


def log_of(row: IncidentRow | IncidentRecord) -> tuple[LogEntry, ...]:
    """An incident's log as it is kept, oldest first; empty where it was never read."""
    return tuple(
        LogEntry(
            id=one["id"],
            kind=one["kind"],
            at=one["at"],
            incident_id=row.id,
            agent=Reference(id=one["agent_id"], name=one["agent"]) if one.get("agent_id") else None,
            by_person=one.get("person", False),
            summary=one.get("summary", ""),
        )
        for one in row.log or ()
    )


def with_spell(
    severity_periods: list[dict[str, Any]], severity: str, since: datetime
) -> list[dict[str, Any]]:
    """Return an incident's severities with the one that it has since then."""
    if severity_periods and severity_periods[-1]["severity"] == severity:
        return severity_periods
    return [*severity_periods, SeverityPeriod(severity=severity, since=since).model_dump(mode="json")]


def merged_source_rows(session: Session, incident_id: str) -> list[IncidentRow]:
    """What was merged into an incident, then what was merged into that, and so on."""
    found: list[IncidentRow] = []
    seen, fresh = {incident_id}, [incident_id]
    for _ in range(GENERATIONS):
        query = select(IncidentRow).where(col(IncidentRow.merged_into).in_(fresh))
        rows = session.exec(query.order_by(col(IncidentRow.created_at))).all()
        sources = [one for one in rows if one.id not in seen]
        if not sources:
            break
        found += sources
        fresh = [one.id for one in sources]
        seen.update(fresh)
    return found


def next_due(session: Session, after: datetime) -> datetime | None:
    """The next moment at which the passing of time alone asks for a decision on any incident."""
    query = select(func.min(IncidentRow.due_at)).where(col(IncidentRow.due_at) > after)
    return session.exec(query).first()


def due_incidents(session: Session, now: datetime, limit: int = 200) -> Sequence[str]:
    """Claimed incidents for which the passing of time alone asks for another decision by now."""
    return session.connection().scalars(_DUE, {"now": now, "most": limit}).all()


_DUE = (
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.due_at) <= bindparam("now"))
    .order_by(col(IncidentRow.due_at))
    .limit(bindparam("most"))
)


def ticket_state(row: TicketRow | TicketRecord) -> TicketState:
    """A ticket's row as the rules see it."""
    return TicketState(
        issue_id=row.issue_id,
        key=row.key,
        origin=row.origin,
        agreed=row.agreed,
        placed_status=row.placed_status,
        refused=tuple(row.refused),
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        closed=ClosedBy.model_validate(row.closed) if row.closed else None,
    )


def earlier(session: Session, incident: Incident, team: str) -> dict[str, str | None]:
    """The values of the team's rules that were changed since the incident was resolved."""
    over = over_since(Case(incident=incident))
    return {} if over is None else earlier_values(session, team, over)


def item_state(row: ActionItemRow | ActionItemRecord) -> ItemState:
    """An action item's row as the rules see it."""
    return ItemState(
        issue_id=row.issue_id,
        key=row.key,
        source=row.source,
        facts=row.facts,
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        changes=tuple(Change.model_validate(one) for one in row.changes),
        changes_until=row.changes_until,
        gone_since=row.out_of_sight_since,
        ended_at=row.ended_at,
        first_seen_at=row.first_seen_at,
    )
