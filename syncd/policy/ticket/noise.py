"""Which incidents are noise by the mapping's own rules, and so have no ticket.

A rule never touches what owes a postmortem, nor what is restricted. One that waits for an early resolve
holds low urgency only, and ends at the acknowledge. What rises above a rule gets its ticket; what has one
keeps it (rules: "The ticket"). QRPay ships no noise rule: its runbook tracks all incidents.
"""

from __future__ import annotations

from syncd.config.templates.text_limits import title_matches
from syncd.domain.incident import IncidentStatus
from syncd.domain.mapping.mapping import NoiseRule
from syncd.policy.case import Case, Rulebook
from syncd.policy.severity import owes_postmortem


def noise_rule(case: Case, book: Rulebook) -> tuple[NoiseRule, float | None] | None:
    """The rule that keeps the ticket back, and in how many seconds to look again; None: no rule does."""
    if case.ticket is not None or case.merged_from or case.restricted:
        return None
    if owes_postmortem(case.incident, book):
        return None
    for rule in book.mapping.noise:
        if not _matches(rule, case, book):
            continue
        if rule.resolved_within_minutes is None:
            return rule, None
        held, again = _waits(rule, case)
        if held:
            return rule, again
    return None


def _matches(rule: NoiseRule, case: Case, book: Rulebook) -> bool:
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
