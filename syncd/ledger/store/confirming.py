"""The verbs that end an operation that was carried out, and store what it changed.

Result, remote id, change notices and audit events are stored in one transaction. The same holds for a rewrite
of a mirrored note or comment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy import select as columns
from sqlmodel import Session, SQLModel, col, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import OperationState
from syncd.domain.operation.texts import Rewrite
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import audit, outbox, unseen_writes
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.confirmation import (
    Change,
    Confirmation,
    Event,
    NoticeChange,
    Rewritten,
    Untold,
)
from syncd.ledger.store.decisions import tell_lead_in
from syncd.ledger.store.intake import StorageRules, store_issue_in
from syncd.ledger.store.key_values import go_on_commenting, stop_comments
from syncd.ledger.store.loading import get, record_of
from syncd.ledger.store.made import store_made
from syncd.ledger.store.operation_states import finish
from syncd.ledger.store.snapshots import incidents_of, last_update, written_at
from syncd.ledger.store.tables import (
    DutyIssueRow,
    IncidentRow,
    MirrorLinkRow,
    PostmortemRow,
    TicketRow,
)
from syncd.ledger.store.unseen_writes import Answered
from syncd.ledger.store.weekly_reports import note_sent_in
from syncd.policy.case import DutyIssueState, IssueState, ItemState, MirrorPair, PostmortemState, TicketState


def confirm(
    ledger: Transactions,
    operation: OperationRecord,
    remote_id: str,
    confirmation: Confirmation,
    now: datetime,
    answered: Answered,
    changed_at: datetime | None = None,
) -> IssueState | None:
    """End an operation that was carried out, and store what it changed, until a read shows it.

    `changed_at` is when it changed the ticket, by Jira's clock (UTC). Return the issue on which customers can
    see our comment, None if there is none.
    """
    with ledger.write(leading=False) as session:
        if confirmation.to_see:
            # before the change below: the row still shows the values from before the write
            unseen_writes.expect(session, operation, answered)
        shown_on = store(session, operation, remote_id, confirmation, now)
        if changed_at is not None:
            ticket = session.get(TicketRow, operation.incident_id)
            # an answer from before this write must not undo it
            if ticket is not None:
                written_at(ticket, changed_at)
        finish_done(session, operation, remote_id, confirmation, now)
    return shown_on


def finish_done(
    session: Session, operation: OperationRecord, remote_id: str, confirmation: Confirmation, now: datetime
) -> None:
    """End an operation that was carried out."""
    values: dict[str, Any] = {}
    if confirmation.rendered is not None:
        values["rendered"] = confirmation.rendered.stored
    finish(session, operation, OperationState.DONE, now, remote_id=remote_id, **values)


def store(
    session: Session, operation: OperationRecord, remote_id: str, confirmation: Confirmation, now: datetime
) -> IssueState | None:
    """Store the changes of an operation that was carried out; return as `confirm` does."""
    if confirmation.made is not None:
        store_made(session, operation.incident_id, confirmation.made, now)
    if confirmation.rewritten is not None:
        store_rewritten(session, operation, confirmation.rewritten, now)
    if confirmation.untold is not None:
        _tell_lead(session, operation.incident_id, confirmation.untold, remote_id, now)
    issue = _change_ticket(session, operation, confirmation, now) or _change_duty_issue(
        session, operation, confirmation, now
    )
    if confirmation.look is not None:
        _look(session, operation, confirmation.look, now)
    if confirmation.noted_at is not None:
        _note_update(session, operation.incident_id, confirmation.noted_at)
    if confirmation.event is not None:
        _say(session, operation, confirmation.event, remote_id, now)
    if confirmation.report is not None:
        team, week = confirmation.report
        note_sent_in(session, team, week, now)
    # the comment was not to be hidden, or Jira did not tell who can see it
    if confirmation.public is None or issue is None:
        return None
    _store_comment_shown(session, operation, issue, remote_id, confirmation.public, now)
    return issue if confirmation.public else None


def _look(session: Session, operation: OperationRecord, look: NoticeChange, now: datetime) -> None:
    notice_changes_in(session, [operation.incident_id], now, look.read_seq, look.why, ticket=look.ticket)


def _say(
    session: Session, operation: OperationRecord, event: Event, issue: str | None, now: datetime
) -> None:
    audit.append(
        session,
        now,
        event.kind,
        incident=operation.incident_id,
        issue=event.issue or issue,
        operation=operation.id,
        data=event.data,
    )


def _note_update(session: Session, incident_id: str, at: datetime) -> None:
    """Store that our note was the incident's last update (UTC), so that a read which shows it is no news."""
    snapshot: dict[str, Any] = _SNAPSHOT.scalar(session, incident=incident_id) or {}
    known = last_update(snapshot)
    # what people did between the two is in PagerDuty's log, or differs from the snapshot
    if known is not None and known < at:
        shown = {**snapshot, "updated_at": at.isoformat().replace("+00:00", "Z")}
        _CHANGE_SNAPSHOT.change(session, this_incident=incident_id, snapshot=shown)


_INCIDENTS = SQLModel.metadata.tables["incident"]
_SNAPSHOT = Prepared(columns(col(IncidentRow.snapshot)).where(col(IncidentRow.id) == bindparam("incident")))
_CHANGE_SNAPSHOT = Prepared(update(_INCIDENTS).where(_INCIDENTS.c.id == bindparam("this_incident")))


def _tell_lead(session: Session, incident_id: str, untold: Untold, issue: str, now: datetime) -> None:
    incident = get(session, IncidentRecord, incident_id)
    mail = untold.mail(incident) if incident is not None else None
    tell_lead_in(session, incident_id, untold.why, issue, mail, now)


def _change_ticket(
    session: Session, operation: OperationRecord, confirmation: Confirmation, now: datetime
) -> TicketState | None:
    if confirmation.ticket is None and confirmation.both is None:
        return None
    row = session.get(TicketRow, operation.incident_id)
    if row is None:
        return None
    ticket = record_of(TicketState, row)
    if confirmation.ticket is not None:
        _apply(session, operation, row, confirmation.ticket(ticket), now)
    if confirmation.both is not None:
        incident = session.get(IncidentRow, operation.incident_id)
        if incident is not None:
            # a pure function of the row as it is now, so that no other write is lost
            change = confirmation.both(ticket, incident.restricted)
            if change.incident_written is not None:
                incident.written_seq = change.incident_written
            _apply(session, operation, row, change, now)
    return ticket


def _change_duty_issue(
    session: Session, operation: OperationRecord, confirmation: Confirmation, now: datetime
) -> DutyIssueState | None:
    if confirmation.duty_issue is None:
        return None
    row = _duty_issue_row(session, operation)
    if row is None:
        return None
    issue = _duty_issue(row)
    _apply(session, operation, row, confirmation.duty_issue(issue), now)
    return issue


def _apply(
    session: Session, operation: OperationRecord, row: TicketRow | DutyIssueRow, change: Change, now: datetime
) -> None:
    for name, value in change.values.items():
        setattr(row, name, value)
    session.add(row)
    if change.event is not None:
        _say(session, operation, change.event, row.issue_id, now)
    if change.add is not None:
        outbox.add(session, [change.add], now, operation.mapping_version)
    if change.look is not None:
        _look(session, operation, change.look, now)


def duty_issue_of(ledger: Transactions, operation: OperationRecord) -> DutyIssueState | None:
    """Return the postmortem or action item that an operation changes, None if it is not on record."""
    with ledger.read() as session:
        row = _duty_issue_row(session, operation)
        return _duty_issue(row) if row is not None else None


def issue_of(ledger: Transactions, operation: OperationRecord) -> str | None:
    """Return the id of the ticket, postmortem or action item that an operation changes, None if unknown."""
    with ledger.read() as session:
        row = unseen_writes.row_of(session, operation.object)
        return row.issue_id if row is not None else None


def _duty_issue_row(session: Session, operation: OperationRecord) -> DutyIssueRow | None:
    row = unseen_writes.row_of(session, operation.object)
    return row if isinstance(row, DutyIssueRow) else None


def _duty_issue(row: DutyIssueRow) -> DutyIssueState:
    if isinstance(row, PostmortemRow):
        return record_of(PostmortemState, row)
    return record_of(ItemState, row)


def change_ticket(
    ledger: Transactions,
    operation: OperationRecord,
    change: Callable[[TicketState], Change],
    now: datetime,
) -> None:
    """Store what an operation learnt about its ticket before it left."""
    with ledger.write() as session:
        _change_ticket(session, operation, Confirmation(ticket=change), now)


def _store_comment_shown(
    session: Session,
    operation: OperationRecord,
    issue: IssueState,
    comment_id: str,
    public: bool,
    now: datetime,
) -> None:
    """Stop comments on a project if customers can see our comment, else allow them again."""
    if not public:
        go_on_commenting(session, issue.project)
        return
    stop_comments(session, issue.project, at=now.isoformat(), comment=comment_id, key=issue.key)
    data: dict[str, JsonValue] = {"comment": comment_id, "project": issue.project}
    _say(session, operation, Event("comment.public", data, issue.issue_id), None, now)


@dataclass(frozen=True)
class ReadBack:
    """A ticket that a batch made, as it was read back; `agreed` holds if the ticket is in `status`."""

    operation: OperationRecord
    confirmation: Confirmation
    issue: Issue
    status: str | None
    agreed: dict[str, JsonValue]


def confirm_batch(
    ledger: Transactions,
    rules: StorageRules,
    made: Sequence[ReadBack],
    moment: int,
    now: datetime,
    jira_now: datetime | None,
) -> frozenset[str]:
    """End the creates of a batch and store their tickets; return the ids of those stored as they were read.

    The tickets were read at `moment`, 0 if the read did not bring them whole: then no snapshot is stored.
    `jira_now` is the time of that read by Jira's clock (UTC), if it is known.
    """
    stored = set[str]()
    # without a flush the new tickets stay in `session.new`, where the second half looks for them
    with ledger.write(leading=False) as session, session.no_autoflush:
        # the session's cache holds rows weakly: this list keeps the batch's incidents in it
        incidents = incidents_of(session, [created.operation.incident_id for created in made])
        for created in made:
            store(session, created.operation, created.issue.id, created.confirmation, now)
            finish_done(session, created.operation, created.issue.id, created.confirmation, now)
        if not moment or not incidents:
            return frozenset()
        tickets = {row.incident_id: row for row in session.new if isinstance(row, TicketRow)}
        for created in made:
            ticket = tickets.get(created.operation.incident_id)
            # one that was adopted meanwhile was stored as it was read
            if ticket is None:
                continue
            # the read began after the create was answered, so it is later than our write
            ticket.written_seq = moment - 1
            store_issue_in(session, rules, ticket, created.issue, moment, now, jira_now)
            # an answer that lags, or a stopped team's, was not stored
            if ticket.read_seq == moment:
                stored.add(created.issue.id)
            # a workflow may begin elsewhere than in the expected status: then a move has to follow
            if created.status == created.issue.status.id:
                ticket.agreed = {**ticket.agreed, **created.agreed}
                ticket.placed_status = created.issue.status.id
    return frozenset(stored)


def _pair(session: Session, operation: OperationRecord) -> MirrorLinkRow | None:
    copy = operation.typed(Rewrite)
    query = select(MirrorLinkRow).where(
        col(MirrorLinkRow.note_id) == copy.note, col(MirrorLinkRow.comment_id) == copy.comment
    )
    return session.exec(query).first()


def store_rewritten(
    session: Session, operation: OperationRecord, rewritten: Rewritten, now: datetime
) -> None:
    """Store the version of the original that a copy follows now, and the hash of the copy."""
    pair = _pair(session, operation)
    if pair is None:
        return
    # the note is the original and the comment its copy
    if pair.origin == "note":
        pair.note_hash, pair.comment_hash = rewritten.version, rewritten.copied or pair.comment_hash
    else:
        pair.comment_hash, pair.note_hash = rewritten.version, rewritten.copied or pair.note_hash
    session.add(pair)
    if rewritten.left:
        data: dict[str, JsonValue] = {"rule": "mirror", "reason": rewritten.left}
        incident = operation.incident_id
        audit.append(session, now, "left", incident=incident, operation=operation.id, data=data)


def store_copy(
    ledger: Transactions,
    operation: OperationRecord,
    judge: Callable[[MirrorPair], Rewritten | None],
    now: datetime,
) -> bool:
    """Return True if a copy has to be written; else store its present version.

    `judge` returns the version to store for a pair of note and comment, None if syncd has to write the copy.
    Return False, too, if the pair is no longer on record.
    """
    with ledger.write() as session:
        pair = _pair(session, operation)
        if pair is None:
            return False
        rewritten = judge(
            MirrorPair(origin=pair.origin, note_hash=pair.note_hash, comment_hash=pair.comment_hash)
        )
        if rewritten is None:
            return True
        store_rewritten(session, operation, rewritten, now)
        return False
