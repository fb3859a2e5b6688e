"""What was read of the services, each with the moment its request began.

A snapshot is stored only if its moment is later than the stored one's and than our last confirmed
write to that object: an answer that began earlier tells an older story, whenever it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, and_, col, or_, select

from syncd.domain.incident import Incident, IncidentStatus, Note
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.restrict import restrict, texts_withheld
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.ticket.status import with_left

IssueRow = TicketRow | PostmortemRow | ActionItemRow
LONGEST_LAG = timedelta(minutes=10)
"""How far a read of Jira may lag behind its writes (design: "Exactly one")."""
Intake = Callable[[Incident, str | None, bool], tuple[Incident, str | None]]
"""Given an incident, its team and whether it is restricted already: what of it is stored, and why it becomes
restricted (None: it does not)."""
Ahead = dict[str, IncidentRow | None]
"""Rows that were read at once for a whole page in this session, by incident; None: there is none yet."""


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

    An answer without custom fields or people's addresses keeps those that an earlier one brought. What is
    stored anew enters `ahead`.
    """
    row = known_row(session, incident.id, ahead)
    if row is None:
        row = IncidentRow(
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
        if ahead is not None:
            ahead[incident.id] = row
    elif read_seq <= max(row.read_seq, row.written_seq):
        return None
    known = row.snapshot
    incident, why = intake(_with_what_was_left_out(incident, known), team, row.restricted)
    dumped = incident.model_dump(mode="json")
    news = dumped != known or team != row.team
    row.read_seq = read_seq
    if news:
        row.snapshot, row.team = dumped, team
        row.number, row.service_id = incident.number, incident.service.id
        row.status, row.resolved_at = incident.status, incident.resolved_at
        row.merged_into = incident.merged_into
        row.changed_seq = read_seq
        row.finished = False
    session.add(row)
    if why is not None:
        restrict(session, row, why, now)
    return row if news else None


def _with_what_was_left_out(incident: Incident, known: dict[str, Any]) -> Incident:
    """The incident with the custom fields and addresses that only some answers carry (the log's do not)."""
    update: dict[str, Any] = {}
    if incident.custom_fields is None and known.get("custom_fields") is not None:
        update["custom_fields"] = known["custom_fields"]
    if incident.incident_type is None:
        update["incident_type"] = known.get("incident_type")
    emails = {person["id"]: person["email"] for person in known.get("assignees", ())}
    update["assignees"] = tuple(
        person.model_copy(update={"email": person.email or emails.get(person.id)})
        for person in incident.assignees
    )
    return incident.model_copy(update=update)


def incidents_of(session: Session, incident_ids: Iterable[str]) -> list[IncidentRow]:
    """Those of these incidents that are on record, in one read."""
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
    """Return an incident's row, out of what was read ahead where it is named there."""
    if ahead is not None and incident_id in ahead:
        return ahead[incident_id]
    return session.get(IncidentRow, incident_id)


def save_notes(session: Session, row: IncidentRow, notes: Sequence[Note], read_seq: int) -> None:
    """Store the notes of an incident as listed, unless what is known is younger; none of a restricted one.

    `row` may have been read before the request left; it is read again.
    """
    _fresh(session, row)
    if row.restricted:
        row.notes_wanted = False
        session.add(row)
    elif read_seq > max(row.notes_read_seq, row.written_seq):
        row.notes = [note.model_dump(mode="json") for note in notes]
        row.notes_read_seq, row.notes_wanted = read_seq, False
        session.add(row)


def _fresh(session: Session, row: IncidentRow | IssueRow) -> None:
    session.add(row)
    if row in session.new:
        return  # made in this transaction: nobody else knows it
    session.flush()
    session.refresh(row)


def written_at(row: IssueRow, at: datetime) -> None:
    """A write of ours changed the issue at this time of Jira's or later: what is older lacks it."""
    if row.snapshot and older(str(row.snapshot.get("updated", "")), at.isoformat()):
        row.snapshot = {**row.snapshot, "updated": at.isoformat(timespec="milliseconds")}


def mark_out_of_sight(session: Session, row: IssueRow, now: datetime) -> bool:
    """Note, with its audit event, that Jira does not show an issue; return False if that was known."""
    if row.out_of_sight_since is not None:
        return False
    _set_sight(session, row, now, now)
    return True


def _set_sight(session: Session, row: IssueRow, since: datetime | None, now: datetime) -> None:
    """Store since when an issue is out of sight (None: it is not) and say so; the one place that does."""
    row.out_of_sight_since = since
    session.add(row)
    kind = f"{SUBJECTS[type(row)]}.{'in_sight' if since is None else 'out_of_sight'}"
    audit.append(session, now, kind, incident=row.incident_id, issue=row.issue_id)


SUBJECTS: dict[type[IssueRow], str] = {
    TicketRow: "ticket",
    PostmortemRow: "postmortem",
    ActionItemRow: "item",
}
"""What the audit events about an issue begin with."""


def save_issue(
    session: Session,
    row: IssueRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
    jira_now: datetime | None = None,
    *,
    fresh: bool = False,
) -> bool:
    """Store an issue of ours as read, follow its key if it was moved; return whether that was news.

    It is in sight from now on. `jira_now` is Jira's own time, where it is known. `row` may have been read
    before the request left; it is read again, since a write of ours may have been confirmed meanwhile, unless
    it is `fresh`: read in this transaction.
    """
    if fresh:
        session.add(row)
    else:
        _fresh(session, row)
    if read_seq <= max(row.read_seq, row.written_seq) or _lags(row, issue, jira_now):
        return False
    dumped = issue.model_dump(mode="json")
    incident = session.get(IncidentRow, row.incident_id)
    if incident is not None and incident.restricted:
        dumped = {**dumped, **texts_withheld(incident.number)}
    news = dumped != row.snapshot
    row.read_seq = read_seq
    if row.out_of_sight_since is not None:
        _set_sight(session, row, None, now)
    if news:
        if isinstance(row, TicketRow):
            _note_move(row, issue)
        row.snapshot, row.key, row.project = dumped, issue.key, issue.project
    session.add(row)
    return news


def _note_move(row: TicketRow, issue: Issue) -> None:
    """Keep when a ticket left the status at which it was seen last: at the latest change that Jira shows."""
    stood = str(row.snapshot["status"]["id"]) if row.snapshot else issue.status.id
    if stood != issue.status.id and issue.updated:
        row.agreed = with_left(row.agreed, stood, datetime.fromisoformat(issue.updated))


def _lags(row: IssueRow, issue: Issue, now: datetime | None) -> bool:
    """Whether an answer that began late enough tells an older story all the same: bulk reads may lag.

    Jira's `updated` never goes back, and it moves with every write of ours that changes anything. One
    that changed nothing would have us wait for ever, so after the longest lag any answer counts.
    """
    known = str((row.snapshot or {}).get("updated", ""))
    if now is not None and older(known, (now - LONGEST_LAG).isoformat()):
        return False
    return older(issue.updated, known) or (row.written_seq > row.read_seq and issue.updated == known != "")


def older(one: str, other: str) -> bool:
    """Whether one of Jira's times lies before another; what cannot be read as a time does not."""
    try:
        return datetime.fromisoformat(one) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def is_restricted(ledger: Transactions, incident_id: str) -> bool:
    """Return True if an incident is known to be restricted."""
    with ledger.read() as session:
        return bool(session.connection().scalar(_RESTRICTED, {"incident": incident_id}))


_RESTRICTED = columns(col(IncidentRow.restricted)).where(col(IncidentRow.id) == bindparam("incident"))


def tickets_by_issue_in(session: Session, issue_ids: Iterable[str]) -> dict[str, TicketRow]:
    """Return which of these issues are tickets of ours, by issue id."""
    ids = {"issues": list(issue_ids)}
    return {row.issue_id: row for row in session.exec(_BY_ISSUE, params=ids)}


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_BY_ISSUE = select(TicketRow).where(col(TicketRow.issue_id).in_(_ISSUES))


def still_open_in(session: Session) -> list[str]:
    """Return the claimed incidents that are triggered or acknowledged."""
    return list(session.connection().scalars(_STILL_OPEN))


_STILL_OPEN = (
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.team).is_not(None), col(IncidentRow.status) != IncidentStatus.RESOLVED)
    .order_by(col(IncidentRow.number))
)


def unfinished_in(session: Session) -> list[str]:
    """Return the claimed incidents that are resolved and wait for something, or that a noise rule holds."""
    return list(session.connection().scalars(_UNFINISHED))


_UNFINISHED = (
    columns(col(IncidentRow.id))
    .where(
        col(IncidentRow.team).is_not(None),
        or_(
            and_(col(IncidentRow.status) == IncidentStatus.RESOLVED, col(IncidentRow.finished).is_(False)),
            col(IncidentRow.noise_rule).is_not(None),
        ),
    )
    .order_by(col(IncidentRow.number))
)
