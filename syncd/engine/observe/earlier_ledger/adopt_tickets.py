"""Find tickets that this ledger does not know, of incidents older than the ledger's birth or restore.

syncd searches before the first create for such an incident: by label, fifty incidents in one search, and by
creator, all incidents in one search, because labels can be missing. It adopts a ticket with our mark, else a
single candidate of the mapped type with the label; it logs all others and leaves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from loguru import logger

from syncd.domain.operation import Kind, op_of, ticket_key
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.earlier_ledger.created_by_us import marked_issues, note_marks
from syncd.engine.observe.issues import read_pages, search_pages
from syncd.engine.observe.masking import storage_rules
from syncd.engine.rulebook import book_for
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.adoptions import Choice, Reading, adopt_lost, settle_searched, unsearched
from syncd.ledger.store.names import log_and_name
from syncd.policy.case import Rulebook
from syncd.policy.marks import incident_label
from syncd.policy.ticket.before_enforcement import in_peace_before, left_in_peace
from syncd.remote.errors import Cause, RemoteError

A_SEARCH = 50
"""Incidents whose labels one search names."""


def adopt_known(context: EngineContext) -> set[str]:
    """Search once for each incident that may have a ticket already; return the searched incidents.

    Raise `RemoteError` where Jira cannot answer; until then syncd creates nothing for these incidents.
    """
    return search_for(context, unsearched(context.ledger, in_peace_before(context.mappings)))


def search_for(context: EngineContext, rows: Iterable[IncidentRecord]) -> set[str]:
    """Search once for the tickets of these incidents, which have none; return the searched incidents.

    Raise `RemoteError` where Jira cannot answer.
    """
    by_project: dict[str, list[tuple[IncidentRecord, Rulebook]]] = {}
    for row in rows:
        incident = row.as_read
        try:
            book = book_for(context, row)
        except MappingMismatch:
            # its team is stopped: the search follows when the team runs again
            continue
        if book is not None and not left_in_peace(incident, book):
            by_project.setdefault(book.project.key, []).append((row, book))
    settled: set[str] = set()
    # the search by creator reaches back to the oldest incident, so that one search answers for all
    oldest = min((row.created_at for pairs in by_project.values() for row, _book in pairs), default=None)
    for project, incidents in by_project.items():
        for start in range(0, len(incidents), A_SEARCH):
            try:
                settled |= _search(context, project, incidents[start : start + A_SEARCH], oldest)
            except RemoteError as error:
                # the next fast poll finds out that Jira does not show the project, and stops its teams
                if error.cause is not Cause.REJECTED:
                    raise
                logger.debug("no search for earlier tickets in {}: {}", project, error)
    return settled


def _search(
    context: EngineContext,
    project: str,
    part: Iterable[tuple[IncidentRecord, Rulebook]],
    oldest: datetime | None,
) -> set[str]:
    books = {row.id: book for row, book in part}
    labels = ", ".join(f'"{incident_label(incident_id)}"' for incident_id in books)
    jql = f'project = "{project}" AND labels in ({labels})'
    ids = [hit.id for hits in search_pages(context.services, jql) for hit in hits]
    read_seq = context.ledger.logical_clock.next()
    issues = [issue for page in read_pages(context, ids) for issue in page.issues]
    # what a label led to is not read for its mark again
    note_marks(context, issues)
    ops = {op_of(ticket_key(incident_id)) for incident_id in books}
    unseen = ops - {issue.mark.op for issue in issues if issue.mark is not None}
    if unseen and oldest is not None:
        ids = [issue_id for issue_id in marked_issues(context, unseen, oldest) if issue_id not in ids]
        issues += [issue for page in read_pages(context, ids) for issue in page.issues]

    def choose(incident_id: str, free: list[Issue]) -> Choice | None:
        return _choose(incident_id, books[incident_id], free)

    reading = Reading(read_seq, context.clock.now(), context.transport.date_of("jira"))
    # after a restore Jira's index may not show yet what the lost ledger created
    believed = not context.search_index.awaited
    rules = storage_rules(context)
    choices = settle_searched(context.ledger, rules, books, issues, choose, reading, believed=believed)
    for incident_id, choice in choices.items():
        log, name = log_and_name(context.ledger, incident_id)
        if choice.issue is not None:
            log.info("{}: adopted {} as its ticket", name, choice.issue.key)
        else:
            log.warning(
                "{}: {} carry its label and syncd cannot tell which is its ticket: run `syncd adopt`",
                name,
                ", ".join(choice.unclear),
            )
    return set(books)


def adopt_own(context: EngineContext, issues: Iterable[Issue], read_seq: int) -> list[str]:
    """Adopt tickets that this ledger created and does not know; return their incidents."""
    reading = Reading(read_seq, context.clock.now(), context.transport.date_of("jira"))
    return [*adopt_lost(context.ledger, storage_rules(context), issues, reading)]


def _is_postmortem_or_item(issue: Issue) -> bool:
    """Return True if an issue is a postmortem or an action item: they carry the incident's label too."""
    if issue.mark is not None and issue.mark.kind in (Kind.CREATE_POSTMORTEM, Kind.CREATE_ACTION_ITEM):
        return True
    return not {"syncd-postmortem", "syncd-action-item"}.isdisjoint(issue.labels)


def _choose(incident_id: str, book: Rulebook, free: list[Issue]) -> Choice | None:
    """Return which of these issues is an incident's ticket, None if no candidate is among them."""
    op, label = op_of(ticket_key(incident_id)), incident_label(incident_id)
    candidates = [
        issue
        for issue in free
        if has_mark(issue, op) or (label in issue.labels and not _is_postmortem_or_item(issue))
    ]
    if not candidates:
        return None
    typed = [issue for issue in candidates if issue.type_id == book.project.incident_type.id]
    return choice_of(op, candidates, typed, by="label")


def has_mark(issue: Issue, op: str) -> bool:
    """Return True if the create `op` made an issue."""
    return issue.mark is not None and issue.mark.op == op


def choice_of(op: str, candidates: Sequence[Issue], fitting: Sequence[Issue], by: str) -> Choice:
    """Return the oldest candidate with the mark of the create `op`, else the only one that fits."""
    marked = [issue for issue in candidates if has_mark(issue, op)]
    if marked:
        return Choice(min(marked, key=lambda issue: int(issue.id)), by="mark")
    if len(fitting) == 1:
        return Choice(fitting[0], by=by)
    return Choice(unclear=tuple(issue.key for issue in candidates))
