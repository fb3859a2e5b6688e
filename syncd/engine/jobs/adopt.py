"""Adopt an issue that a person made as an incident's ticket (`syncd adopt INCIDENT ISSUE`).

The rules: the issue stands in the mapped project, has the mapped type, and is nobody else's; the incident
has no ticket and is not restricted, because syncd makes such tickets under their security level. Every
refusal says what to do. From the adoption on, the ticket is as every other: syncd keeps what people wrote on
it and carries later changes over.
"""

from __future__ import annotations

import re

from loguru import logger

from syncd.domain.operation import op_of, ticket_key
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.masking import storage_rules
from syncd.engine.rulebook import book_for
from syncd.ledger.records import IncidentRecord, RequestRecord
from syncd.ledger.requests.waivers import Refused, Result
from syncd.ledger.store.adoptions import Reading, adopt_named, why_not_adopt
from syncd.ledger.store.lookups import display_name, incident_named
from syncd.policy.case import Rulebook
from syncd.remote.errors import RemoteError

_KEY = re.compile(r"[A-Z][A-Z0-9_]*-[1-9]\d*")


def adopt(context: EngineContext, request: RequestRecord) -> Result:
    """Adopt the issue that a request names, or say why not; with `dry_run` only look."""
    try:
        line, incidents = _adopt(context, request)
    except Refused as refused:
        return {"lines": [f"nothing changed: {refused}"], "incidents": [], "failed": True}
    except RemoteError as error:
        context.health.failed(error.service, error)
        return {"lines": [f"nothing changed: {error.describe()}"], "incidents": [], "failed": True}
    return {"lines": [line], "incidents": incidents, "failed": False}


def _adopt(context: EngineContext, request: RequestRecord) -> tuple[str, list[str]]:
    arguments, ledger = request.arguments, context.ledger
    incident, book = _incident(context, str(arguments["incident"]))
    name = display_name(ledger, incident.id)
    read_seq = ledger.logical_clock.next()
    issue = _issue(context, str(arguments["issue"]), incident, book)
    why_not = why_not_adopt(ledger, incident.id, issue)
    if why_not is not None:
        raise Refused(why_not)
    if arguments.get("dry_run"):
        return f"syncd would adopt {issue.key} as the ticket of incident {name}; nothing changed", []
    reading = Reading(read_seq, context.clock.now(), context.transport.date_of("jira"))
    rules = storage_rules(context)
    why_not = adopt_named(ledger, rules, incident.id, issue, reading, typed_by=request.asked_by)
    if why_not is not None:
        raise Refused(why_not)
    logger.info("{}: adopted {} as its ticket (`syncd adopt` by {})", name, issue.key, request.asked_by)
    line = f"{issue.key} is the ticket of incident {name} from now on; its fields stay as people wrote them"
    return line, [incident.id]


def _incident(context: EngineContext, name: str) -> tuple[IncidentRecord, Rulebook]:
    """Return the incident of an id, number or ticket key, with its rulebook; raise `Refused`."""
    incident = incident_named(context.ledger, name)
    if incident is None:
        raise Refused(f"{name} is no incident in this ledger; see: syncd status --all")
    known = f"incident {display_name(context.ledger, incident.id)}"
    why_not = why_not_adopt(context.ledger, incident.id)
    if why_not is not None:
        raise Refused(why_not)
    if incident.restricted:
        raise Refused(
            f"{known} is restricted: syncd makes its ticket itself, under its security level or as a stub"
        )
    try:
        book = book_for(context, incident, home=True)
    except MappingMismatch as error:
        raise Refused(
            f"the team of {known} is stopped: {'; '.join(error.problems)}; see: syncd check"
        ) from None
    if book is None:
        raise Refused(f"no mapping names the service of {known}; add it to `services` of a mapping first")
    return incident, book


def _issue(context: EngineContext, name: str, incident: IncidentRecord, book: Rulebook) -> Issue:
    """Return the issue of a key if it may be the incident's ticket; raise `Refused`, `RemoteError`."""
    key, project, kind = name.upper(), book.project.key, book.project.incident_type
    if not _KEY.fullmatch(key):
        raise Refused(f"{name} is no issue key; write it as {project}-12")
    fetched = context.fetch_by_id(key)
    if fetched.unread:
        raise Refused(f"Jira could not read {key} now: {'; '.join(fetched.unread.values())}; try again later")
    issue = next(iter(fetched.issues), None)
    if issue is None:
        raise Refused(f"Jira shows no issue {key} to syncd's account; check the key and who may browse it")
    if issue.project != project:
        raise Refused(
            f"{issue.key} is in the project {issue.project}, the tickets of {book.mapping.team} are in"
            f" {project}; move it there in Jira first"
        )
    if issue.type_id != kind.id:
        raise Refused(
            f"{issue.key} is a {issue.type_name or issue.type_id}, a ticket of {book.mapping.team} is of the"
            f" type {kind.name or kind.id}; change its type in Jira first"
        )
    if issue.mark is not None and issue.mark.op != op_of(ticket_key(incident.id)):
        raise Refused(
            f"syncd made {issue.key} itself, as something else than the ticket of incident #{incident.number}"
        )
    return issue
