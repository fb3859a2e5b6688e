"""Create one ticket for every incident of a mapped service, and one note on the incident with its link.

QRPay runbook, "Incident Tracking": all incidents are tracked in Jira. An incident that was resolved before
the mapping's `enforce_from` gets no ticket, unless the mapping has `backfill: {tickets: all}`. With `coexist:
adopt` syncd waits for the ticket of PagerDuty's Jira app and adopts it. An adopted ticket gets the mark and
the labels of a created one.

A mapping can name noise rules for incidents without a ticket. QRPay's mapping has none, because its runbook
tracks all incidents.
"""

from __future__ import annotations

from datetime import datetime

from syncd.config.templates.text_limits import title_matches
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping.mapping import Coexist, NoiseRule
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import CreateTicket, EditTicket, LinkNote, Operation
from syncd.domain.operation.keys import ticket_key
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.marks import ticket_labels
from syncd.policy.roles import role_holders
from syncd.policy.severity import owes_postmortem

OTHER_TOOL_SECONDS = 60.0
"""The time after the trigger for which syncd waits for the other tool's ticket."""

MARKED = "mark"
"""In the agreed values of an adopted ticket: syncd has given it the mark and the labels."""


def wait_for_other(incident: Incident, now: datetime) -> float:
    """Return the seconds for which syncd still waits for the other tool's ticket."""
    since = (now - incident.created_at).total_seconds()
    # Our clock may be a little behind PagerDuty's. If it is far behind, syncd does not wait.
    return max(0.0, OTHER_TOOL_SECONDS - since) if since > -OTHER_TOOL_SECONDS else 0.0


def decide_ticket(case: Case, book: Rulebook) -> Decision:
    """Return the create of the ticket and the note with its link, each if it is missing."""
    incident = case.incident
    # The first day disturbs nobody. But a merge target needs a ticket for the links of its sources.
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
    # The create is on record but not confirmed: its outcome is the executor's work.
    if case.ticket is None and key not in case.once:
        operations.append(
            CreateTicket(
                incident=incident.id,
                restricted=case.restricted,
                roles=role_holders(case, book),
                reason=f"incident of {incident.service.name or incident.service.id} had no ticket",
            )
        )
    note = LinkNote(
        incident=incident.id,
        needs=() if case.ticket else (key,),
        reason="so that responders find the ticket from the incident",
    )
    # The first day disturbs nobody: an incident that was resolved before `enforce_from` gets no note.
    if not case.before_enforcement and note.key not in case.once:
        operations.append(note)
    return Decision(operations=tuple(operations))


def decide_mark(case: Case, book: Rulebook) -> Decision:
    """Return the edit that gives an adopted ticket the mark and the labels of a created one, once.

    By them a new ledger finds the ticket, and people find all issues of the incident.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None or ticket.origin != "adopted" or case.before_enforcement:
        return Decision()
    if issue.mark is not None or ticket.agreed.get(MARKED):
        return Decision()
    offered = book.project.offers("labels") and "labels" not in ticket.refused
    missing: list[JsonValue] = [
        label for label in ticket_labels(case.incident.id) if offered and label not in issue.labels
    ]
    edit = EditTicket(
        incident=case.incident.id,
        aspect=MARKED,
        fields={"labels": {"add": missing, "remove": []}} if missing else {},
        agree={MARKED: True},
        marks=True,
        reason="it was adopted as the incident's ticket",
    )
    return Decision(operations=(edit,))


def _counts_for_another(case: Case, book: Rulebook) -> bool:
    """Return True if an incident was merged into this one since the rules began."""
    begins = book.mapping.enforced_since
    sources = [source for source in case.merged_sources if source.until is None]
    return bool(case.merged_from) and (not sources or any(source.merged_at >= begins for source in sources))


def noise_rule(case: Case, book: Rulebook) -> tuple[NoiseRule, float | None] | None:
    """Return the noise rule that withholds the ticket, and the seconds until it may end; None: no rule."""
    # A ticket stays once it exists, a merge target needs one, and no restricted incident is noise.
    if case.ticket is not None or case.merged_from or case.restricted:
        return None
    if owes_postmortem(case.incident, book):
        return None
    for rule in book.mapping.noise:
        if not _matches(rule, case, book.section):
            continue
        if rule.resolved_within_minutes is None:
            return rule, None
        held, again = _waits(rule, case)
        if held:
            return rule, again
    return None


def _matches(rule: NoiseRule, case: Case, section: ServiceSection) -> bool:
    incident = case.incident
    if rule.services and not section.is_among(rule.services, incident.service):
        return False
    if rule.urgency is not None and incident.urgency != rule.urgency:
        return False
    return rule.title is None or title_matches(rule.title, incident.title) is True


def _waits(rule: NoiseRule, case: Case) -> tuple[bool, float | None]:
    """Return True while the rule holds, with the seconds that are left of its time limit."""
    incident = case.incident
    limit = 60.0 * (rule.resolved_within_minutes or 0)
    # An incident of high urgency, or one that a person acknowledged, is no noise.
    if incident.urgency != "low" or incident.status is IncidentStatus.ACKNOWLEDGED or case.now is None:
        return False, None
    over = incident.resolved_at or incident.status_changed_at
    if incident.status is IncidentStatus.RESOLVED:
        return over is not None and (over - incident.created_at).total_seconds() <= limit, None
    left = limit - (case.now - incident.created_at).total_seconds()
    return left > 0, left if left > 0 else None
