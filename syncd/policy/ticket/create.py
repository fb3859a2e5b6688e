"""Every incident of a mapped service has exactly one ticket, and says so in one note.

QRPay runbook, "Incident Tracking": all incidents are tracked in Jira. What was over before the
mapping's `enforce_from` gets no ticket unless asked for (rules: "Backfill is silent"). Where another tool
makes tickets, too, its ticket is waited for, and taken (`coexist: adopt`).
"""

from __future__ import annotations

from datetime import datetime

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Coexist
from syncd.domain.operation import CreateTicket, LinkNote, Operation
from syncd.domain.operation.keys import link_note_key, object_of_incident, object_of_ticket, ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.ticket.noise import noise_rule

OTHER_TOOL_SECONDS = 60.0
"""How long after the incident another tool's ticket is waited for (rules: "The ticket")."""


def wait_for_other(incident: Incident, now: datetime) -> float:
    """Seconds for which another tool's ticket is still waited for."""
    since = (now - incident.created_at).total_seconds()
    # our clock may stand a little behind the service's; where it is far off, nothing is held by it
    return max(0.0, OTHER_TOOL_SECONDS - since) if since > -OTHER_TOOL_SECONDS else 0.0


def decide_ticket(case: Case, book: Rulebook) -> Decision:
    """Given a case, return the create of its ticket and the note that names it, as far as missing."""
    incident = case.incident
    left_in_peace = case.before_enforcement and book.mapping.backfill.tickets == "open"
    if left_in_peace and case.ticket is None and not case.merged_from:
        return Decision()
    noise = noise_rule(case, book)
    if noise is not None:
        rule, again = noise
        return Decision(noise_rule=rule.name, again=again)
    if case.ticket is None and book.mapping.coexist is Coexist.ADOPT and case.now is not None:
        wait = wait_for_other(incident, case.now)
        if wait:
            return Decision(again=wait)
    operations: list[Operation] = []
    key = ticket_key(incident.id)
    if case.ticket is None and key not in case.once:
        operations.append(
            CreateTicket(
                key=key,
                incident=incident.id,
                object=object_of_ticket(incident.id),
                restricted=case.restricted,
                reason=f"incident of {incident.service.name or incident.service.id} has no ticket",
            )
        )
    link = link_note_key(incident.id)
    if not case.before_enforcement and link not in case.once:
        operations.append(
            LinkNote(
                key=link,
                incident=incident.id,
                object=object_of_incident(incident.id),
                needs=() if case.ticket else (key,),
                reason="responders find the ticket from the incident",
            )
        )
    return Decision(operations=tuple(operations))
