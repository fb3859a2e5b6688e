"""Read what a decision has to see first."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from syncd.domain.duty import RUNNING
from syncd.engine.context import Desk
from syncd.engine.observe.accounts import account_of
from syncd.engine.observe.action_items import discover
from syncd.engine.observe.earlier_ledger.rebuild_duties import recall, seek_postmortem
from syncd.engine.observe.issues import _read_close, read_log, read_papers
from syncd.ledger.store import postmortems
from syncd.ledger.store.duties import duties_of
from syncd.ledger.store.postmortems import PaperRow
from syncd.ledger.store.tables import ActionItemRow, PostmortemRow
from syncd.policy.case import Rulebook


def read(desk: Desk, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read what a decision has to see first; raises `RemoteError`."""
    if "approvers" in look:
        for email in book.mapping.people.approvers:
            account_of(desk, email, book)
    if "log" in look:
        read_log(desk, incident_id, book.mapping.redact.patterns)
    if "ticket" in look:
        _read_close(desk, incident_id)
    if "owner" in look and book.section.owner is not None:
        account_of(desk, book.section.owner, book)
    if "postmortem" in look:
        seek_postmortem(desk, incident_id, book)
    if "items" in look:
        discover(desk, incident_id, book)
    with desk.ledger.db.read() as session:
        postmortem = session.get(PostmortemRow, incident_id) if "postmortem" in look else None
        items = _to_read(session, desk, incident_id) if "items" in look else []
    wanted: list[PaperRow] = [*([postmortem] if postmortem else []), *items]
    if wanted:
        read_papers(desk, wanted, book, changelogs=True)
    recall(desk, incident_id, book, look)


def _to_read(session: Session, desk: Desk, incident_id: str) -> list[ActionItemRow]:
    """The action items whose changelog is not known up to now where that matters."""
    now = desk.clock.now()
    due: dict[str, datetime] = {}
    for duty in duties_of(session, incident_id):
        if duty.state in RUNNING and duty.due_at <= now:
            due[duty.subject] = max(duty.due_at, due.get(duty.subject, duty.due_at))
    found = []
    for row in postmortems.items_of(session, incident_id):
        if row.out_of_sight_since is not None:
            continue
        if row.ended_at is not None:
            wanted = "ended_by" not in row.facts
        else:
            until = row.changes_until
            wanted = until is None or not row.snapshot or until < due.get(row.issue_id, until)
        if wanted:
            found.append(row)
    return found
