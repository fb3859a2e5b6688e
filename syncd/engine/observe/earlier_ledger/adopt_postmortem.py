"""Finds a postmortem that stands there already: one that an earlier ledger made, or that a person wrote.

Looked for before the create: by label, where the incident is older than this ledger, and among what the
ticket is linked to. Adopted is what bears the create's own mark, else a lone postmortem of the mapped type
that is younger than the incident; everything else is reported and left.
"""

from __future__ import annotations

from loguru import logger

from syncd.config.templates.text_limits import slug_label
from syncd.domain.base import JsonValue
from syncd.domain.operation import op_of, postmortem_key
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.engine.observe.earlier_ledger.predecessor import note_earlier_ledger
from syncd.engine.observe.intake import keep_paper
from syncd.ledger.store import audit
from syncd.ledger.store.postmortems import papers_by_issue
from syncd.ledger.store.snapshots import tickets_by_issue
from syncd.ledger.store.tables import PostmortemRow
from syncd.policy.case import Case, Rulebook

LABEL = "syncd-postmortem"
MOST = 100


def adopt_postmortem(desk: Desk, case: Case, book: Rulebook) -> bool:
    """Look for the incident's postmortem and take it for ours; return whether one was found.

    Raises `RemoteError` where Jira cannot be asked.
    """
    issue = case.ticket.issue if case.ticket else None
    ids = [link.other_id for link in issue.links] if issue else []
    if case.incident.created_at < desk.ledger.born:
        label = slug_label(f"pd-{case.incident.id}")
        page = desk.clients.jira.search(f'project = "{book.project.key}" AND labels = "{label}"')
        ids += [hit.id for hit in page.hits]
    ids = [one for one in dict.fromkeys(ids) if case.ticket is None or one != case.ticket.issue_id]
    if not ids:
        return False
    moment = desk.ledger.moments.next()
    fetched = desk.fetch(ids[:MOST], description=True)
    with desk.ledger.db.write() as session:
        taken = {*tickets_by_issue(session, ids), *papers_by_issue(session, ids)}
        candidates = [one for one in fetched.issues if one.id not in taken and _may_be(one, case, book)]
        op = op_of(postmortem_key(case.incident.id))
        marked = [one for one in candidates if one.mark is not None and one.mark.op == op]
        theirs = [one for one in candidates if one.mark is None]
        chosen = min(marked, key=lambda one: int(one.id)) if marked else None
        if chosen is None and len(theirs) == 1:
            chosen = theirs[0]
        if chosen is None:
            if theirs:
                keys: list[JsonValue] = [one.key for one in theirs]
                logger.warning("{}: {} may be its postmortem and none clearly is", case.incident.id, keys)
                now = desk.clock.now()
                audit.append(session, now, "candidates", incident=case.incident.id, data={"keys": keys})
            return False
        row = PostmortemRow(
            incident_id=case.incident.id,
            issue_id=chosen.id,
            key=chosen.key,
            project=chosen.project,
            origin="adopted",
            created_at=chosen.created_at or desk.clock.now(),
        )
        session.add(row)
        keep_paper(session, desk, row, chosen, moment)
        note_earlier_ledger(session, desk, chosen)
        by = "mark" if marked else "type"
        audit.append(
            session,
            desk.clock.now(),
            "postmortem.adopted",
            incident=case.incident.id,
            issue=chosen.id,
            data={"key": chosen.key, "by": by},
        )
    logger.info("{} is adopted as the postmortem of {}", chosen.key, case.incident.id)
    return True


def _may_be(issue: Issue, case: Case, book: Rulebook) -> bool:
    facts = book.project.postmortem
    if LABEL in issue.labels:
        return True
    # where postmortems share their type with tickets, only the label tells them apart
    typed = facts is not None and issue.type_id == facts.type.id != book.project.incident_type.id
    return typed and (issue.created_at is None or issue.created_at >= case.incident.created_at)
