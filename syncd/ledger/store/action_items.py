"""The verbs about action items: which issues beside an incident are to be read, and what was read of them.

What was looked at and is no action item is remembered, so that it is not read again until it changes. Of
incidents that were merged the items count for the target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.intake import StorageRules, store_duty_issue_in
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.membership import counting, ends_of, of_ours, on_record_among, whose
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_ups.membership import certain, source_of

End = tuple[Issue, bool]
"""A ticket or a postmortem as last read, and whether it is the postmortem."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What an incident's action items hang on, and the issues named there that are to be read."""

    ends: tuple[End, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An issue beside an incident's ticket or postmortem, and the incident."""

    issue: Issue
    incident: IncidentRecord


def seek_items(ledger: Transactions, incident_id: str, now: datetime) -> Beside:
    """Return what hangs on an incident's ticket and postmortem and is not known yet.

    The action items of what was merged count for the target from now on.
    """
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return Beside((), ())
        _hand_over(session, row, now)
        ends = _ends(session, row.id)
        near = {issue_id for end, _ in ends for issue_id in end.subtasks}
        near |= {link.other_id for end, _ in ends for link in end.links}
        known = set(row.non_items) | on_record_among(session, sorted(near))
        return Beside(ends, tuple(sorted(near - known)))


def _ends(session: Session, incident_id: str) -> tuple[End, ...]:
    rows = (session.get(TicketRow, incident_id), session.get(PostmortemRow, incident_id))
    return tuple(
        (Issue.model_validate(row.snapshot), isinstance(row, PostmortemRow))
        for row in rows
        if row is not None and row.snapshot
    )


def _hand_over(session: Session, row: IncidentRow, now: datetime) -> None:
    target = counting(session, row)
    if target.id == row.id:
        return
    items = session.exec(select(ActionItemRow).where(col(ActionItemRow.incident_id) == row.id)).all()
    for item in items:
        item.incident_id = target.id
        session.add(item)
        kind, data = "item.handed_over", {"from": row.id}
        audit.append(session, now, kind, incident=target.id, issue=item.issue_id, data={**data})
    if items:
        notice_changes_in(session, [target.id], now, 0, "action items of a merged incident")


def store_beside(
    ledger: Transactions,
    rules: StorageRules,
    follow_ups: FollowUps,
    incident_id: str,
    issues: Iterable[Issue],
    missing: Collection[str],
    ends: Sequence[End],
    read_seq: int,
    now: datetime,
) -> None:
    """Store the action items among issues that hang on an incident, and remember which are none.

    `missing` are issues that Jira names (`ends`) and does not show.
    """
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return
        for issue in issues:
            _keep_neighbour(session, rules, follow_ups, row, issue, read_seq, now)
        for issue_id in missing:
            sure = any(certain(issue_id, end, duty_issues, follow_ups) for end, duty_issues in ends)
            _keep_unseen(session, row, issue_id, ends, sure, now)


def _keep_neighbour(
    session: Session,
    rules: StorageRules,
    follow_ups: FollowUps,
    row: IncidentRow,
    issue: Issue,
    read_seq: int,
    now: datetime,
) -> bool:
    """Store an issue that hangs on an incident if it is an action item; return whether it is one."""
    counts = counting(session, row)
    source = source_of(issue, ends_of(session, counts), follow_ups)
    if source is None or of_ours(session, [issue.id]):
        _pass_over(session, row, issue.id)
        return False
    item = session.get(ActionItemRow, issue.id)
    if item is None:
        item = _new(session, counts, issue.id, issue.key, source, now)
    row.non_items = [issue_id for issue_id in row.non_items if issue_id != issue.id]
    session.add(row)
    store_duty_issue_in(session, rules, item, issue, read_seq, now, fresh=True)
    return True


def _new(
    session: Session, row: IncidentRow, issue_id: str, key: str, source: str, now: datetime
) -> ActionItemRow:
    item = ActionItemRow(
        issue_id=issue_id,
        incident_id=row.id,
        key=key,
        project=key.rpartition("-")[0],
        source=source,
        first_seen_at=now,
    )
    session.add(item)
    audit.append(session, now, "item.found", incident=row.id, issue=issue_id, data={"source": source})
    notice_changes_in(session, [row.id], now, 0, "an action item was found")
    return item


def _keep_unseen(
    session: Session, row: IncidentRow, issue_id: str, ends: Sequence[End], sure: bool, now: datetime
) -> None:
    """What Jira names and does not show: an action item that we cannot see, or nothing that we know of."""
    if not sure:
        _pass_over(session, row, issue_id)
        return
    keys = {link.other_id: link.other_key for end, _ in ends for link in end.links}
    key = keys.get(issue_id, issue_id)
    item = _new(session, counting(session, row), issue_id, key, "named by Jira", now)
    item.out_of_sight_since = now


def _pass_over(session: Session, row: IncidentRow, issue_id: str) -> None:
    if issue_id not in row.non_items:
        row.non_items = [*row.non_items, issue_id]
        session.add(row)


def neighbours_among(ledger: Transactions, issues: Iterable[Issue]) -> list[Neighbour]:
    """Return those of these issues that hang on a ticket or a postmortem, each with its incident."""
    with ledger.read() as session:
        return [
            Neighbour(issue, record_of(IncidentRecord, row))
            for issue in issues
            if (row := whose(session, issue)) is not None
        ]


def is_no_item(ledger: Transactions, neighbour: Neighbour, follow_ups: FollowUps) -> bool:
    """Return True if an issue was passed over before and would be again."""
    issue = neighbour.issue
    if issue.id not in neighbour.incident.non_items:
        return False
    with ledger.read() as session:
        row = session.get(IncidentRow, neighbour.incident.id)
        if row is None:
            return False
        return source_of(issue, ends_of(session, counting(session, row)), follow_ups) is None


def store_neighbour(
    ledger: Transactions,
    rules: StorageRules,
    follow_ups: FollowUps,
    neighbour: Neighbour,
    read_seq: int,
    now: datetime,
) -> None:
    """Store an issue that changed beside an incident; an action item brings its incident a change notice."""
    with ledger.write() as session:
        row = session.get(IncidentRow, neighbour.incident.id)
        if row is None:
            return
        if _keep_neighbour(session, rules, follow_ups, row, neighbour.issue, read_seq, now):
            counts = counting(session, row).id
            notice_changes_in(session, [counts], now, 0, "an issue beside it changed")
