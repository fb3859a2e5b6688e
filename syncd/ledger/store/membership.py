"""Decide whether an issue is an action item of an incident, by the rows of both.

The items of a merged incident count for the target of the merge: an issue beside a source's ticket or
postmortem is an issue beside the target. An issue that is no action item any more stays on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, union_all
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import Incident
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.ticket import Issue
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.postmortems import GENERATIONS, merged_source_rows
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_ups.membership import Ends, source_of, spans_over
from syncd.policy.postmortem.merged_sources import Member, latest_merge
from syncd.policy.time.state_changes import Entry, state_changes_of


def counting(session: Session, row: IncidentRow) -> IncidentRow:
    """Return the incident for which an incident's action items count: itself, or its merge target."""
    for _ in range(GENERATIONS):
        target = session.get(IncidentRow, row.merged_into) if row.merged_into else None
        # no mapping claims the target, so nobody would judge the items there
        if target is None or target.team is None:
            return row
        row = target
    return row


def family(session: Session, row: IncidentRow) -> list[IncidentRow]:
    """Return an incident and the incidents that were merged into it."""
    return [row, *merged_source_rows(session, row.id)]


def ends_of(session: Session, row: IncidentRow) -> Ends:
    """Return the tickets and postmortems beside which an incident's action items are."""
    tickets: set[str] = set()
    postmortems: set[str] = set()
    keys: set[str] = set()
    over = {}
    for member in family(session, row):
        ticket, postmortem = session.get(TicketRow, member.id), session.get(PostmortemRow, member.id)
        if ticket is not None:
            incident = Incident.model_validate(member.snapshot)
            tickets.add(ticket.issue_id)
            keys.add(ticket.key)
            # a sub-task of the ticket counts only if it was made while the incident was over
            over[ticket.issue_id] = spans_over(known_state_changes(member, incident), incident)
        if postmortem is not None:
            postmortems.add(postmortem.issue_id)
            keys.add(postmortem.key)
    return Ends(
        tickets=frozenset(tickets), postmortems=frozenset(postmortems), keys=frozenset(keys), over=over
    )


def of_ours(session: Session, issue_ids: list[str]) -> set[str]:
    """Return those of these issues that are tickets or postmortems of any incident."""
    return set(session.connection().scalars(_OURS, {"issues": issue_ids}))


_ISSUES: BindParameter[list[str]] = bindparam("issues", expanding=True)
_OURS = union_all(
    *(
        columns(issue_id).where(issue_id.in_(_ISSUES))
        for issue_id in (col(TicketRow.issue_id), col(PostmortemRow.issue_id))
    )
)
_ITEMS = columns(col(ActionItemRow.issue_id)).where(col(ActionItemRow.issue_id).in_(_ISSUES))


def whose(session: Session, issue: Issue) -> IncidentRow | None:
    """Return the incident whose ticket or postmortem an issue is linked to, or is a sub-task of.

    A postmortem is preferred to a ticket.
    """
    near = [link.other_id for link in issue.links] + ([issue.parent_id] if issue.parent_id else [])
    for table in (PostmortemRow, TicketRow):
        query = select(table.incident_id).where(col(table.issue_id).in_(near)).order_by(table.issue_id)
        incident_id = session.exec(query.limit(1)).first() if near else None
        if incident_id is not None:
            return session.get(IncidentRow, incident_id)
    return None


def store_membership(
    session: Session, row: ActionItemRow, issue: Issue, rules: FollowUps, now: datetime
) -> bool:
    """Store whether an issue still is an action item, and of which incident; return True on a change."""
    incident = session.get(IncidentRow, row.incident_id)
    if incident is None:
        return False
    source = source_of(issue, ends_of(session, incident), rules)
    # it counted for a merge target, and its incident was taken out of the merge
    if source is None and _taken_out(session, row, issue, rules, now):
        return True
    if (source is None) == (row.ended_at is not None):
        return False
    row.ended_at = None if source is not None else now
    # whoever ended it before has no part in the new verdict
    row.facts = {name: value for name, value in row.facts.items() if name != "ended_by"}
    if source is not None:
        row.source = source
        audit.append(session, now, "item.again", incident=row.incident_id, issue=row.issue_id)
    session.add(row)
    return True


def _taken_out(session: Session, row: ActionItemRow, issue: Issue, rules: FollowUps, now: datetime) -> bool:
    """Hand an action item over to the incident beside which it is; return True if that is another one."""
    beside = whose(session, issue)
    own = counting(session, beside) if beside is not None else None
    if own is None or own.id == row.incident_id:
        return False
    source = source_of(issue, ends_of(session, own), rules)
    if source is None:
        return False
    audit.append(
        session, now, "item.handed_over", incident=own.id, issue=row.issue_id, data={"from": row.incident_id}
    )
    row.incident_id, row.source, row.ended_at, row.handed_over_at = own.id, source, None, None
    row.facts = {name: value for name, value in row.facts.items() if name != "ended_by"}
    session.add(row)
    notice_changes_in(session, [own.id], now, 0, "an action item counts for it again")
    return True


def on_record_among(session: Session, issue_ids: Iterable[str]) -> set[str]:
    """Return those of these issues that are action items, tickets or postmortems on record."""
    ids = list(issue_ids)
    return set(session.connection().scalars(_ITEMS, {"issues": ids})) | of_ours(session, ids)


def member_of(row: IncidentRecord, incident: Incident, mapping: Mapping, section: ServiceSection) -> Member:
    """Return an incident of a team that is or was merged, for the verdicts of its target."""
    return Member(
        incident=incident,
        into=row.was_merged_into or "",
        severity_periods=tuple(SeverityPeriod.model_validate(period) for period in row.severity_periods),
        state_changes=None if row.log is None else state_changes_of(list(entries_of(row)), incident),
        mapping=mapping,
        section=section,
        exercise=row.exercise is not None,
    )


def merged_at_in(row: IncidentRow) -> datetime:
    """Return when a merged incident was merged (UTC), by its log, else by its resolve."""
    merges = (entry.at for entry in entries_of(row) if entry.merged_into == row.merged_into)
    incident = Incident.model_validate(row.snapshot)
    return latest_merge(incident, merges) or incident.created_at


def known_state_changes(
    row: IncidentRow | IncidentRecord, incident: Incident
) -> tuple[StateChange, ...] | None:
    """Return an incident's state changes from its log, None if the log was not read since the last change."""
    if row.log is None or row.log_read_seq < row.changed_seq:
        return None
    return state_changes_of(list(entries_of(row)), incident)


def entries_of(row: IncidentRow | IncidentRecord) -> Iterator[Entry]:
    """Yield the entries of an incident's stored log, oldest first."""
    for entry in row.log or ():
        yield Entry(
            kind=entry["kind"],
            at=entry["at"],
            agent=entry.get("agent", ""),
            person=entry.get("person", False),
            ours=entry.get("ours", False),
            merged_into=entry.get("merged_into"),
        )
