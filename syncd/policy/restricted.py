"""Decide which incidents only a few people may read, and put their tickets under a security level.

Ramen runbook, "Security/PII incident". An incident is restricted as soon as its severity, service, type or
title says so, or a person sets a security level or the label on the ticket. It stays restricted: the ledger
remembers it, and these functions only find reasons for it. If a pattern takes too long on a title, or a fact
that a rule needs cannot be read, the incident is restricted provisionally, until a judgement decides.

syncd writes the level once, before everything else. A person who changes the level later has the last word on
the ticket; everywhere else the incident stays restricted.
"""

from __future__ import annotations

from syncd.config.templates.text_limits import title_matches
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, Restriction, stub_title
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import EditTicket, FillRestrictedStub
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Issue
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.roles import role_holders
from syncd.policy.severity import decide_severity, title_word

LABEL = "restricted"
ASPECT = "security"
STUB = "stub"
"""In the agreed values of a ticket: True while it holds nothing but the incident's number."""
STUB_TEXT = "stub text"
"""In the agreed values of a ticket: a hash of the words that the stub has."""
KEPT = "kept"
"""The value of `STUB` where a person edited the stub, so that syncd never fills it."""
_TOLD = "security told"
SLOW = "a pattern of restricted.titles took too long on its title"
"""A reason of a provisional restriction."""
UNREAD = "PagerDuty did not show its type or its fields, which may restrict it"
"""The other reason: a read by the incident's id failed, and nothing else shows them."""
UNJUDGED = f"{SLOW}, or {UNREAD}"
PROVISIONAL = f"{UNJUDGED}; so syncd treats it as restricted for now and writes a stub without its texts"
"""The reason as the security lead is told."""
LEFT = "restricted"
"""The rule of remarks that syncd mails to the security lead."""


def restricted_by(incident: Incident, mapping: Mapping, section: ServiceSection) -> Restriction | None:
    """Return why the mapping's rules restrict the incident, in words without its texts; None: no rule does.

    A pattern that takes too long decides nothing alone: another rule may restrict the incident for certain.
    """
    rules, service = mapping.restricted, incident.service
    if section.is_among(rules.services, service):
        return Restriction(why=f"service {service.name or service.id}")
    kind = (incident.incident_type or "").casefold()
    if kind and kind in {name.casefold() for name in rules.incident_types}:
        return Restriction(why="incident type")
    severity = decide_severity(incident, mapping, section)
    if severity.section.restricted:
        return Restriction(why=f"severity {severity.name}")
    matches = {title_matches(pattern, incident.title) for pattern in rules.titles}
    if True in matches:
        return Restriction(why="title")
    return Restriction(why=SLOW, provisional=True) if None in matches else None


def lacks_facts(incident: Incident, mapping: Mapping) -> bool:
    """Return True if a rule needs a fact that only a read by the incident's id shows, and none did."""
    by_field = any(section.restricted for section in mapping.severities.values())
    fields = by_field and mapping.severity_field is not None and incident.custom_fields is None
    return fields or (bool(mapping.restricted.incident_types) and incident.incident_type is None)


def is_stub(case: Case) -> bool:
    """Return True if the ticket is a stub, to which syncd carries nothing of its incident.

    A stub that a person edited stays one while its incident is restricted.
    """
    stub = case.ticket.agreed.get(STUB) if case.ticket else None
    return stub is True or (case.restricted and bool(stub))


def restricted_by_person(issue: Issue, mapping: Mapping) -> str | None:
    """Return the part of the ticket that restricts the incident: its label or its level; None: neither."""
    if LABEL in {label.casefold() for label in issue.labels}:
        return f"label {LABEL}"
    return "security level" if _secured(issue, mapping) else None


def _secured(issue: Issue, mapping: Mapping) -> bool:
    level = issue.security_level
    # Some projects give every ticket a level by default; such a level says nothing about this incident.
    ordinary = {name.casefold() for name in mapping.restricted.ordinary_levels}
    return level is not None and level.name.casefold() not in ordinary


def level_of(mapping: Mapping, project: ResolvedProject) -> Reference | None:
    """Return the first of the mapping's levels that syncd's account may set in the project, or None."""
    settable = {name.casefold(): Reference(id=ident, name=name) for name, ident in project.security.items()}
    names = (name.casefold() for name in mapping.restricted.level)
    return next((settable[name] for name in names if name in settable), None)


def withheld(incident: Incident, mapping: Mapping | None) -> Incident:
    """Return a restricted incident without its texts, as the ledger may keep it.

    The title's prefix and the custom field that name a severity stay, if the mapping knows the word: without
    them a later decision would find another severity.
    """
    fields = incident.custom_fields
    word = title_word(incident.title, mapping) if mapping else None
    if fields is not None:
        name = mapping.severity_field if mapping else None
        value = fields.get(name) if name else None
        # Any other value may be an incident's text.
        is_severity = mapping is not None and isinstance(value, str) and mapping.severity_named(value)
        fields = {name: value} if name and is_severity else {}
    title = stub_title(incident.number)
    return incident.model_copy(
        update={
            "title": f"[{word}] {title}" if word else title,
            "incident_key": None,
            "custom_fields": fields,
        }
    )


def decide_level(case: Case, book: Rulebook) -> Decision:
    """Return the edit that puts the ticket of a restricted incident under its security level.

    Once the ticket had a level, only a stub under a level is filled with its texts. If syncd's account may
    set no level, a remark records that once, and syncd mails it to the security lead. A provisional
    restriction sets no level; where it ended, the stub is filled.
    """
    ticket, issue = case.ticket, case.ticket.issue if case.ticket else None
    if ticket is None or issue is None:
        return Decision()
    if not case.restricted:
        why = "the incident is not restricted, so syncd adds its texts"
        return _fill(case, book, why) if ticket.agreed.get(STUB) is True else Decision()
    if case.provisional:
        return Decision() if ticket.agreed.get(STUB) else _remark_once(case, PROVISIONAL)
    # A project that only a few people see protects the ticket without a level.
    if issue.project == book.mapping.restricted.project:
        return Decision()
    secured = _secured(issue, book.mapping)
    # The level was set once, so a person who removed it since has the last word.
    if ASPECT in ticket.agreed:
        why = "the ticket has its security level now, so syncd adds its texts"
        return _fill(case, book, why) if secured and ticket.agreed.get(STUB) is True else Decision()
    if secured and issue.security_level is not None:
        return Decision(agreed={ASPECT: issue.security_level.id})
    level = level_of(book.mapping, book.project)
    if level is None:
        why = "syncd's account may set no level of the mapping, so the ticket has no security level"
        # A stub holds no text that a level would have to protect.
        return Decision() if ticket.agreed.get(STUB) else _remark_once(case, why)
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


def _fill(case: Case, book: Rulebook, why: str) -> Decision:
    roles = role_holders(case, book)
    fill = FillRestrictedStub(incident=case.incident.id, aspect=STUB, roles=roles, reason=why)
    return Decision(operations=(fill,))


def _remark_once(case: Case, why: str) -> Decision:
    told = case.ticket is None or _TOLD in case.ticket.agreed
    return Decision() if told else Decision(agreed={_TOLD: True}, remarks=(Remark(rule=LEFT, reason=why),))
