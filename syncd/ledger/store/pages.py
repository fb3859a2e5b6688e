"""The verbs that store a page of reads, each in one transaction with the change notices that follow from it.

The rows of a whole page are read by one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, LogEntry, Note, Restriction
from syncd.domain.ticket import Comment, Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.intake import StorageRules, restrict_known, store_duty_issue_in, store_issue_in
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.postmortems import duty_issues_by_id, note_acknowledged
from syncd.ledger.store.restrict import ticket_texts_withheld
from syncd.ledger.store.snapshots import (
    SUBJECTS,
    Ahead,
    incidents_of,
    known_row,
    mark_out_of_sight,
    read_ahead,
    save_incident,
    save_notes,
    tickets_by_issue_in,
)
from syncd.ledger.store.tables import IncidentRow, IssueRow, TicketRow
from syncd.policy.ticket.merge import ASPECT as DUPLICATE


@dataclass(frozen=True, slots=True)
class StoredIncidents:
    """The result of storing a page of incidents: those that were news, and those that belong to no team."""

    news: tuple[Incident, ...]
    unclaimed: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class LogNews:
    """A log entry, with the change notice that it asks for (`why`, `since`, `notes`).

    `shown`: the incident that is embedded in the entry shows the change. If the ledger has stored that
    incident without news, the entry asks for nothing. `written` is the operation in the mark of the note that
    the entry tells of: once it is confirmed, the ledger knows that note, and the same holds.
    """

    entry: LogEntry
    since: int
    why: str
    notes: bool = False
    shown: bool = False
    written: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket after a read: whether the read was news, and Jira's `updated` of the stored snapshot."""

    issue_id: str
    key: str
    news: bool
    updated: str | None


def store_incident(
    ledger: Transactions,
    rules: StorageRules,
    incident: Incident,
    read_seq: int,
    now: datetime,
) -> IncidentRecord | None:
    """Store an incident that was read by its id; return it as it is on record afterwards.

    An incident on a service that no mapping names stays with its last team.
    """
    with ledger.write() as session:
        row_before = session.get(IncidentRow, incident.id)
        team = rules.claimed_by(incident) or (row_before.team if row_before else None)
        if not rules.stopped(team, incident.service):
            save_incident(session, incident, read_seq, now, team, rules.incident)
            session.flush()
        row = session.get(IncidentRow, incident.id)
        return record_of(IncidentRecord, row) if row is not None else None


def restrict_for_now(
    ledger: Transactions, rules: StorageRules, incident_id: str, why: str, now: datetime
) -> IncidentRecord | None:
    """Restrict an incident provisionally, unless it is restricted; return it as it is on record then."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return None
        if not row.restricted:
            restrict_known(session, rules, row, Restriction(why=why, provisional=True), now)
            session.flush()
        return record_of(IncidentRecord, row)


def store_listed(
    ledger: Transactions,
    rules: StorageRules,
    incidents: Sequence[Incident],
    read_seq: int,
    now: datetime,
    why: str,
) -> StoredIncidents:
    """Store a page of a list of incidents; each incident with news gets a change notice (`why`)."""
    news, unclaimed = [], []
    with ledger.write() as session:
        ahead = read_ahead(session, [incident.id for incident in incidents])
        for incident in incidents:
            team = _team(session, rules, incident, ahead)
            if team is None:
                unclaimed.append(incident)
            elif save_incident(session, incident, read_seq, now, team, rules.incident, ahead) is not None:
                news.append(incident)
        notice_changes_in(session, [incident.id for incident in news], now, read_seq, why)
    return StoredIncidents(tuple(news), tuple(unclaimed))


def store_log(
    ledger: Transactions, rules: StorageRules, page: Sequence[LogNews], read_seq: int, now: datetime
) -> list[Incident]:
    """Store a page of log entries with the incidents embedded in it; return the incidents of no team."""
    unclaimed = []
    with ledger.write() as session:
        ahead = read_ahead(session, {news.entry.incident_id for news in page})
        for news in page:
            incident = news.entry.incident
            if incident is None:
                _acknowledged(session, ahead.get(news.entry.incident_id), news.entry)
            else:
                team = _team(session, rules, incident, ahead)
                if team is None:
                    unclaimed.append(incident)
                    continue
                fresh = save_incident(session, incident, read_seq, now, team, rules.incident, ahead)
                row = ahead.get(news.entry.incident_id)
                _acknowledged(session, row, news.entry)
                # stored by this very read without news: the ledger has the entry's change already
                same = fresh is None and row is not None and row.read_seq == read_seq
                if same and (news.shown or _is_our_note(session, news)):
                    continue
                _note_log_grew(row, news.entry, read_seq)
            notice_changes_in(session, [news.entry.incident_id], now, news.since, news.why, notes=news.notes)
    return unclaimed


def _team(session: Session, rules: StorageRules, incident: Incident, ahead: Ahead) -> str | None:
    """Return the team of an incident; on a service that no mapping names it stays with its last team."""
    claimed = rules.claimed_by(incident)
    if claimed is not None:
        return claimed
    row = known_row(session, incident.id, ahead)
    team = row.team if row is not None else None
    return None if rules.stopped(team, incident.service) else team


def _is_our_note(session: Session, news: LogNews) -> bool:
    """Return True if the entry tells of a note whose operation is confirmed."""
    return news.written is not None and outbox.is_done(session, news.entry.incident_id, news.written)


def _note_log_grew(row: IncidentRow | None, entry: LogEntry, read_seq: int) -> None:
    """Have the incident's log read again if the stored one lacks an entry; the snapshot may not tell."""
    if row is not None and row.log is not None and all(kept["id"] != entry.id for kept in row.log):
        row.changed_seq = max(row.changed_seq, read_seq)


def _acknowledged(session: Session, row: IncidentRow | None, entry: LogEntry) -> None:
    if row is not None and entry.kind == "acknowledge":
        note_acknowledged(row, entry)
        session.add(row)


def store_notes(
    ledger: Transactions,
    rules: StorageRules,
    incident_id: str,
    notes: Iterable[Note],
    read_seq: int,
    *,
    now: datetime | None = None,
    why: str | None = None,
) -> IncidentRecord | None:
    """Store the notes of an incident as listed; return the incident as it is on record afterwards.

    With `why` and `now` the incident gets a change notice.
    """
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None or rules.stopped(row.team):
            return None
        save_notes(session, row, rules.notes(notes, row.team), read_seq)
        if why is not None and now is not None:
            notice_changes_in(session, [incident_id], now, 0, why)
        return record_of(IncidentRecord, row)


def store_comments(
    ledger: Transactions, rules: StorageRules, incident_id: str, comments: Iterable[Comment]
) -> None:
    """Store a ticket's comments as listed if its snapshot lacks them; of a restricted one only lines."""
    with ledger.write() as session:
        ticket, incident = session.get(TicketRow, incident_id), session.get(IncidentRow, incident_id)
        if ticket is None or incident is None or rules.stopped(incident.team):
            return
        # a fresher read has brought the comments already
        if not ticket.snapshot or ticket.snapshot.get("comments") is not None:
            return
        whole = Issue.model_validate(ticket.snapshot).model_copy(update={"comments": tuple(comments)})
        dumped = rules.issue(whole, incident.team).model_dump(mode="json")
        if incident.restricted:
            dumped = {**dumped, **ticket_texts_withheld(incident.number, dumped)}
        ticket.snapshot = dumped
        session.add(ticket)


def store_tickets(
    ledger: Transactions,
    rules: StorageRules,
    issues: Sequence[Issue],
    read_seq: int,
    now: datetime,
    jira_now: datetime | None,
    *,
    missing: Sequence[str] = (),
    relink: bool = False,
    by_id: bool = False,
) -> list[StoredTicket]:
    """Store those issues of a page that are tickets; each ticket with news gets a change notice.

    `jira_now` is the time of Jira's own clock (UTC), if it is known. `missing` are issues that Jira does not
    show: a ticket among them is out of sight from now on. `relink`: if a person removed our link to a
    duplicate, the link is decided on again. `by_id`: Jira answered for one issue alone.
    """
    stored = []
    with ledger.write() as session:
        rows = tickets_by_issue_in(session, [*(issue.id for issue in issues), *missing])
        # the session's cache holds rows weakly: this list keeps each ticket's incident in it for the page
        incidents = incidents_of(session, [row.incident_id for row in rows.values()])
        for issue in issues:
            row = rows.get(issue.id)
            if row is None:
                continue
            news = store_issue_in(
                session, rules, row, issue, read_seq, now, jira_now, fresh=True, by_id=by_id
            )
            if news:
                notice_changes_in(session, [row.incident_id], now, 0, "its ticket changed")
            if relink:
                _forget_lost_link(session, row, issue)
            updated = str(row.snapshot["updated"]) if row.snapshot else None
            stored.append(StoredTicket(issue.id, issue.key, news, updated))
        for issue_id in missing:
            row = rows.get(issue_id)
            if row is not None:
                mark_out_of_sight(session, row, now)
        del incidents
    return stored


def _forget_lost_link(session: Session, ticket: TicketRow, issue: Issue) -> None:
    target = ticket.agreed.get(DUPLICATE)
    other = session.get(TicketRow, str(target)) if target else None
    # no link can be made to an issue that Jira does not show
    if other is None or other.out_of_sight_since is not None:
        return
    if all(link.other_id != other.issue_id for link in issue.links):
        ticket.agreed = {name: value for name, value in ticket.agreed.items() if name != DUPLICATE}
        session.add(ticket)


def store_ticket(
    ledger: Transactions,
    rules: StorageRules,
    incident_id: str,
    issue: Issue | None,
    read_seq: int,
    now: datetime,
    jira_now: datetime | None,
    *,
    gone: bool,
    by_id: bool = False,
) -> None:
    """Store an incident's ticket as read, `issue` None if it was not read.

    `gone`: Jira does not show it, so it is out of sight from now on. `jira_now` is the time of Jira's own
    clock (UTC), if it is known. `by_id`: Jira answered for this issue alone.
    """
    with ledger.write() as session:
        row = session.get(TicketRow, incident_id)
        if row is None:
            return
        # the incident may have got another ticket while the answer was on its way
        if issue is not None and issue.id == row.issue_id:
            store_issue_in(session, rules, row, issue, read_seq, now, jira_now, fresh=True, by_id=by_id)
        if gone:
            mark_out_of_sight(session, row, now)


def store_papers(
    ledger: Transactions,
    rules: StorageRules,
    issues: Sequence[Issue],
    read_seq: int,
    now: datetime,
    why: str,
    *,
    missing: Sequence[str] = (),
    by_id: bool = False,
) -> None:
    """Store those issues of a page that are postmortems or action items; news gets a change notice (`why`).

    `missing` are issues that Jira does not show: those on record are out of sight from now on. `by_id`: Jira
    answered for one issue alone.
    """
    with ledger.write() as session:
        rows = duty_issues_by_id(session, [*(issue.id for issue in issues), *missing])
        for issue in issues:
            row = rows.get(issue.id)
            if row is not None and store_duty_issue_in(
                session, rules, row, issue, read_seq, now, fresh=True, by_id=by_id
            ):
                # the changelog is read again before the next decision
                row.changes_until = None
                notice_changes_in(session, [row.incident_id], now, 0, why)
        for issue_id in missing:
            row = rows.get(issue_id)
            if row is not None and mark_out_of_sight(session, row, now):
                notice_changes_in(session, [row.incident_id], now, 0, "it is out of sight")


Loss = Literal["deleted", "moved"]
"""How an issue may be lost to syncd by an act of which only Jira's event tells."""


def store_loss(
    ledger: Transactions, issue_id: str, how: Loss, by: str, account: str, now: datetime
) -> str | None:
    """Store that somebody deleted or moved an issue of ours; return its incident, None if it is no such.

    `by` is the name that Jira's event gives, `account` the account's id; both may be empty.
    """
    with ledger.write() as session:
        row: IssueRow | None = duty_issues_by_id(session, [issue_id]).get(issue_id)
        row = row or tickets_by_issue_in(session, [issue_id]).get(issue_id)
        if row is None:
            return None
        if how == "moved":
            # the other project may be one that syncd can read
            row.moved_by = by or account
        else:
            row.deleted_by = by or account
            if not isinstance(row, TicketRow):
                mark_out_of_sight(session, row, now)
        session.add(row)
        notice_changes_in(session, [row.incident_id], now, 0, f"it was {how}")
        data: dict[str, JsonValue] | None = {"by": account} if account else None
        kind = f"{SUBJECTS[type(row)]}.{how}"
        audit.append(session, now, kind, incident=row.incident_id, issue=issue_id, data=data)
        return row.incident_id
