"""Finds a postmortem that stands there already: one that an earlier ledger made, or that a person wrote.

Looked for before the create: by label, where the incident is older than this ledger, and among what the
ticket is linked to. Adopted is what bears the create's own mark, else a lone postmortem of the mapped type
that is younger than the incident; everything else is reported and left.
"""

from __future__ import annotations

from loguru import logger

from syncd.domain.operation import op_of, postmortem_key
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.adopt_tickets import choice_of
from syncd.engine.observe.issues import PAGE, read_page
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.store import adoptions
from syncd.ledger.store.adoptions import Choice, Reading
from syncd.policy.case import Case, Rulebook
from syncd.policy.marks import incident_label

LABEL = "syncd-postmortem"


def adopt_postmortem(context: EngineContext, case: Case, book: Rulebook) -> bool:
    """Look for the incident's postmortem and take it for ours; return whether one was found.

    Raises `RemoteError` where Jira cannot be asked.
    """
    issue = case.ticket.issue if case.ticket else None
    ids = [link.other_id for link in issue.links] if issue else []
    if context.predates_ledger(case.incident.created_at):
        label = incident_label(case.incident.id)
        found = context.services.jira.search(f'project = "{book.project.key}" AND labels = "{label}"')
        ids += [hit.id for hit in found.hits]
    ids = [one for one in dict.fromkeys(ids) if case.ticket is None or one != case.ticket.issue_id]
    if not ids:
        return False
    page = read_page(context, ids[:PAGE], description=True)
    looked_at = [issue for issue in page.issues if _may_be(issue, case, book)]
    op, incident_id = op_of(postmortem_key(case.incident.id)), case.incident.id

    def choose(free: list[Issue]) -> Choice:
        candidates = [issue for issue in free if issue.mark is None or issue.mark.op == op]
        return choice_of(op, candidates, candidates, by="type")

    reading = Reading(page.read_seq, context.clock.now(), context.date_of("jira"))
    rules = storage_rules(context)
    choice = adoptions.adopt_postmortem(context.ledger, rules, incident_id, looked_at, choose, reading)
    if choice.issue is None:
        if choice.unclear:
            keys = [*choice.unclear]
            logger.warning("{}: {} may be its postmortem and none clearly is", incident_id, keys)
        return False
    logger.info("{} is adopted as the postmortem of {}", choice.issue.key, incident_id)
    return True


def _may_be(issue: Issue, case: Case, book: Rulebook) -> bool:
    facts = book.project.postmortem
    if LABEL in issue.labels:
        return True
    # where postmortems share their type with tickets, only the label tells them apart
    typed = facts is not None and issue.type_id == facts.type.id != book.project.incident_type.id
    return typed and (issue.created_at is None or issue.created_at >= case.incident.created_at)
