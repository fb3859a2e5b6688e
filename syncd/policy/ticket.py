"""Every incident of a mapped service has exactly one ticket, and says so in one note.

QRPay runbook, "Incident Tracking": all incidents are tracked in Jira. What was over before the
mapping's `enforce_from` gets no ticket unless asked for (rules: "Backfill is silent").
"""

from __future__ import annotations

from syncd.domain.operation import Kind, Operation, ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.noise import noise_rule


def decide_ticket(case: Case, book: Rulebook) -> Decision:
    """Given a case, return the create of its ticket and the note that names it, as far as missing."""
    incident = case.incident
    left_in_peace = case.silent and book.mapping.backfill.tickets == "open"
    if left_in_peace and case.ticket is None and not case.merged_from:
        return Decision()
    noise = noise_rule(case, book)
    if noise is not None:
        rule, again = noise
        return Decision(silence=rule.name, again=again)
    operations = []
    key = ticket_key(incident.id)
    if case.ticket is None and key not in case.once:
        operations.append(
            Operation(
                key=key,
                kind=Kind.CREATE_TICKET,
                incident=incident.id,
                object=f"ticket:{incident.id}",
                meaning={"restricted": True} if case.restricted else {},
                reason=f"incident of {incident.service.name or incident.service.id} has no ticket",
            )
        )
    link = f"link-note/{incident.id}"
    if not case.silent and link not in case.once:
        operations.append(
            Operation(
                key=link,
                kind=Kind.LINK_NOTE,
                incident=incident.id,
                object=f"incident:{incident.id}",
                needs=() if case.ticket else (key,),
                reason="responders find the ticket from the incident",
            )
        )
    return Decision(operations=tuple(operations))
