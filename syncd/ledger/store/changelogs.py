"""What people changed on postmortems and action items, into the ledger with who and when.

Every change of owner, date, status and scope is an event of the audit trail, once, by Jira's clock. Names and
texts stand there as salted hashes; of texts nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.history import Change
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.intake import StorageRules, store_duty_issue_in
from syncd.ledger.store.membership import ends_of
from syncd.ledger.store.postmortems import DutyIssueRow, duty_issues_by_id, save_changes
from syncd.ledger.store.tables import ActionItemRow, IncidentRow
from syncd.policy.follow_ups.membership import LINK_FIELDS, ended_by

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
"""What a field's change is a change of."""
TEXTS = frozenset({"summary", "description"})
"""Fields of which only is kept that they changed."""


@dataclass(frozen=True, slots=True)
class Page:
    """Issues as one bulk read showed them, with their changelogs where they are judged; all by issue id.

    `missing` are issues that Jira does not show. The read began at `began` (UTC): changelogs are complete up
    to then.
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
    """Store a page of postmortems and action items as read, those on record, with their changelogs.

    `judged` are the fields whose changes are kept beside those of owner, date, status and scope.
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
            if row is not None and row.out_of_sight_since is None:
                row.out_of_sight_since = now


def store_changes(
    session: Session,
    row: DutyIssueRow,
    changelog: Iterable[Change],
    judged: Collection[str],
    until: datetime,
    now: datetime,
) -> None:
    """Keep a changelog that is complete up to `until`, and say what is new in it."""
    changes = [change for change in changelog if change.field in judged or change.field in ABOUT]
    known = {(change["at"], change["field"], change["after"]) for change in row.changes}
    kept = [without_texts(change) for change in changes]
    for change, short in zip(changes, kept, strict=True):
        data = short.model_dump(mode="json")
        if (data["at"], data["field"], data["after"]) not in known:
            _audit(session, row, change, now)
    save_changes(row, kept, until)
    if isinstance(row, ActionItemRow) and row.ended_at is not None and "ended_by" not in row.facts:
        _end(session, row, kept, now)


def without_texts(change: Change) -> Change:
    """Return the change; of a text only that somebody wrote on it, not what."""
    if change.field not in TEXTS:
        return change
    bare = {"before": None, "after": None, "before_words": None, "after_words": None}
    return change.model_copy(update=bare)


def _audit(session: Session, row: DutyIssueRow, change: Change, now: datetime) -> None:
    what = ABOUT.get(change.field, "date")
    subject = "item" if isinstance(row, ActionItemRow) else "postmortem"
    data: dict[str, JsonValue] = {"at": change.at.isoformat(), "field": change.field}
    if change.author is not None:
        data["by"] = audit.salted(session, change.author.id)
    for name, value in (("before", change.before), ("after", change.after)):
        words = value if value is not None else getattr(change, f"{name}_words")
        if words:
            plain = what in ("date", "status")
            data[name] = words if plain else audit.salted(session, words)
    audit.append(session, now, f"{subject}.{what}", incident=row.incident_id, issue=row.issue_id, data=data)


def _end(session: Session, row: ActionItemRow, changes: list[Change], now: datetime) -> None:
    """Who took an item away, and when, as far as its changelog tells."""
    incident = session.get(IncidentRow, row.incident_id)
    keys = ends_of(session, incident).keys if incident is not None else frozenset()
    change = ended_by(changes, keys)
    who = change.author if change is not None else None
    if change is not None:
        row.ended_at = change.at
    row.facts = {**row.facts, "ended_by": (who.name or who.id) if who is not None else ""}
    data: dict[str, JsonValue] = {"at": row.ended_at.isoformat() if row.ended_at else None}
    if who is not None:
        data["by"] = audit.salted(session, who.id)
    audit.append(session, now, "item.ended", incident=row.incident_id, issue=row.issue_id, data=data)
