"""What people changed on postmortems and action items, into the ledger with who and when.

Every change of owner, date, status and scope is an event of the audit trail, once, by Jira's clock. Names and
texts stand there as salted hashes; of texts nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.history import Change
from syncd.engine.observe.item_membership import ends_of
from syncd.ledger.store import audit
from syncd.ledger.store.postmortems import PaperRow, save_changes
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
PEOPLE = frozenset({"assignee"})


def keep_changes(
    session: Session,
    row: PaperRow,
    found: Iterable[Change],
    judged: Collection[str],
    until: datetime,
    now: datetime,
) -> None:
    """Keep a changelog that is complete up to `until`, and say what is new in it."""
    changes = [one for one in found if one.field in judged or one.field in ABOUT]
    known = {(one["at"], one["field"], one["after"]) for one in row.changes}
    kept = [_without_texts(one) for one in changes]
    for change, short in zip(changes, kept, strict=True):
        data = short.model_dump(mode="json")
        if (data["at"], data["field"], data["after"]) not in known:
            _say(session, row, change, now)
    save_changes(row, kept, until)
    if isinstance(row, ActionItemRow) and row.ended_at is not None and "ended_by" not in row.facts:
        _end(session, row, kept, now)


def _without_texts(change: Change) -> Change:
    if change.field not in TEXTS:
        return change
    bare = {"before": None, "after": None, "before_words": None, "after_words": None}
    return change.model_copy(update=bare)


def _say(session: Session, row: PaperRow, change: Change, now: datetime) -> None:
    what = ABOUT.get(change.field, "date")
    paper = "item" if isinstance(row, ActionItemRow) else "postmortem"
    data: dict[str, JsonValue] = {"at": change.at.isoformat(), "field": change.field}
    if change.author is not None:
        data["by"] = audit.salted(session, change.author.id)
    for name, value in (("before", change.before), ("after", change.after)):
        words = value if value is not None else getattr(change, f"{name}_words")
        if words:
            plain = what in ("date", "status")
            data[name] = words if plain else audit.salted(session, words)
    audit.append(session, now, f"{paper}.{what}", incident=row.incident_id, issue=row.issue_id, data=data)


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
