"""Store snapshots of incidents and issues, each with the moment when its request began.

A snapshot is stored only if its request began after the stored snapshot's request and after our last
confirmed write to the object. An answer to an earlier request is older, whenever it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.history import Leave
from syncd.domain.incident import OPEN_STATUSES, Incident, Note, Restriction
from syncd.domain.operation import ObjectKind
from syncd.domain.operation.base import object_of
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store import audit
from syncd.ledger.store.names import log_after_commit, names_in
from syncd.ledger.store.operation_states import free_parked
from syncd.ledger.store.restrict import lift, restrict, texts_withheld, ticket_texts_withheld
from syncd.ledger.store.severity_periods import with_move
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, IssueRow, PostmortemRow, TicketRow
from syncd.ledger.store.unseen_writes import forget_shown, forget_shown_incident
from syncd.policy.ticket.status import with_left

LONGEST_LAG = timedelta(minutes=10)
"""How far a read of Jira may lag behind Jira's writes."""
Intake = Callable[[Incident, str | None, bool, bool], tuple[Incident, Restriction | None]]
"""Given an incident, its team and whether it is restricted already, for certain or provisionally, return the
incident as it is stored, and why it is restricted (None: no rule says so, or it was so for certain)."""
Ahead = dict[str, IncidentRow | None]
"""The rows of a page's incidents, read at once in this session, by incident id; None: it has no row yet."""


def save_incident(
    session: Session,
    incident: Incident,
    read_seq: int,
    now: datetime,
    team: str | None,
    intake: Intake,
    ahead: Ahead | None = None,
) -> IncidentRow | None:
    """Store an incident as read; return its row if that was news, else None.

    If the answer lacks custom fields or people's addresses, the stored ones stay. A new row is added to
    `ahead`.
    """
    row = known_row(session, incident.id, ahead)
    if row is None:
        row = _new_row(incident, now)
        if ahead is not None:
            ahead[incident.id] = row
    # older than the stored snapshot, or begun before our last write was confirmed
    elif read_seq <= max(row.read_seq, row.written_seq):
        return None
    certain = row.restricted and not row.provisional
    asked_fields = incident.custom_fields
    incident, why = intake(_with_omitted_fields(incident, row.snapshot), team, certain, row.provisional)
    ends = row.provisional and why is None
    if ends and asked_fields is None:
        # the stored ones were withheld: they are read by the incident's id
        incident = incident.model_copy(update={"custom_fields": None})
    if row.written_seq:
        forget_shown_incident(session, incident)
    dumped = incident.model_dump(mode="json")
    news = _tells_news(dumped, row.snapshot) or team != row.team
    row.read_seq = read_seq
    if news:
        # the next decision knows the new service only; `no_postmortem` is by the rules of the old one
        if incident.service.id != row.service_id and row.no_postmortem is not None:
            row.severity_periods = with_move(row.severity_periods, incident.updated_at or now)
        row.snapshot, row.team = dumped, team
        row.number, row.service_id = incident.number, incident.service.id
        row.status, row.resolved_at = incident.status, incident.resolved_at
        row.merged_into = incident.merged_into
        row.was_merged_into = incident.merged_into or row.was_merged_into
        row.changed_seq = read_seq
        # the change may ask for something: decide on the incident again
        row.finished = False
    session.add(row)
    if ends:
        lift(session, row, now)
    if why is not None and restrict(session, row, why, now):
        until = " for now" if why.provisional else ""
        name = names_in(session, {row.id})[row.id][2]
        log_after_commit(session, row.id, "INFO", "{} is restricted{} ({})", name, until, why.why)
    return row if news else None


def _tells_news(dumped: dict[str, Any], snapshot: dict[str, Any]) -> bool:
    """Return True if an answer differs from the snapshot, and not just by our note, which is known."""
    last, known = last_update(dumped), last_update(snapshot)
    if last is None or known is None or last > known:
        return dumped != snapshot
    return {**dumped, "updated_at": snapshot["updated_at"]} != snapshot


def last_update(snapshot: dict[str, Any]) -> datetime | None:
    """Return when an incident last changed (UTC), by its snapshot; None if PagerDuty does not tell."""
    at = snapshot.get("updated_at")
    return datetime.fromisoformat(at) if at else None


def _new_row(incident: Incident, now: datetime) -> IncidentRow:
    """Return the row of an incident that was never read: it holds no snapshot yet."""
    return IncidentRow(
        id=incident.id,
        number=incident.number,
        service_id=incident.service.id,
        status=incident.status,
        created_at=incident.created_at,
        first_seen_at=now,
        snapshot={},
        read_seq=0,
        dry_run_notes=[],
        severity_periods=[],
        non_items=[],
    )


def _with_omitted_fields(incident: Incident, snapshot: dict[str, Any]) -> Incident:
    """Return the incident with the stored custom fields, type and addresses, if the answer omits them.

    PagerDuty's log entries embed incidents without them.
    """
    update: dict[str, Any] = {}
    # None: the answer omits them; empty: somebody emptied them
    if incident.custom_fields is None and snapshot.get("custom_fields") is not None:
        update["custom_fields"] = snapshot["custom_fields"]
    if incident.incident_type is None:
        update["incident_type"] = snapshot.get("incident_type")
    emails = {person["id"]: person["email"] for person in snapshot.get("assignees", ())}
    update["assignees"] = tuple(
        person.model_copy(update={"email": person.email or emails.get(person.id)})
        for person in incident.assignees
    )
    return incident.model_copy(update=update)


def incidents_of(session: Session, incident_ids: Iterable[str]) -> list[IncidentRow]:
    """Return the rows of those of these incidents that are on record, by number."""
    return list(session.exec(_INCIDENTS, params={"ids": list(incident_ids)}).all())


_INCIDENTS = (
    select(IncidentRow)
    .where(col(IncidentRow.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(IncidentRow.number))
)


def read_ahead(session: Session, incident_ids: Iterable[str]) -> Ahead:
    """Read these incidents' rows at once, for the `save_incident` of a whole page in this session."""
    rows = Ahead.fromkeys(incident_ids)
    rows |= {row.id: row for row in incidents_of(session, rows)}
    return rows


def known_row(session: Session, incident_id: str, ahead: Ahead | None = None) -> IncidentRow | None:
    """Return an incident's row, None if it is not on record; `ahead` spares the read."""
    if ahead is not None and incident_id in ahead:
        return ahead[incident_id]
    return session.get(IncidentRow, incident_id)


def save_notes(session: Session, row: IncidentRow, notes: Sequence[Note], read_seq: int) -> None:
    """Store the notes of an incident as listed, unless the stored ones are younger; none if it is restricted.

    `row` may have been read before the request left; it is read again.
    """
    _fresh(session, row)
    # of a restricted incident no note is stored
    if not row.restricted and read_seq > max(row.notes_read_seq, row.written_seq):
        row.notes = [note.model_dump(mode="json") for note in notes]
        row.notes_read_seq = read_seq
        session.add(row)


def _fresh(session: Session, row: IncidentRow | IssueRow) -> None:
    session.add(row)
    if row in session.new:
        return  # this transaction made the row, so no other one has changed it
    session.flush()
    session.refresh(row)


def written_at(row: IssueRow, at: datetime) -> None:
    """Raise the stored `updated` to `at` (Jira's clock, UTC), when a write of ours changed the issue.

    Then `save_issue` refuses answers that are older than the write.
    """
    if row.snapshot and older(str(row.snapshot.get("updated", "")), at.isoformat()):
        row.snapshot = {**row.snapshot, "updated": at.isoformat(timespec="milliseconds")}


def mark_out_of_sight(session: Session, row: IssueRow, now: datetime) -> bool:
    """Store, with its audit event, that Jira does not show an issue; return False if that was on record."""
    if row.out_of_sight_since is not None:
        return False
    _set_sight(session, row, now, now)
    return True


def _set_sight(session: Session, row: IssueRow, since: datetime | None, now: datetime) -> None:
    """Store since when an issue is out of sight (None: it is in sight), with the audit event.

    No other function sets the column, so that none can forget the event.
    """
    row.out_of_sight_since = since
    if since is None:
        row.deleted_by = None
    session.add(row)
    kind = f"{SUBJECTS[type(row)]}.{'in_sight' if since is None else 'out_of_sight'}"
    audit.append(session, now, kind, incident=row.incident_id, issue=row.issue_id)


SUBJECTS: dict[type[IssueRow], str] = {
    TicketRow: "ticket",
    PostmortemRow: "postmortem",
    ActionItemRow: "item",
}
"""The first word of the audit events about an issue."""


def save_issue(
    session: Session,
    row: IssueRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
    jira_now: datetime | None = None,
    *,
    fresh: bool = False,
    by_id: bool = False,
) -> bool:
    """Store an issue of ours as read, also its new key if it was moved; return True if that was news.

    The issue is in sight from now on; one that comes back is news, and what was parked while it was out of
    sight is freed. `jira_now` is the time of Jira's own clock (UTC), if it is known. `fresh`: `row` was read
    in this transaction. Otherwise it is read again, because a write of ours may have been confirmed since.
    `by_id`: Jira answered for this issue alone, and such an answer never lags behind a write.
    """
    if fresh:
        session.add(row)
    else:
        _fresh(session, row)
    if read_seq <= max(row.read_seq, row.written_seq) or (not by_id and _lags(row, issue, jira_now)):
        return False
    # an issue that was never read before was never written to either
    if row.read_seq:
        forget_shown(session, object_of(_KINDS[type(row)], _named_by(row)), issue)
    dumped = issue.model_dump(mode="json")
    incident = session.get(IncidentRow, row.incident_id)
    # a restricted incident's texts are replaced before they enter the row
    if incident is not None and incident.restricted:
        number, of_ticket = incident.number, isinstance(row, TicketRow)
        withheld = ticket_texts_withheld(number, dumped) if of_ticket else texts_withheld(number)
        dumped = {**dumped, **withheld}
    changed, back = dumped != row.snapshot, row.out_of_sight_since
    row.read_seq = read_seq
    # syncd sees it, so a move took it to a project that syncd may read
    row.moved_by = None
    if back is not None:
        _set_sight(session, row, None, now)
        free_parked(session, row.incident_id, object_of(_KINDS[type(row)], _named_by(row)), back, now)
    if changed:
        if isinstance(row, TicketRow):
            _note_move(row, issue)
        else:
            _note_leave(session, row, issue, now)
        row.snapshot, row.key, row.project = dumped, issue.key, issue.project
    session.add(row)
    return changed or back is not None


_KINDS: dict[type[IssueRow], ObjectKind] = {
    TicketRow: ObjectKind.TICKET,
    PostmortemRow: ObjectKind.POSTMORTEM,
    ActionItemRow: ObjectKind.ACTION_ITEM,
}


def _named_by(row: IssueRow) -> str:
    """Return the id by which operations name an issue: its incident's, or an action item's own."""
    return row.issue_id if isinstance(row, ActionItemRow) else row.incident_id


def _note_move(row: TicketRow, issue: Issue) -> None:
    """Store when a ticket left the status in which syncd saw it last."""
    # a snapshot does not tell when: `updated` is the latest moment that is possible
    stood = str(row.snapshot["status"]["id"]) if row.snapshot else issue.status.id
    if stood != issue.status.id and issue.updated:
        row.agreed = with_left(row.agreed, stood, datetime.fromisoformat(issue.updated))


def _note_leave(session: Session, row: PostmortemRow | ActionItemRow, issue: Issue, now: datetime) -> None:
    """Store that the owner's account is inactive, or active again: Jira tells that nowhere with a time."""
    owner = issue.assignee
    if owner is None:
        return
    known = row.leaves.get(owner.id)
    leave = Leave.model_validate(known) if known is not None else None
    if owner.active and leave is not None and leave.back is None:
        kind, leave = "owner.back", leave.model_copy(update={"back": now})
    elif not owner.active and (leave is None or leave.back is not None):
        before = (row.snapshot or {}).get("assignee") or {}
        seen_active = before.get("id") == owner.id and before.get("active")
        kind, leave = "owner.left", Leave(after=row.changes_until if seen_active else None, by=now)
    else:
        return
    row.leaves = {**row.leaves, owner.id: leave.model_dump(mode="json")}
    data: dict[str, JsonValue] = {"key": issue.key, "account": audit.salted(session, owner.id)}
    audit.append(session, now, kind, incident=row.incident_id, issue=row.issue_id, data=data)


def _lags(row: IssueRow, issue: Issue, now: datetime | None) -> bool:
    """Return True if an answer is older than the stored snapshot, though its request began later.

    Jira's bulk reads lag behind its writes. Its `updated` never goes back, and each write of ours that
    changes the issue moves it. `now` is the time of Jira's own clock (UTC), if it is known.
    """
    stored = str((row.snapshot or {}).get("updated", ""))
    # a write that changed nothing moves no `updated`: after the longest lag any answer counts
    if now is not None and older(stored, (now - LONGEST_LAG).isoformat()):
        return False
    # the same `updated` after a write of ours: the answer does not show the write yet
    return older(issue.updated, stored) or (row.written_seq > row.read_seq and issue.updated == stored != "")


def older(time: str, other: str) -> bool:
    """Return True if one of Jira's times is before another; False if one of them is no time."""
    try:
        return datetime.fromisoformat(time) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def is_restricted(ledger: Transactions, incident_id: str) -> bool:
    """Return True if an incident is on record as restricted."""
    with ledger.read() as session:
        return bool(_RESTRICTED.scalar(session, incident=incident_id))


_RESTRICTED = Prepared(
    columns(col(IncidentRow.restricted)).where(col(IncidentRow.id) == bindparam("incident"))
)


def tickets_by_issue_in(session: Session, issue_ids: Iterable[str]) -> dict[str, TicketRow]:
    """Return the tickets among these issues, by issue id."""
    ids = {"issues": list(issue_ids)}
    return {row.issue_id: row for row in session.exec(_BY_ISSUE, params=ids)}


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_BY_ISSUE = select(TicketRow).where(col(TicketRow.issue_id).in_(_ISSUES))


STILL_OPEN = col(IncidentRow.status).in_([literal(str(status)) for status in OPEN_STATUSES])
"""The condition that an incident is triggered or acknowledged; the index of the status answers it."""
