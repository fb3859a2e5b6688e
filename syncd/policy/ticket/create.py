"""Every incident of a mapped service has exactly one ticket, and says so in one note.

QRPay runbook, "Incident Tracking": all incidents are tracked in Jira. What was over before the
mapping's `enforce_from` gets no ticket unless asked for (rules: "The first day disturbs nobody"). Where
another tool makes tickets, too, its ticket is waited for, and taken (`coexist: adopt`).

Noise by the mapping's own rules has no ticket. A rule never touches what owes a postmortem, nor what is
restricted. One that waits for an early resolve holds low urgency only, and ends at the acknowledge. What
rises above a rule gets its ticket; what has one keeps it (rules: "The ticket"). QRPay ships no noise rule:
its runbook tracks all incidents.
"""

from __future__ import annotations

from datetime import datetime

from syncd.config.templates.text_limits import title_matches
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping.mapping import Coexist, NoiseRule
from syncd.domain.operation import CreateTicket, LinkNote, Operation
from syncd.domain.operation.keys import ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.severity import owes_postmortem

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
    if left_in_peace and case.ticket is None and not _counts_for_another(case, book):
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
                incident=incident.id,
                restricted=case.restricted,
                reason=f"incident of {incident.service.name or incident.service.id} has no ticket",
            )
        )
    note = LinkNote(
        incident=incident.id,
        needs=() if case.ticket else (key,),
        reason="responders find the ticket from the incident",
    )
    if not case.before_enforcement and note.key not in case.once:
        operations.append(note)
    return Decision(operations=tuple(operations))


def _counts_for_another(case: Case, book: Rulebook) -> bool:
    """Return True if an incident was merged into this one since the rules began."""
    begins, sources = book.mapping.enforced_since, case.merged_sources
    return bool(case.merged_from) and (not sources or any(source.merged_at >= begins for source in sources))


def noise_rule(case: Case, book: Rulebook) -> tuple[NoiseRule, float | None] | None:
    """The rule that keeps the ticket back, and in how many seconds to look again; None: no rule does."""
    if case.ticket is not None or case.merged_from or case.restricted:
        return None
    if owes_postmortem(case.incident, book):
        return None
    for rule in book.mapping.noise:
        if not _matches(rule, case):
            continue
        if rule.resolved_within_minutes is None:
            return rule, None
        held, again = _waits(rule, case)
        if held:
            return rule, again
    return None


def _matches(rule: NoiseRule, case: Case) -> bool:
    incident = case.incident
    if (
        rule.services
        and incident.service.name not in rule.services
        and incident.service.id not in rule.services
    ):
        return False
    if rule.urgency is not None and incident.urgency != rule.urgency:
        return False
    return rule.title is None or title_matches(rule.title, incident.title)


def _waits(rule: NoiseRule, case: Case) -> tuple[bool, float | None]:
    """Whether an early resolve is still waited for, or has come; and the seconds that are left."""
    incident = case.incident
    limit = 60.0 * (rule.resolved_within_minutes or 0)
    if incident.urgency != "low" or incident.status is IncidentStatus.ACKNOWLEDGED or case.now is None:
        return False, None
    over = incident.resolved_at or incident.status_changed_at
    if incident.status is IncidentStatus.RESOLVED:
        return over is not None and (over - incident.created_at).total_seconds() <= limit, None
    left = limit - (case.now - incident.created_at).total_seconds()
    return left > 0, left if left > 0 else None
