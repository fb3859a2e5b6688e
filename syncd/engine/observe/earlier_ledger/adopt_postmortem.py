"""Find a postmortem that exists already: from an earlier ledger, or written by a person.

syncd searches before the create: by creator and label if the incident is older than this ledger, and among
the ticket's links. It adopts an issue with the create's own mark, else a single postmortem of the mapped type
that is younger than the incident; it logs all other candidates and leaves them.
"""

from __future__ import annotations

from syncd.domain.operation import op_of, postmortem_key
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.adopt_tickets import choice_of, has_mark
from syncd.engine.observe.earlier_ledger.created_by_us import marked_issues
from syncd.engine.observe.issues import PAGE, read_page
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.store import adoptions
from syncd.ledger.store.adoptions import Choice, Reading
from syncd.ledger.store.lookups import display_name
from syncd.ledger.store.names import log_about
from syncd.policy.case import Case, Rulebook
from syncd.policy.marks import incident_label

LABEL = "syncd-postmortem"


def adopt_postmortem(context: EngineContext, case: Case, book: Rulebook) -> bool:
    """Search for the incident's postmortem and adopt it; return True if there was one.

    Raise `RemoteError` where Jira cannot answer.
    """
    issue = case.ticket.issue if case.ticket else None
    op, incident_id = op_of(postmortem_key(case.incident.id)), case.incident.id
    ids = [link.other_id for link in issue.links] if issue else []
    if context.predates_ledger(case.incident.created_at):
        label = incident_label(incident_id)
        page = context.services.jira.search(f'project = "{book.project.key}" AND labels = "{label}"')
        # the mark decides, so what bears it comes before what only carries the label
        ids = [*marked_issues(context, [op], case.incident.created_at), *ids, *(hit.id for hit in page.hits)]
    ids = [issue_id for issue_id in dict.fromkeys(ids) if not case.ticket or issue_id != case.ticket.issue_id]
    if not ids:
        return False
    read = read_page(context, ids[:PAGE], description=True)
    looked_at = [issue for issue in read.issues if has_mark(issue, op) or _may_be(issue, case, book)]

    def choose(free: list[Issue]) -> Choice:
        candidates = [issue for issue in free if issue.mark is None or has_mark(issue, op)]
        return choice_of(op, candidates, candidates, by="type")

    reading = Reading(read.read_seq, context.clock.now(), context.transport.date_of("jira"))
    rules = storage_rules(context)
    choice = adoptions.adopt_postmortem(context.ledger, rules, incident_id, looked_at, choose, reading)
    if choice.issue is None:
        if choice.unclear:
            log_about(context.ledger, incident_id).warning(
                "{}: syncd cannot tell which of {} is its postmortem",
                display_name(context.ledger, incident_id),
                ", ".join(choice.unclear),
            )
        return False
    name = display_name(context.ledger, incident_id)
    log = log_about(context.ledger, incident_id)
    log.info("{}: adopted {} as its postmortem", name, choice.issue.key)
    return True


def _may_be(issue: Issue, case: Case, book: Rulebook) -> bool:
    facts = book.project.postmortem
    if LABEL in issue.labels:
        return True
    # if postmortems and tickets share one type, only the label tells them apart
    typed = facts is not None and issue.type_id == facts.type.id != book.project.incident_type.id
    return typed and (issue.created_at is None or issue.created_at >= case.incident.created_at)
