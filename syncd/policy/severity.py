"""How bad an incident is: the first of priority, custom field, title prefix, service, urgency that says it.

Only the priority, the custom field and a title prefix were chosen by somebody for this incident; what
the service or the urgency says is *assumed*, and marked so on the ticket (rules: "Severity").
"""

from __future__ import annotations

from syncd.domain.base import Value
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection, SeveritySection
from syncd.policy.case import Rulebook


class Severity(Value):
    """A decided severity: its name in the mapping, what decided it, whether it is assumed."""

    name: str
    source: str
    section: SeveritySection

    @property
    def assumed(self) -> bool:
        """Whether nobody chose it for this incident."""
        return self.source in ("service", "urgency", "default")


def decide_severity(incident: Incident, mapping: Mapping, section: ServiceSection) -> Severity:
    """Given an incident and its team's mapping, return its severity; there always is one."""
    for source, name in (
        ("priority", _by_priority(incident, mapping)),
        ("field", _by_field(incident, mapping)),
        ("title", title_word(incident.title, mapping)),
        ("service", section.severity),
        ("urgency", _by_urgency(incident, mapping)),
    ):
        if name is not None and name in mapping.severities:
            return Severity(name=name, source=source, section=mapping.severities[name])
    name = list(mapping.severities)[-1]
    return Severity(name=name, source="default", section=mapping.severities[name])


def owes_postmortem(incident: Incident, book: Rulebook) -> bool:
    """Whether an incident owes a postmortem, for its severity or for its service."""
    severity = decide_severity(incident, book.mapping, book.section)
    return book.mapping.owes_postmortem(severity.name, book.section)


def _by_priority(incident: Incident, mapping: Mapping) -> str | None:
    if incident.priority is None:
        return None
    said = incident.priority.name.casefold()
    for name, section in mapping.severities.items():
        if said in {word.casefold() for word in section.pagerduty}:
            return name
    return None


def _by_field(incident: Incident, mapping: Mapping) -> str | None:
    if mapping.severity_field is None:
        return None
    value = (incident.custom_fields or {}).get(mapping.severity_field)
    return mapping.severity_named(value) if isinstance(value, str) else None


def title_word(title: str, mapping: Mapping) -> str | None:
    """The severity that a title names in square brackets before everything else, None where it names none."""
    title = title.lstrip()
    if not title.startswith("["):
        return None
    word, closed, _rest = title[1:].partition("]")
    return mapping.severity_named(word) if closed else None


def _by_urgency(incident: Incident, mapping: Mapping) -> str | None:
    return next(
        (name for name, section in mapping.severities.items() if section.urgency == incident.urgency), None
    )
