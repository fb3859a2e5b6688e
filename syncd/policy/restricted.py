"""Which incidents only a few may read, and what of them may be kept outside their ticket.

Restricted from the moment that anyone says so: the severity, the service, the incident's type, its title, or
a person with a security level or the label on the ticket. It is never taken back (rules: "Restricted
incidents"): the ledger remembers it, and these functions only ever find a reason. The level is written once,
before everything else; a person who changes it afterwards has the last word on the ticket, while the incident
stays restricted everywhere else.
"""

from __future__ import annotations

from syncd.config.templates.text_limits import title_matches
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, stub_title
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import EditTicket, FillRestrictedStub
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.severity import decide_severity, title_word

LABEL = "restricted"
ASPECT = "security"
STUB = "stub"
"""What is agreed on a ticket that names nothing but the incident's number."""
KEPT = "kept"
"""The value of `STUB` where a person wrote on it, so that it stays one."""
_TOLD = "security told"
LEFT = "restricted"
"""The rule of remarks that the security lead has to hear of."""


def restricted_by(incident: Incident, mapping: Mapping, section: ServiceSection) -> str | None:
    """Which of the mapping's rules makes the incident restricted, in words without its text; None: none."""
    rules, service = mapping.restricted, incident.service
    if service.id in rules.services or service.name in rules.services:
        return f"service {service.name or service.id}"
    kind = (incident.incident_type or "").casefold()
    if kind and kind in {one.casefold() for one in rules.incident_types}:
        return "incident type"
    if any(title_matches(pattern, incident.title) for pattern in rules.titles):
        return "title"
    severity = decide_severity(incident, mapping, section)
    return f"severity {severity.name}" if severity.section.restricted else None


def restricted_by_person(issue: Issue, mapping: Mapping) -> str | None:
    """What on its ticket makes the incident restricted: the label or a security level; None: nothing."""
    if LABEL in {label.casefold() for label in issue.labels}:
        return f"label {LABEL}"
    return "security level" if _secured(issue, mapping) else None


def _secured(issue: Issue, mapping: Mapping) -> bool:
    level = issue.security_level
    ordinary = {name.casefold() for name in mapping.restricted.ordinary_levels}
    return level is not None and level.name.casefold() not in ordinary


def level_of(mapping: Mapping, project: ResolvedProject) -> Reference | None:
    """The first of the mapping's levels that our account may set in the project, None where there is none."""
    there = {name.casefold(): Reference(id=ident, name=name) for name, ident in project.security.items()}
    wanted = (name.casefold() for name in mapping.restricted.level)
    return next((there[name] for name in wanted if name in there), None)


def withheld(incident: Incident, mapping: Mapping | None) -> Incident:
    """What may be kept of a restricted incident: everything but its texts.

    What decides its severity stays, as far as it is a word of the mapping: the prefix of the title, and the
    custom field that names one.
    """
    kept = incident.custom_fields
    word = title_word(incident.title, mapping) if mapping else None
    if kept is not None:
        name = mapping.severity_field if mapping else None
        value = kept.get(name) if name else None
        known = mapping is not None and isinstance(value, str) and mapping.severity_named(value)
        kept = {name: value} if name and known else {}
    title = stub_title(incident.number)
    return incident.model_copy(
        update={
            "title": f"[{word}] {title}" if word else title,
            "incident_key": None,
            "custom_fields": kept,
        }
    )


def decide_level(case: Case, book: Rulebook) -> Decision:
    """Given a restricted incident whose ticket was read, return the edit that puts it under the level.

    Nothing once a level was seen there, but a stub under a level is given its full text. Without a level that
    our account may set, that is left on record once, so that the security lead hears of it.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if not case.restricted or ticket is None or issue is None:
        return Decision()
    if issue.project == book.mapping.restricted.project:
        return Decision()
    secured = _secured(issue, book.mapping)
    if ASPECT in ticket.agreed:
        return _fill(case) if secured and ticket.agreed.get(STUB) is True else Decision()
    if secured and issue.security_level is not None:
        return Decision(agreed={ASPECT: issue.security_level.id})
    level = level_of(book.mapping, book.project)
    if level is None:
        why = "syncd's account may set no level of the mapping, so its ticket is as it was"
        return Decision() if ticket.agreed.get(STUB) else _comment_once(case, why)
    return Decision(
        operations=(
            EditTicket(
                incident=case.incident.id,
                aspect=ASPECT,
                fields={"security": {"id": level.id}},
                agree={},
                reason="the incident is restricted",
            ),
        )
    )


def _fill(case: Case) -> Decision:
    fill = FillRestrictedStub(
        incident=case.incident.id,
        aspect=STUB,
        reason="the stub stands under its security level now",
    )
    return Decision(operations=(fill,))


def _comment_once(case: Case, why: str) -> Decision:
    told = case.ticket is None or _TOLD in case.ticket.agreed
    return Decision() if told else Decision(agreed={_TOLD: True}, remarks=(Remark(rule=LEFT, reason=why),))
