"""Whether an issue belongs to an incident as an action item, by what the ledger knows of both.

Of incidents that were merged the items count for the target (rules: "The postmortem", merged), so that what
hangs on a source's ticket or postmortem hangs on the target. An item that is none any more stays on record.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, union_all
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.history import StateChange
from syncd.domain.incident import Incident
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.postmortems import GENERATIONS, merged_source_rows
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_ups.membership import Ends, source_of, spans_over
from syncd.policy.time.state_changes import Entry, state_changes_of


def counting(session: Session, row: IncidentRow) -> IncidentRow:
    """The incident that an incident's action items count for: itself, or what it was merged into."""
    for _ in range(GENERATIONS):
        target = session.get(IncidentRow, row.merged_into) if row.merged_into else None
        if target is None or target.team is None:
            return row
        row = target
    return row


def family(session: Session, row: IncidentRow) -> list[IncidentRow]:
    """The incident and what was merged into it."""
    return [row, *merged_source_rows(session, row.id)]


def ends_of(session: Session, row: IncidentRow) -> Ends:
    """What the action items of an incident hang on."""
    tickets: set[str] = set()
    postmortems: set[str] = set()
    keys: set[str] = set()
    over = {}
    for one in family(session, row):
        ticket, postmortem = session.get(TicketRow, one.id), session.get(PostmortemRow, one.id)
        if ticket is not None:
            incident = Incident.model_validate(one.snapshot)
            tickets.add(ticket.issue_id)
            keys.add(ticket.key)
            over[ticket.issue_id] = spans_over(known_state_changes(one, incident), incident)
        if postmortem is not None:
            postmortems.add(postmortem.issue_id)
            keys.add(postmortem.key)
    return Ends(
        tickets=frozenset(tickets), postmortems=frozenset(postmortems), keys=frozenset(keys), over=over
    )


def of_ours(session: Session, issue_ids: list[str]) -> set[str]:
    """Which of these issues are tickets or postmortems of any incident."""
    return set(session.connection().scalars(_OURS, {"issues": issue_ids}))


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_OURS = union_all(
    *(columns(one).where(one.in_(_ISSUES)) for one in (col(TicketRow.issue_id), col(PostmortemRow.issue_id)))
)
_ITEMS = columns(col(ActionItemRow.issue_id)).where(col(ActionItemRow.issue_id).in_(_ISSUES))


def whose(session: Session, issue: Issue) -> IncidentRow | None:
    """The incident on whose ticket or postmortem an issue hangs, as a sub-task or by a link."""
    near = [link.other_id for link in issue.links] + ([issue.parent_id] if issue.parent_id else [])
    for table in (PostmortemRow, TicketRow):
        query = select(table.incident_id).where(col(table.issue_id).in_(near)).order_by(table.issue_id)
        found = session.exec(query.limit(1)).first() if near else None
        if found is not None:
            return session.get(IncidentRow, found)
    return None


def store_membership(
    session: Session, row: ActionItemRow, issue: Issue, rules: FollowUps, now: datetime
) -> bool:
    """Given an action item as read, note whether it still is one, and whose; return whether that changed."""
    incident = session.get(IncidentRow, row.incident_id)
    if incident is None:
        return False
    source = source_of(issue, ends_of(session, incident), rules)
    if source is None and _taken_out(session, row, issue, rules, now):
        return True
    if (source is None) == (row.ended_at is not None):
        return False
    row.ended_at = None if source is not None else now
    row.facts = {name: value for name, value in row.facts.items() if name != "ended_by"}
    if source is not None:
        row.source = source
        audit.append(session, now, "item.again", incident=row.incident_id, issue=row.issue_id)
    session.add(row)
    return True


def _taken_out(session: Session, row: ActionItemRow, issue: Issue, rules: FollowUps, now: datetime) -> bool:
    """Whether its incident was taken out of a merge again: then it counts for that one from now on."""
    found = whose(session, issue)
    own = counting(session, found) if found is not None else None
    if own is None or own.id == row.incident_id:
        return False
    source = source_of(issue, ends_of(session, own), rules)
    if source is None:
        return False
    audit.append(
        session, now, "item.handed_over", incident=own.id, issue=row.issue_id, data={"from": row.incident_id}
    )
    row.incident_id, row.source, row.ended_at = own.id, source, None
    row.facts = {name: value for name, value in row.facts.items() if name != "ended_by"}
    session.add(row)
    notice_changes_in(session, [own.id], now, 0, "an action item counts for it again")
    return True


def on_record_among(session: Session, issue_ids: Iterable[str]) -> set[str]:
    """Return those of these issues that are on record already: action items, tickets, postmortems."""
    ids = list(issue_ids)
    return set(session.connection().scalars(_ITEMS, {"issues": ids})) | of_ours(session, ids)


def known_state_changes(
    row: IncidentRow | IncidentRecord, incident: Incident
) -> tuple[StateChange, ...] | None:
    """An incident's turns out of its log; None where the log was not read since it changed."""
    if row.log is None or row.log_read_seq < row.changed_seq:
        return None
    entries = [Entry(kind=one["kind"], at=one["at"], agent=one.get("agent", "")) for one in row.log]
    return state_changes_of(entries, incident)
