"""Store postmortems, action items, duties and waivers, and the logs and changelogs that they are judged by.

A duty's row is written only if the duty changed, each time with an audit event that holds its start, its
deadline and its reason.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, or_
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue, Reference
from syncd.domain.duty import Duty, DutyState, Waiver
from syncd.domain.history import Change
from syncd.domain.incident import LogEntry, Responder
from syncd.domain.role import RoleHolder
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.loading import load, record_of, select_records
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyIssueRow,
    DutyRow,
    IncidentRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.policy.case import ClosedBy, ItemState

GENERATIONS = 5
"""How many merges of merges are followed; a circle of merges must end somewhere."""


def duty_issues_by_id(session: Session, issue_ids: Iterable[str]) -> dict[str, DutyIssueRow]:
    """Return the postmortems and action items among these issues, by issue id."""
    ids = {"issues": list(issue_ids)}
    return {
        **{row.issue_id: row for row in session.exec(_POSTMORTEMS_BY_ISSUE, params=ids)},
        **{row.issue_id: row for row in session.exec(_ITEMS_BY_ISSUE, params=ids)},
    }


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_POSTMORTEMS_BY_ISSUE = select(PostmortemRow).where(col(PostmortemRow.issue_id).in_(_ISSUES))
_ITEMS_BY_ISSUE = select(ActionItemRow).where(col(ActionItemRow.issue_id).in_(_ISSUES))


def save_changes(row: DutyIssueRow, changes: Iterable[Change], until: datetime) -> None:
    """Store an issue's changelog, which is complete up to `until` (UTC)."""
    row.changes = [change.model_dump(mode="json") for change in changes]
    row.changes_until = until


def save_log(
    ledger: Transactions,
    incident_id: str,
    entries: Sequence[LogEntry],
    read_seq: int,
    ours: Container[str] = frozenset(),
) -> None:
    """Store an incident's log as read; of a restricted incident without the entries' texts.

    `ours` are the ids of the users in whose names syncd acts.
    """
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        # an answer that began earlier is older
        if row is None or read_seq <= row.log_read_seq:
            return
        row.log = [_entry(entry, row.restricted, ours) for entry in entries]
        row.log_read_seq = read_seq
        for entry in entries:
            note_acknowledged(row, entry)
            # a merge that was over before syncd looked
            row.was_merged_into = row.merged_into or entry.merged_into or row.was_merged_into
        session.add(row)


@dataclass(frozen=True, slots=True)
class LabelChanges:
    """The changes of a ticket's labels up to `until` (UTC); it had the labels `labels` then."""

    changes: tuple[Change, ...]
    until: datetime
    labels: tuple[str, ...]


def save_ticket_changes(
    ledger: Transactions,
    incident_id: str,
    closed: ClosedBy,
    labelled: LabelChanges,
    read_seq: int,
    now: datetime,
) -> None:
    """Store who moved a ticket to the status in which the changelog shows it, and who set its labels.

    If the ticket was moved on since, it gets a change notice: syncd reads it again before it judges.
    """
    with ledger.write() as session:
        ticket = session.get(TicketRow, incident_id)
        if ticket is None:
            return
        ticket.closed = closed.model_dump(mode="json")
        ticket.changes = [change.model_dump(mode="json") for change in labelled.changes]
        ticket.changes_until, ticket.labels_read = labelled.until, list(labelled.labels)
        session.add(ticket)
        if ticket.snapshot and ticket.snapshot["status"]["id"] != closed.status:
            notice_changes_in(session, [incident_id], now, read_seq, "its ticket moved on", ticket=True)


def note_acknowledged(row: IncidentRow, entry: LogEntry) -> None:
    """Store when an incident was first acknowledged, which ends its time to acknowledge, and who did when."""
    if entry.kind == "acknowledge" and (row.acknowledged_at is None or entry.at < row.acknowledged_at):
        row.acknowledged_at = entry.at
    if entry.kind != "acknowledge" or entry.agent is None or not entry.by_person:
        return
    at, roles = entry.at.isoformat(), row.roles
    known = [{"by": roles["acknowledged"], "at": roles["acknowledged_at"]}] if "acknowledged" in roles else []
    acts = {act["by"]["id"]: act for act in (*known, *roles.get("later", []))}
    person = Responder(id=entry.agent.id, name=entry.agent.name)
    if person.id in acts and acts[person.id]["at"] <= at:
        return
    acts[person.id] = {"by": person.model_dump(mode="json"), "at": at}
    first, *later = sorted(acts.values(), key=lambda act: str(act["at"]))
    row.roles = {**roles, "acknowledged": first["by"], "acknowledged_at": first["at"], "later": later}


def store_roles(
    ledger: Transactions,
    incident_id: str,
    on_call: Mapping[str, Sequence[Responder]],
    named: Mapping[str, RoleHolder],
) -> None:
    """Store who was on schedules at the trigger and whom words mean; what is stored already stays."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return
        shifts = {name: [person.model_dump(mode="json") for person in on_call[name]] for name in on_call}
        # the words are a person's text
        people = {} if row.restricted else {words: named[words].model_dump(mode="json") for words in named}
        row.roles = {
            **row.roles,
            "on_call": {**shifts, **row.roles.get("on_call", {})},
            "named": {**people, **row.roles.get("named", {})},
        }
        session.add(row)


def _entry(entry: LogEntry, restricted: bool, ours: Container[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": entry.id, "kind": entry.kind, "at": entry.at.isoformat()}
    if entry.agent is not None:
        kept["agent"] = entry.agent.name
        kept["agent_id"] = entry.agent.id
        kept["person"] = entry.by_person
        kept |= {"ours": True} if entry.agent.id in ours else {}
    kept |= {"merged_into": entry.merged_into} if entry.merged_into else {}
    # the summary quotes titles and notes
    if not restricted:
        kept["summary"] = entry.summary
    return kept


def log_of(row: IncidentRow | IncidentRecord) -> tuple[LogEntry, ...]:
    """Return an incident's stored log, oldest first; empty if it was never read."""
    return tuple(
        LogEntry(
            id=entry["id"],
            kind=entry["kind"],
            at=entry["at"],
            incident_id=row.id,
            agent=Reference(id=entry["agent_id"], name=entry["agent"]) if entry.get("agent_id") else None,
            by_person=entry.get("person", False),
            summary=entry.get("summary", ""),
            merged_into=entry.get("merged_into"),
        )
        for entry in row.log or ()
    )


def merged_source_rows(session: Session, incident_id: str, *, once: bool = False) -> list[IncidentRow]:
    """Return the incidents that were merged into an incident, then those merged into them, and so on.

    With `once` also those that were opened again.
    """
    into = col(IncidentRow.was_merged_into if once else IncidentRow.merged_into)
    all_sources: list[IncidentRow] = []
    seen, fresh = {incident_id}, [incident_id]
    for _ in range(GENERATIONS):
        query = select(IncidentRow).where(into.in_(fresh))
        rows = session.exec(query.order_by(col(IncidentRow.created_at), col(IncidentRow.number))).all()
        # a circle of merges must not come back to its start
        sources = [source for source in rows if source.id not in seen]
        if not sources:
            break
        all_sources += sources
        fresh = [source.id for source in sources]
        seen.update(fresh)
    return all_sources


def duties_of(session: Session, incident_id: str) -> tuple[Duty, ...]:
    """Return the duties that arose from an incident, the oldest clock first."""
    return tuple(load(session, Duty, _DUTIES, {"incident": incident_id}))


def earlier_duties_of(session: Session, incident_id: str, items: Iterable[ItemState]) -> tuple[Duty, ...]:
    """Return the duties that an incident's action items had for the incidents that were merged into it."""
    subjects = [item.issue_id for item in items if item.handed_over_at is not None]
    if not subjects:
        return ()
    query = select_records(Duty).where(
        col(DutyRow.subject).in_(subjects), col(DutyRow.incident_id) != incident_id
    )
    return tuple(load(session, Duty, query.order_by(col(DutyRow.id))))


_OF_INCIDENT: BindParameter[str] = bindparam("incident")
_DUTIES = select_records(Duty).where(col(DutyRow.incident_id) == _OF_INCIDENT).order_by(col(DutyRow.id))
_DUTY_ROWS = select(DutyRow).where(col(DutyRow.incident_id) == _OF_INCIDENT).order_by(col(DutyRow.id))


def save_duties(session: Session, incident_id: str, duties: Iterable[Duty], now: datetime) -> None:
    """Store the duties that differ from those on record, each with its audit event."""
    duties = list(duties)
    rows = session.exec(_DUTY_ROWS, params={"incident": incident_id}).all() if duties else ()
    rows_by_place = {(row.kind, row.subject, row.clock): row for row in rows}
    for duty in duties:
        row = rows_by_place.get((duty.kind, duty.subject, duty.clock))
        # an unchanged duty leaves no event
        if row is not None and record_of(Duty, row) == duty:
            continue
        before = row.state if row else None
        row = row or DutyRow(incident_id=incident_id, **duty.model_dump())
        for name, value in duty:
            setattr(row, name, value)
        session.add(row)
        _audit(session, incident_id, duty, before, now)


def _audit(session: Session, incident_id: str, duty: Duty, before: str | None, now: datetime) -> None:
    data: dict[str, JsonValue] = {
        "duty": duty.kind,
        "subject": duty.subject,
        "clock": duty.clock,
        "before": before,
        "started_at": duty.started_at.isoformat(),
        "due_at": duty.due_at.isoformat(),
        "rule": duty.rule,
        "reason": duty.reason,
    }
    if duty.met_at is not None:
        data["met_at"] = duty.met_at.isoformat()
    if duty.met_by is not None:
        data["by"] = audit.salted(session, duty.met_by)
    if duty.unseen:
        data["unseen"] = True
    if duty.corrected is not None:
        data["corrected"] = audit.salted(session, duty.corrected)
    audit.append(session, now, f"duty.{DutyState(duty.state)}", incident=incident_id, data=data)


def waivers_of(session: Session, incident_id: str) -> tuple[Waiver, ...]:
    """Return the waivers of an incident and of its action items, also those that are over.

    A waiver of an item that a merge handed over is on record with the source.
    """
    return tuple(load(session, Waiver, _WAIVERS, {"incident": incident_id}))


_WAIVERS = (
    select_records(Waiver)
    .where(
        or_(
            col(WaiverRow.incident_id) == _OF_INCIDENT,
            col(WaiverRow.subject).in_(
                select(ActionItemRow.issue_id).where(col(ActionItemRow.incident_id) == _OF_INCIDENT)
            ),
        )
    )
    .order_by(col(WaiverRow.id))
)


def save_label_waivers(session: Session, incident_id: str, waivers: Iterable[Waiver], now: datetime) -> None:
    """Store the waivers that a label in Jira gave, and the end of those whose label was removed."""
    for waiver in waivers:
        # a label has no id: the moment when it was set tells waivers apart
        query = select(WaiverRow).where(
            WaiverRow.incident_id == incident_id,
            col(WaiverRow.subject).is_not_distinct_from(waiver.subject),
            WaiverRow.source == waiver.source,
            WaiverRow.at == waiver.at,
        )
        row = session.exec(query).first()
        if row is not None and record_of(Waiver, row) == waiver:
            continue
        kind = "waiver.given" if row is None else "waiver.ended"
        row = row or WaiverRow(incident_id=incident_id, **waiver.model_dump())
        row.ended_at = waiver.ended_at
        session.add(row)
        _audit_waiver(session, incident_id, waiver, kind, now)


def save_rebuilt(
    session: Session, incident_id: str, duties: Iterable[Duty], waivers: Iterable[Waiver], now: datetime
) -> None:
    """Store the duties and waivers of an earlier ledger that this ledger does not have.

    A duty that is on record gets the breach and the correction from the earlier ledger, and keeps the rest of
    its verdict.
    """
    for duty in duties:
        query = select(DutyRow).where(DutyRow.incident_id == incident_id, DutyRow.kind == duty.kind)
        query = query.where(DutyRow.subject == duty.subject, DutyRow.clock == duty.clock)
        row = session.exec(query).first()
        # this ledger has the breach already, and the earlier one adds no correction
        if row is not None and row.breached_at is not None and (row.corrected or not duty.corrected):
            continue
        base = record_of(Duty, row) if row is not None else duty
        update = {"breached_at": duty.breached_at, "rebuilt": True}
        if duty.state is DutyState.VOID:
            taken = ("state", "corrected", "corrected_at", "corrected_by", "claimed_met_at")
            update |= {name: getattr(duty, name) for name in taken}
        row = row or DutyRow(incident_id=incident_id, **duty.model_dump())
        for name, value in base.model_copy(update=update):
            setattr(row, name, value)
        session.add(row)
        data: dict[str, JsonValue] = {
            "duty": duty.kind,
            "subject": duty.subject,
            "clock": duty.clock,
            "due_at": duty.due_at.isoformat(),
            "breached_at": duty.breached_at.isoformat() if duty.breached_at else None,
        }
        audit.append(session, now, "duty.rebuilt", incident=incident_id, data=data)
    on_record = {(waiver.duty, waiver.subject, waiver.at) for waiver in waivers_of(session, incident_id)}
    for waiver in waivers:
        if (waiver.duty, waiver.subject, waiver.at) in on_record:
            continue
        session.add(WaiverRow(incident_id=incident_id, **waiver.model_dump()))
        _audit_waiver(session, incident_id, waiver, "waiver.rebuilt", now)


def _audit_waiver(session: Session, incident_id: str, waiver: Waiver, kind: str, now: datetime) -> None:
    data: dict[str, JsonValue] = {
        "duty": waiver.duty,
        "until": waiver.end.isoformat(),
        "by": audit.salted(session, waiver.by),
        "why": audit.salted(session, waiver.reason),
    }
    audit.append(session, now, kind, incident=incident_id, data=data)
