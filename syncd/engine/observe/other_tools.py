"""Adopt the ticket of PagerDuty's own Jira app where the mapping says `coexist: adopt`.

The app names its ticket in a note on the incident. So syncd reads the issue keys in notes of the incident's
first two minutes, and adopts an issue of the mapped project and type that is younger than the incident and no
incident's ticket yet. If 60 seconds bring none, syncd searches the usual candidates and then creates its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.adopt_tickets import search_for
from syncd.engine.observe.masking import storage_rules
from syncd.engine.runtime.troubles import READ_NOTES
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.adoptions import Reading, adopt_first, has_ticket_or_create
from syncd.ledger.store.names import log_about
from syncd.policy.case import Rulebook
from syncd.policy.marks import mark_in
from syncd.policy.ticket.before_enforcement import left_in_peace
from syncd.policy.ticket.create import wait_for_other
from syncd.policy.ticket.status import OTHER_TOOL
from syncd.remote.errors import RemoteError

AT_ONCE = timedelta(minutes=2)
"""A note within this time after the incident's start comes from a robot; a later one may be a person's."""
SKEW = timedelta(minutes=1)
"""How far the services' clocks may lie apart."""
KEYS_AT_MOST = 20


def keys_in(text: str, projects: Iterable[str]) -> list[str]:
    """Return the issue keys of these projects in a text; none for a text with the mark of any syncd."""
    if mark_in(text):
        return []
    names = "|".join(sorted({re.escape(project) for project in projects}))
    return list(dict.fromkeys(re.findall(rf"(?<![\w-])(?:{names})-[1-9]\d*(?![\w-])", text)))[:KEYS_AT_MOST]


def take_other_tools_ticket(context: EngineContext, row: IncidentRecord) -> None:
    """Adopt the other tool's ticket for an incident without one, if it exists by now.

    Raise `RemoteError` where a service cannot answer; until then syncd creates nothing for the incident.
    """
    incident = row.as_read
    book = context.book_of(incident, row.team)
    if book is None or book.mapping.coexist is not Coexist.ADOPT or row.noise_rule is not None:
        return
    if left_in_peace(incident, book):
        return
    if has_ticket_or_create(context.ledger, row.id):
        return
    if _adopt_named(context, incident, book) or row.searched:
        return
    # the other tool needs some seconds for its ticket
    if not wait_for_other(incident, context.clock.now()):
        search_for(context, [row])


def _adopt_named(context: EngineContext, incident: Incident, book: Rulebook) -> bool:
    """Adopt the issue that an early note names; do not store the notes: the incident may be restricted."""
    keys = _early_keys(incident, _notes(context, incident.id), book.project.key)
    if not keys:
        return False
    read_seq = context.ledger.logical_clock.next()
    issues = context.fetch(keys).issues
    fitting = {issue.key: issue for issue in issues if _fits(issue, incident, book)}
    chosen = adopt_first(
        context.ledger,
        storage_rules(context),
        incident.id,
        [fitting[key] for key in keys if key in fitting],
        Reading(read_seq, context.clock.now(), context.transport.date_of("jira")),
        by="note",
        agreed={OTHER_TOOL: True},
    )
    if chosen is None:
        return False
    log = log_about(context.ledger, incident.id)
    log.info("#{} {}: adopted the ticket that another tool created", incident.number, chosen.key)
    return True


def _notes(context: EngineContext, incident_id: str) -> tuple[Note, ...]:
    """Return the notes, none where PagerDuty refuses them in its own words; else raise `RemoteError`.

    They may name the other tool's ticket: a create without them could be a second ticket.
    """
    try:
        return context.services.pagerduty.notes(incident_id)
    except RemoteError as error:
        if not error.of_one_object:
            raise
        context.troubles.failed(incident_id, READ_NOTES, error)
        return ()


def _early_keys(incident: Incident, notes: Iterable[Note], project: str) -> list[str]:
    early = [note for note in notes if note.created_at - incident.created_at <= AT_ONCE]
    keys = [key for note in early for key in keys_in(note.text, [project])]
    return list(dict.fromkeys(keys))[:KEYS_AT_MOST]


def _fits(issue: Issue, incident: Incident, book: Rulebook) -> bool:
    fresh = issue.created_at is not None and issue.created_at >= incident.created_at - SKEW
    mapped = issue.project == book.project.key and issue.type_id == book.project.incident_type.id
    return fresh and mapped and issue.mark is None
