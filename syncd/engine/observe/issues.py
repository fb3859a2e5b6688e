"""What follows an incident, as the engine reads and keeps it: its log, postmortem, action items, duties.

Nothing is read on a schedule of its own: a decision names what it has to see first (`Decision.look`), and
what Jira's changes bring passes by here. A deadline is judged only on a changelog that reaches up to it.
"""

from __future__ import annotations

from syncd.config.masks import mask
from syncd.domain.history import Change
from syncd.domain.ticket import Account, Issue
from syncd.engine.context import Desk
from syncd.engine.observe.action_items import PAGE
from syncd.engine.observe.changelogs import keep_changes
from syncd.engine.observe.intake import keep_paper
from syncd.ledger.store import postmortems
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.postmortems import PaperRow
from syncd.ledger.store.snapshots import ticket_of
from syncd.ledger.store.tables import (
    IncidentRow,
)
from syncd.policy.case import ClosedBy, Rulebook
from syncd.policy.postmortem.fulfilment import review_field
from syncd.remote.errors import Cause, Unknown

TEXTS = frozenset({"summary", "description"})
FIELDS_JUDGED = TEXTS | {"assignee", "duedate", "status", "resolution", "labels"}
"""Fields whose changes are kept; the mapping's review date is kept beside them."""


def read_log(desk: Desk, incident_id: str, patterns: dict[str, str]) -> None:
    """Read an incident's log and keep it, masked by the team's patterns; raises `RemoteError`."""
    moment = desk.ledger.moments.next()
    entries = desk.clients.pagerduty.incident_log(incident_id)
    desk.health.succeeded("pagerduty")
    clean = [one.model_copy(update={"summary": mask(one.summary, patterns)}) for one in entries]
    with desk.ledger.db.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is not None:
            postmortems.save_log(row, clean, moment)
            session.add(row)


def _read_close(desk: Desk, incident_id: str) -> None:
    """Who moved the ticket to where it stands, and from where; that nobody ever did is kept, too."""
    with desk.ledger.db.read() as session:
        ticket = ticket_of(session, incident_id)
    if ticket is None or not ticket.snapshot:
        return
    moves = [one for one in desk.clients.jira.changelog(ticket.issue_id) if one.field == "status"]
    desk.health.succeeded("jira")
    issue = Issue.model_validate(ticket.snapshot)
    closed = ClosedBy(status=issue.status.id, before="", at=issue.created_at or desk.clock.now())
    if moves:
        last = moves[-1]
        by = last.author
        closed = ClosedBy(
            status=last.after or "",
            before=last.before or "",
            before_name=last.before_words or "",
            by=by.name if by else None,
            person=ticket.placed_status is None and by is not None and _a_person(desk, by),
            ours=by is not None and by.id == desk.clients.jira.myself().id,
            at=last.at,
        )
    with desk.ledger.db.write() as session:
        session.add(ticket)
        ticket.closed = closed.model_dump(mode="json")
        if ticket.snapshot and ticket.snapshot["status"]["id"] != closed.status:
            # it was moved on meanwhile: read it again before anything is judged
            moment = desk.ledger.moments.next()
            look_again(session, [incident_id], desk.clock.now(), moment, "its ticket moved on", ticket=True)


def _a_person(desk: Desk, account: Account) -> bool:
    return account.human and account.id != desk.clients.jira.myself().id


def read_papers(desk: Desk, rows: list[PaperRow], book: Rulebook, *, changelogs: bool) -> None:
    """Read postmortems and action items afresh, with their changelogs where they are to be judged.

    Raises `RemoteError`, also where Jira could not read some of them this time.
    """
    for start in range(0, len(rows), PAGE):
        _read_page(desk, {row.issue_id: row for row in rows[start : start + PAGE]}, book, changelogs)


def _read_page(desk: Desk, by_issue: dict[str, PaperRow], book: Rulebook, changelogs: bool) -> None:
    moment, began = desk.ledger.moments.next(), desk.clock.now()
    fetched = desk.fetch(list(by_issue), description=True)
    shown = {issue.id: issue for issue in fetched.issues}
    changes = {
        ident: desk.clients.jira.changelog(ident) for ident in shown if changelogs and ident in by_issue
    }
    desk.health.succeeded("jira")
    judged = FIELDS_JUDGED | {review_field(book)}
    with desk.ledger.db.write() as session:
        for ident, row in by_issue.items():
            session.add(row)
            if ident in shown:
                keep_paper(session, desk, row, shown[ident], moment)
                if ident in changes:
                    texts_gone = [_without_texts(one) for one in changes[ident]]
                    keep_changes(session, row, texts_gone, judged, began, desk.clock.now())
            elif ident not in fetched.unread and row.out_of_sight_since is None:
                row.out_of_sight_since = desk.clock.now()
    if fetched.unread:
        said = f"{len(fetched.unread)} issues could not be read this time"
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, said)


def _without_texts(change: Change) -> Change:
    """That somebody wrote on it is kept, not what."""
    if change.field not in TEXTS:
        return change
    bare = dict.fromkeys(("before", "after", "before_words", "after_words"))
    return change.model_copy(update=bare)
