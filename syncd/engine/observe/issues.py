"""What follows an incident, as the engine reads and keeps it: its log, postmortem, action items, duties.

Nothing is read on a schedule of its own: a decision names what it has to see first (`Decision.look`), and
what Jira's changes bring passes by here. A deadline is judged only on a changelog that reaches up to it.
"""

from __future__ import annotations

from syncd.config.masks import mask
from syncd.domain.ticket import Account, Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.action_items import PAGE
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import DutyIssueRecord
from syncd.ledger.store.action_items import TEXTS, Page, store_with_changes, without_texts
from syncd.ledger.store.lookups import find_ticket
from syncd.ledger.store.postmortems import save_close, save_log
from syncd.policy.case import ClosedBy, Rulebook
from syncd.policy.postmortem.fulfilment import review_field
from syncd.remote.errors import Cause, Unknown

FIELDS_JUDGED = TEXTS | {"assignee", "duedate", "status", "resolution", "labels"}
"""Fields whose changes are kept; the mapping's review date is kept beside them."""


def read_log(context: EngineContext, incident_id: str, patterns: dict[str, str]) -> None:
    """Read an incident's log and keep it, masked by the team's patterns; raises `RemoteError`."""
    read_seq = context.ledger.logical_clock.next()
    entries = context.services.pagerduty.incident_log(incident_id)
    context.health.succeeded("pagerduty")
    clean = [entry.model_copy(update={"summary": mask(entry.summary, patterns)}) for entry in entries]
    save_log(context.ledger, incident_id, clean, read_seq)


def read_close(context: EngineContext, incident_id: str) -> None:
    """Read who moved the ticket to where it stands, and from where; that nobody ever did is kept, too."""
    ticket = find_ticket(context.ledger, incident_id)
    if ticket is None or not ticket.snapshot:
        return
    moves = [
        change for change in context.services.jira.changelog(ticket.issue_id) if change.field == "status"
    ]
    context.health.succeeded("jira")
    issue = Issue.model_validate(ticket.snapshot)
    closed = ClosedBy(status=issue.status.id, before="", at=issue.created_at or context.clock.now())
    if moves:
        last = moves[-1]
        by = last.author
        closed = ClosedBy(
            status=last.after or "",
            before=last.before or "",
            before_name=last.before_words or "",
            by=by.name if by else None,
            person=ticket.placed_status is None and by is not None and _a_person(context, by),
            ours=by is not None and by.id == context.services.jira.myself().id,
            at=last.at,
        )
    save_close(context.ledger, incident_id, closed, context.ledger.logical_clock.next(), context.clock.now())


def _a_person(context: EngineContext, account: Account) -> bool:
    return account.human and account.id != context.services.jira.myself().id


def read_duty_issues(
    context: EngineContext, duty_issues: list[DutyIssueRecord], book: Rulebook, *, changelogs: bool
) -> None:
    """Read postmortems and action items afresh, with their changelogs where they are to be judged.

    Raises `RemoteError`, also where Jira could not read some of them this time.
    """
    ids = [duty_issue.issue_id for duty_issue in duty_issues]
    for start in range(0, len(ids), PAGE):
        _read_page(context, ids[start : start + PAGE], book, changelogs)


def _read_page(context: EngineContext, ids: list[str], book: Rulebook, changelogs: bool) -> None:
    read_seq, began = context.ledger.logical_clock.next(), context.clock.now()
    fetched = context.fetch(ids, description=True)
    issues = {issue.id: issue for issue in fetched.issues}
    read = [issue_id for issue_id in issues if changelogs and issue_id in ids]
    changes = {
        issue_id: [without_texts(change) for change in context.services.jira.changelog(issue_id)]
        for issue_id in read
    }
    context.health.succeeded("jira")
    page = Page(
        shown={issue_id: issues[issue_id] for issue_id in ids if issue_id in issues},
        changelogs=changes,
        missing=[one for one in ids if one not in issues and one not in fetched.unread],
        began=began,
    )
    judged = FIELDS_JUDGED | {review_field(book)}
    store_with_changes(context.ledger, storage_rules(context), page, judged, read_seq, context.clock.now())
    if fetched.unread:
        words = f"{len(fetched.unread)} issues could not be read this time"
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, words)
