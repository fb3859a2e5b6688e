"""PagerDuty's own Jira app works beside us: the ticket that it made is taken for the incident's ticket.

For a team whose mapping says `coexist: adopt`. The app names its ticket in a note on the incident, so the
keys in notes of the incident's first two minutes are looked at; one is taken that names an issue of the
mapped project and type, made since the incident began, that is nobody's ticket yet. When 60 seconds have
brought none, the usual candidates are searched for, and then we make our own (rules: "The ticket").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from loguru import logger

from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.earlier_ledger.adopt_tickets import search_for
from syncd.engine.observe.masking import storage_rules
from syncd.engine.observe.notes_and_comments import list_notes
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.adoptions import Reading, adopt_first, has_ticket_or_create
from syncd.policy.case import Rulebook
from syncd.policy.marks import mark_in
from syncd.policy.ticket.create import wait_for_other
from syncd.policy.ticket.silence import left_in_peace
from syncd.policy.ticket.status import OTHER_TOOL

AT_ONCE = timedelta(minutes=2)
"""A note that came so soon after the incident was a robot's; a later one may be a person's."""
SKEW = timedelta(minutes=1)
"""How far the services' clocks may lie apart."""
KEYS_AT_MOST = 20


def keys_in(text: str, projects: Iterable[str]) -> list[str]:
    """The keys of these projects' issues in a text, none in one of a syncd's."""
    if mark_in(text):
        return []
    names = "|".join(sorted({re.escape(one) for one in projects}))
    return list(dict.fromkeys(re.findall(rf"(?<![\w-])(?:{names})-[1-9]\d*(?![\w-])", text)))[:KEYS_AT_MOST]


def take_other_tools_ticket(context: EngineContext, row: IncidentRecord) -> None:
    """Adopt what the other tool made for an incident without a ticket, if it is there by now.

    Raises `RemoteError` where a service cannot be asked: nothing is made for the incident until it was.
    """
    incident = Incident.model_validate(row.snapshot)
    book = context.book_of(incident, row.team)
    if book is None or book.mapping.coexist is not Coexist.ADOPT or row.noise_rule is not None:
        return
    if left_in_peace(incident, book):
        return
    if has_ticket_or_create(context.ledger, row.id):
        return
    if _adopt_named(context, incident, book) or row.searched:
        return
    if not wait_for_other(incident, context.clock.now()):
        search_for(context, [row])


def _adopt_named(context: EngineContext, incident: Incident, book: Rulebook) -> bool:
    """Adopt the issue that an early note names; the notes are not kept: it may be restricted."""
    keys = _early_keys(incident, list_notes(context, incident.id) or (), book.project.key)
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
        Reading(read_seq, context.clock.now(), context.date_of("jira")),
        by="note",
        agreed={OTHER_TOOL: True},
    )
    if chosen is None:
        return False
    logger.info("{} of another tool is taken for the ticket of {}", chosen.key, incident.id)
    return True


def _early_keys(incident: Incident, notes: Iterable[Note], project: str) -> list[str]:
    early = [note for note in notes if note.created_at - incident.created_at <= AT_ONCE]
    keys = [key for note in early for key in keys_in(note.text, [project])]
    return list(dict.fromkeys(keys))[:KEYS_AT_MOST]


def _fits(issue: Issue, incident: Incident, book: Rulebook) -> bool:
    fresh = issue.created_at is not None and issue.created_at >= incident.created_at - SKEW
    there = issue.project == book.project.key and issue.type_id == book.project.incident_type.id
    return fresh and there and issue.mark is None
