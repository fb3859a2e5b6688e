"""The verbs for action items: find the issues beside an incident that must be read, and store them.

An issue that was read and is no action item is remembered, so that it is not read again until it changes. The
items of a merged incident count for the target of the merge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.history import Change
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.intake import StorageRules, store_duty_issue_in
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.membership import counting, ends_of, merged_at_in, of_ours, on_record_among, whose
from syncd.ledger.store.postmortems import duty_issues_by_id, save_changes
from syncd.ledger.store.snapshots import SUBJECTS, mark_out_of_sight
from syncd.ledger.store.tables import ActionItemRow, DutyIssueRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.follow_ups.membership import LINK_FIELDS, certain, ended_by, source_of

End = tuple[Issue, bool]
"""A ticket or a postmortem as last read, and True if it is the postmortem."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The ticket and postmortem of an incident, and the issues named there that must be read."""

    ends: tuple[End, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An issue that is linked to, or a sub-task of, an incident's ticket or postmortem; and the incident."""

    issue: Issue
    incident: IncidentRecord


def seek_items(ledger: Transactions, incident_id: str) -> Beside:
    """Return the issues named by an incident's ticket and postmortem that syncd has not read yet."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return Beside((), ())
        ends = _ends(session, row.id)
        near = {issue_id for end, _ in ends for issue_id in end.subtasks}
        near |= {link.other_id for end, _ in ends for link in end.links}
        seen_before = set(row.non_items) | on_record_among(session, sorted(near))
        return Beside(ends, tuple(sorted(near - seen_before)))


def _ends(session: Session, incident_id: str) -> tuple[End, ...]:
    rows = (session.get(TicketRow, incident_id), session.get(PostmortemRow, incident_id))
    return tuple(
        (Issue.model_validate(row.snapshot), isinstance(row, PostmortemRow))
        for row in rows
        if row is not None and row.snapshot
    )


def hand_over_items(ledger: Transactions, incident_id: str, now: datetime) -> None:
    """Let the action items of a merged incident count for the target from the merge on.

    A target that was merged itself hands them on once it has judged them up to its own merge.
    """
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        target = session.get(IncidentRow, row.merged_into) if row is not None and row.merged_into else None
        # not merged, or into an incident of no team
        if row is None or target is None or target.team is None:
            return
        merged_at = merged_at_in(row)
        query = select(ActionItemRow).where(col(ActionItemRow.incident_id) == row.id)
        query = query.order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.issue_id))
        items = session.exec(query).all()
        for item in items:
            item.incident_id, item.handed_over_at = target.id, merged_at
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
    """Store the action items among the issues beside an incident, and remember which are none.

    `missing` are issues that the `ends` name and Jira does not show.
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
    """Store an issue beside an incident if it is an action item; return True if it is one."""
    counts = counting(session, row)
    source = source_of(issue, ends_of(session, counts), follow_ups)
    # a link between two tickets or postmortems of ours makes neither an action item
    if source is None or of_ours(session, [issue.id]):
        _pass_over(session, row, issue.id)
        return False
    item = session.get(ActionItemRow, issue.id)
    if item is None:
        # a source judges it up to the merge and hands it over, as if it had been seen before
        item = _new(session, row, issue.id, issue.key, source, now)
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
    """Store an issue that Jira names and hides: if it is `sure` one, as an action item out of sight."""
    if not sure:
        _pass_over(session, row, issue_id)
        return
    keys = {link.other_id: link.other_key for end, _ in ends for link in end.links}
    # a link names a key, a sub-task only an id
    key = keys.get(issue_id, issue_id)
    item = _new(session, row, issue_id, key, "named by Jira", now)
    mark_out_of_sight(session, item, now)


def _pass_over(session: Session, row: IncidentRow, issue_id: str) -> None:
    if issue_id not in row.non_items:
        row.non_items = [*row.non_items, issue_id]
        session.add(row)


def neighbours_among(ledger: Transactions, issues: Iterable[Issue]) -> list[Neighbour]:
    """Return those of these issues that are beside a ticket or a postmortem, each with its incident."""
    with ledger.read() as session:
        return [
            Neighbour(issue, record_of(IncidentRecord, row))
            for issue in issues
            if (row := whose(session, issue)) is not None
        ]


def is_no_item(ledger: Transactions, neighbour: Neighbour, follow_ups: FollowUps) -> bool:
    """Return True if an issue was no action item before and still is none."""
    issue = neighbour.issue
    # not seen before: it has to be judged
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
    """Store a changed issue beside an incident, with a change notice if it is an action item."""
    with ledger.write() as session:
        row = session.get(IncidentRow, neighbour.incident.id)
        if row is None:
            return
        if _keep_neighbour(session, rules, follow_ups, row, neighbour.issue, read_seq, now):
            counts = counting(session, row).id
            notice_changes_in(session, [counts], now, 0, "an issue beside it changed")


ABOUT = {
    "assignee": "owner",
    "duedate": "date",
    "status": "status",
    "resolution": "status",
    "labels": "scope",
    "summary": "scope",
    "description": "scope",
    "parent": "scope",
    **dict.fromkeys(LINK_FIELDS, "scope"),
}
"""The aspect of an action item that a change of a Jira field concerns."""
TEXTS = frozenset({"summary", "description"})
"""Fields whose changes are stored without their texts."""


@dataclass(frozen=True, slots=True)
class Page:
    """The issues of one bulk read, with the changelogs of those that are judged; all by issue id.

    `missing` are issues that Jira does not show. The read began at `began` (UTC), and changelogs are complete
    up to then.
    """

    shown: Mapping[str, Issue]
    changelogs: Mapping[str, Sequence[Change]]
    missing: Collection[str]
    began: datetime


def store_with_changes(
    ledger: Transactions,
    rules: StorageRules,
    page: Page,
    judged: Collection[str],
    moment: int,
    now: datetime,
) -> None:
    """Store those issues of a page that are postmortems or action items, with their changelogs.

    `judged` are further fields whose changes are stored, beside those of owner, date, status and scope.
    """
    with ledger.write() as session:
        rows = duty_issues_by_id(session, [*page.shown, *page.missing])
        for issue_id, issue in page.shown.items():
            row = rows.get(issue_id)
            if row is None:
                continue
            store_duty_issue_in(session, rules, row, issue, moment, now, fresh=True)
            if issue_id in page.changelogs:
                store_changes(session, row, page.changelogs[issue_id], judged, page.began, now)
        for issue_id in page.missing:
            row = rows.get(issue_id)
            if row is not None:
                mark_out_of_sight(session, row, now)


def store_changes(
    session: Session,
    row: DutyIssueRow,
    changelog: Iterable[Change],
    judged: Collection[str],
    until: datetime,
    now: datetime,
) -> None:
    """Store a changelog that is complete up to `until` (UTC), with an audit event for each new change."""
    changes = [change for change in changelog if change.field in judged or change.field in ABOUT]
    stored = {(change["at"], change["field"], change["after"]) for change in row.changes}
    kept = [without_texts(change) for change in changes]
    for change, short in zip(changes, kept, strict=True):
        data = short.model_dump(mode="json")
        # each read brings the whole changelog: only new changes are recorded
        if (data["at"], data["field"], data["after"]) not in stored:
            _audit(session, row, change, now)
    save_changes(row, kept, until)
    # found out once: `ended_by` stays until the issue is an action item again
    if isinstance(row, ActionItemRow) and row.ended_at is not None and "ended_by" not in row.facts:
        _end(session, row, kept, now)


def without_texts(change: Change) -> Change:
    """Return the change, without its values if its field is a text."""
    if change.field not in TEXTS:
        return change
    bare = {"before": None, "after": None, "before_words": None, "after_words": None}
    return change.model_copy(update=bare)


def _audit(session: Session, row: DutyIssueRow, change: Change, now: datetime) -> None:
    # the only other fields that are judged hold dates
    aspect = ABOUT.get(change.field, "date")
    data: dict[str, JsonValue] = {"at": change.at.isoformat(), "field": change.field}
    if change.author is not None:
        data["by"] = audit.salted(session, change.author.id)
    for name, value in (("before", change.before), ("after", change.after)):
        words = value if value is not None else getattr(change, f"{name}_words")
        if words:
            # names and texts may name a person: only their hash enters the trail
            plain = aspect in ("date", "status")
            data[name] = words if plain else audit.salted(session, words)
    kind = f"{SUBJECTS[type(row)]}.{aspect}"
    audit.append(session, now, kind, incident=row.incident_id, issue=row.issue_id, data=data)


def _end(session: Session, row: ActionItemRow, changes: list[Change], now: datetime) -> None:
    """Store who took an action item away, and when, as far as its changelog tells."""
    incident = session.get(IncidentRow, row.incident_id)
    keys = ends_of(session, incident).keys if incident is not None else frozenset()
    change = ended_by(changes, keys)
    author = change.author if change is not None else None
    if change is not None:
        row.ended_at = change.at
    row.facts = {**row.facts, "ended_by": (author.name or author.id) if author is not None else ""}
    data: dict[str, JsonValue] = {"at": row.ended_at.isoformat() if row.ended_at else None}
    if author is not None:
        data["by"] = audit.salted(session, author.id)
    audit.append(session, now, "item.ended", incident=row.incident_id, issue=row.issue_id, data=data)
