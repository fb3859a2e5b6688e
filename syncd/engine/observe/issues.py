"""What follows an incident, as the engine reads and keeps it: its log, postmortem, action items, duties.

Nothing is read on a schedule of its own: a decision names what it has to see first (`Decision.look`), and
what Jira's changes bring passes by here. A deadline is judged only on a changelog that reaches up to it.
"""

from __future__ import annotations

from syncd.config.masks import mask
from syncd.domain.ticket import Account, Issue
from syncd.engine.context import Desk
from syncd.engine.observe.action_items import PAGE
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import DutyIssueRecord
from syncd.ledger.store.changelogs import TEXTS, Page, store_with_changes, without_texts
from syncd.ledger.store.known import find_ticket
from syncd.ledger.store.postmortems import save_close, save_log
from syncd.policy.case import ClosedBy, Rulebook
from syncd.policy.postmortem.fulfilment import review_field
from syncd.remote.errors import Cause, Unknown

FIELDS_JUDGED = TEXTS | {"assignee", "duedate", "status", "resolution", "labels"}
"""Fields whose changes are kept; the mapping's review date is kept beside them."""


def read_log(desk: Desk, incident_id: str, patterns: dict[str, str]) -> None:
    """Read an incident's log and keep it, masked by the team's patterns; raises `RemoteError`."""
    moment = desk.ledger.moments.next()
    entries = desk.clients.pagerduty.incident_log(incident_id)
    desk.health.succeeded("pagerduty")
    clean = [entry.model_copy(update={"summary": mask(entry.summary, patterns)}) for entry in entries]
    save_log(desk.ledger, incident_id, clean, moment)


def read_close(desk: Desk, incident_id: str) -> None:
    """Read who moved the ticket to where it stands, and from where; that nobody ever did is kept, too."""
    ticket = find_ticket(desk.ledger, incident_id)
    if ticket is None or not ticket.snapshot:
        return
    moves = [change for change in desk.clients.jira.changelog(ticket.issue_id) if change.field == "status"]
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
    save_close(desk.ledger, incident_id, closed, desk.ledger.moments.next(), desk.clock.now())


def _a_person(desk: Desk, account: Account) -> bool:
    return account.human and account.id != desk.clients.jira.myself().id


def read_papers(desk: Desk, papers: list[DutyIssueRecord], book: Rulebook, *, changelogs: bool) -> None:
    """Read postmortems and action items afresh, with their changelogs where they are to be judged.

    Raises `RemoteError`, also where Jira could not read some of them this time.
    """
    ids = [paper.issue_id for paper in papers]
    for start in range(0, len(ids), PAGE):
        _read_page(desk, ids[start : start + PAGE], book, changelogs)


def _read_page(desk: Desk, ids: list[str], book: Rulebook, changelogs: bool) -> None:
    moment, began = desk.ledger.moments.next(), desk.clock.now()
    fetched = desk.fetch(ids, description=True)
    issues = {issue.id: issue for issue in fetched.issues}
    read = [issue_id for issue_id in issues if changelogs and issue_id in ids]
    changes = {
        issue_id: [without_texts(change) for change in desk.clients.jira.changelog(issue_id)]
        for issue_id in read
    }
    desk.health.succeeded("jira")
    page = Page(
        shown={issue_id: issues[issue_id] for issue_id in ids if issue_id in issues},
        changelogs=changes,
        missing=[one for one in ids if one not in issues and one not in fetched.unread],
        began=began,
    )
    judged = FIELDS_JUDGED | {review_field(book)}
    store_with_changes(desk.ledger, storage_rules(desk), page, judged, moment, desk.clock.now())
    if fetched.unread:
        words = f"{len(fetched.unread)} issues could not be read this time"
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, words)
