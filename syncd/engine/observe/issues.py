"""Read Jira's issues by their ids: tickets, postmortems, action items; also an incident's log and its close.

No read has a schedule of its own: a decision names the parts that it has to see first (`Decision.look`), and
the polls read the issues that changed. A deadline is judged only on a changelog that reaches up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from syncd.domain.history import Change
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext, Services
from syncd.engine.observe.accounts import nobodies_of, our_accounts, our_users
from syncd.engine.observe.masking import storage_rules
from syncd.engine.runtime.troubles import READ_CHANGELOG, READ_ISSUE
from syncd.ledger.store.action_items import TEXTS, Page, store_with_changes, without_texts
from syncd.ledger.store.key_values import highest_number, raise_highest_number
from syncd.ledger.store.lookups import find_ticket, issue_names, outside
from syncd.ledger.store.pages import store_papers, store_ticket, store_tickets
from syncd.ledger.store.postmortems import LabelChanges, save_log, save_ticket_changes
from syncd.ledger.store.snapshots import is_restricted
from syncd.policy.case import ClosedBy, DutyIssueState, Rulebook
from syncd.policy.postmortem.fulfilment import review_field
from syncd.remote.answers import Hit
from syncd.remote.errors import RemoteError

PAGE = 100
"""Issues in one bulk fetch: Jira's limit."""
FIELDS_JUDGED = TEXTS | {"assignee", "duedate", "status", "resolution", "labels"}
"""Fields whose changes the ledger keeps, beside those of the mapping's review date."""


@dataclass(frozen=True)
class IssuePage:
    """Issues as one answer of Jira shows them; `read_seq` and `began` were taken before the request.

    `unread`: ids that Jira could not read this time. `absent`: ids that Jira does not show to us.
    """

    read_seq: int
    began: datetime
    issues: tuple[Issue, ...]
    unread: tuple[str, ...]
    absent: tuple[str, ...]


def read_pages(
    context: EngineContext, ids: Sequence[str], *, description: bool = False, until_stop: bool = False
) -> Iterator[IssuePage]:
    """Read issues page by page; raise `RemoteError`.

    `until_stop`: end early when the daemon stops, for callers that can use a part.
    """
    for start in range(0, len(ids), PAGE):
        if until_stop and context.stop.is_set():
            return
        yield read_page(context, ids[start : start + PAGE], description=description)


def read_page(
    context: EngineContext, ids: Sequence[str], *, description: bool = False, by_id: bool = False
) -> IssuePage:
    """Read at most a page of issues; raise `RemoteError`.

    `by_id`: read one issue as it stands after our last write; a bulk read may lag behind that write.
    """
    read_seq, began = context.ledger.logical_clock.next(), context.clock.now()
    fetched = context.fetch_by_id(ids[0]) if by_id else context.fetch(ids, description=description)
    context.health.succeeded("jira")
    seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
    absent = tuple(issue_id for issue_id in ids if issue_id not in seen)
    hidden = context.facts.hidden_projects()
    # where Jira does not show the project, the absence of its issues proves nothing
    if absent and hidden:
        absent = outside(context.ledger, absent, hidden)
    _note_unread(context, ids, fetched.unread)
    return IssuePage(read_seq, began, fetched.issues, tuple(fetched.unread), absent)


def _note_unread(context: EngineContext, ids: Sequence[str], unread: Mapping[str, str]) -> None:
    """Record the issues that Jira could not read, and end the trouble of all others."""
    troubled = context.troubles.whose(READ_ISSUE)
    if not unread and not troubled:
        return
    names = issue_names(context.ledger, ids)
    for issue_id in ids:
        name = names.get(issue_id) or nameless(issue_id)
        if issue_id in unread:
            context.troubles.note(name, READ_ISSUE, f"jira: {unread[issue_id]}")
        elif name in troubled:
            context.troubles.over(name, READ_ISSUE)


def nameless(issue_id: str) -> str:
    """Return the name of an issue whose key syncd has not read."""
    return f"issue {issue_id}"


def look_by_id(context: EngineContext, issue_id: str | None) -> None:
    """Read an issue of ours as it stands now, and store it, or that Jira hides it; no failure matters."""
    if issue_id is None:
        return
    try:
        page = read_page(context, [issue_id], by_id=True)
    except RemoteError as error:
        context.health.failed(error.service, error)
        return
    store_by_id(context, page)


def store_by_id(context: EngineContext, page: IssuePage) -> None:
    """Store an issue of ours that was read by its id; news of it gets a change notice."""
    ledger, rules, now = context.ledger, storage_rules(context), context.clock.now()
    seq, why, missing = page.read_seq, "it was read by its id", page.absent
    jira_now = context.transport.date_of("jira")
    store_tickets(ledger, rules, page.issues, seq, now, jira_now, missing=missing, by_id=True)
    store_papers(ledger, rules, page.issues, seq, now, why, missing=missing, by_id=True)


def search_pages(services: Services, jql: str, *, certain: bool = True) -> Iterator[tuple[Hit, ...]]:
    """Yield a search's hits page by page; raise `RemoteError`. `certain`: see `JiraClient.search`."""
    token: str | None = None
    while True:
        page = services.jira.search(jql, token=token, certain=certain)
        yield page.hits
        token = page.next_token
        # some sites repeat a token for ever: an empty page ends the loop
        if token is None or not page.hits:
            return


def in_projects(projects: Iterable[str]) -> str:
    """Return the clause of a search that names these projects."""
    names = ", ".join(f'"{project}"' for project in sorted(projects))
    return f"project in ({names})"


def saw_numbers(context: EngineContext, project: str, numbers: Iterable[int]) -> None:
    """Store the highest issue number that any answer of a project has shown."""
    top = max(numbers, default=None)
    if top is None:
        return
    stored = highest_number(context.ledger, project)
    if stored is None or stored < top:
        raise_highest_number(context.ledger, project, top)


def read_log(context: EngineContext, incident_id: str, team: str | None) -> None:
    """Read an incident's log and store it with the team's masks; raise `RemoteError`."""
    read_seq = context.ledger.logical_clock.next()
    entries = context.services.pagerduty.incident_log(incident_id)
    context.health.succeeded("pagerduty")
    rules = storage_rules(context)
    clean = [entry.model_copy(update={"summary": rules.text(entry.summary, team)}) for entry in entries]
    save_log(context.ledger, incident_id, clean, read_seq, our_users(context))


def read_ticket_changes(context: EngineContext, incident_id: str, book: Rulebook) -> None:
    """Read which account moved the ticket to its status, and from which status; store also that none did.

    Store the changes of its labels, too, and where a comment may tell of a filing, the ticket as it is now;
    raise `RemoteError`.
    """
    began = context.clock.now()
    filed = bool(book.mapping.restricted.clocks) and is_restricted(context.ledger, incident_id)
    # what a ticket that was not read may say is unknown
    if filed and not _read_afresh(context, incident_id):
        return
    ticket = find_ticket(context.ledger, incident_id)
    if ticket is None or ticket.issue is None:
        return
    issue = ticket.issue
    changes = context.services.jira.changelog(ticket.issue_id)
    context.health.succeeded("jira")
    moves = [change for change in changes if change.field == "status"]
    labelled = LabelChanges(
        tuple(change for change in changes if change.field == "labels"), began, issue.labels
    )
    closed = ClosedBy(status=issue.status.id, before="", at=issue.created_at or context.clock.now())
    # without a move the ticket still has the status in which it was created
    if moves:
        last = moves[-1]
        by, nobodies = last.author, nobodies_of(context, book.mapping)
        ours = by is not None and by.id in our_accounts(context)
        person = by is not None and by.human and not by.is_among(nobodies)
        closed = ClosedBy(
            status=last.after or "",
            before=last.before or "",
            before_name=last.before_words or "",
            by=by.name if by else None,
            person=person and ticket.placed_status is None,
            ours=ours,
            # also one whom Jira does not name: only a person overrides the close gate
            robot=not person and not ours,
            at=last.at,
        )
    closed = closed.model_copy(update={"updated": issue.updated})
    seq, now = context.ledger.logical_clock.next(), context.clock.now()
    save_ticket_changes(context.ledger, incident_id, closed, labelled, seq, now)


def _read_afresh(context: EngineContext, incident_id: str) -> bool:
    """Read a ticket by its id: Jira's search may not show its last comments yet.

    Return False if Jira did not show it; raise `RemoteError`.
    """
    ticket = find_ticket(context.ledger, incident_id)
    if ticket is None:
        return False
    page = read_page(context, [ticket.issue_id], by_id=True)
    store_ticket(
        context.ledger,
        storage_rules(context),
        incident_id,
        next(iter(page.issues), None),
        page.read_seq,
        context.clock.now(),
        context.transport.date_of("jira"),
        gone=bool(page.absent),
        by_id=True,
    )
    return bool(page.issues)


def read_duty_issues(context: EngineContext, duty_issues: list[DutyIssueState], book: Rulebook) -> None:
    """Read postmortems and action items afresh, with their changelogs.

    Raise `RemoteError`, also where Jira could not read some of them this time.
    """
    judged = FIELDS_JUDGED | {review_field(book)}
    ids = [duty_issue.issue_id for duty_issue in duty_issues]
    for read in read_pages(context, ids, description=True):
        shown = {issue.id: issue for issue in read.issues}
        changes, failed = _changelogs(context, shown)
        readable = {issue_id: shown[issue_id] for issue_id in changes}
        page = Page(shown=readable, changelogs=changes, missing=list(read.absent), began=read.began)
        rules, now = storage_rules(context), context.clock.now()
        store_with_changes(context.ledger, rules, page, judged, read.read_seq, now)
        if failed is not None:
            raise failed


def _changelogs(
    context: EngineContext, issues: Mapping[str, Issue]
) -> tuple[dict[str, list[Change]], RemoteError | None]:
    """Return the changelogs that can be read, by issue id; also the first failure.

    One issue without its changelog does not hold up the others.
    """
    changelogs: dict[str, list[Change]] = {}
    failed = None
    for issue_id, issue in issues.items():
        ask = partial(context.services.jira.changelog, issue_id)
        try:
            changes = context.troubles.ask(issue.key, READ_CHANGELOG, ask, patient=True)
        except RemoteError as error:
            failed = failed or error
            continue
        if changes is not None:
            changelogs[issue_id] = [without_texts(change) for change in changes]
    return changelogs, failed
