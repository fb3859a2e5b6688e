"""Decide the severity of an incident, by the first of these that names one.

They are priority, custom field, title prefix, service and urgency. People choose the first three for this
incident. A severity from the service or the urgency is *assumed*, and the ticket marks it so. QRPay runbook,
"Escalation Matrix"; Ramen runbook, "Severities".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection, SeveritySection
from syncd.policy.case import Rulebook


@dataclass(frozen=True, slots=True)
class Severity:
    """A decided severity: its name and section in the mapping, and the source that decided it."""

    name: str
    source: str
    section: SeveritySection

    @property
    def assumed(self) -> bool:
        """True if no person chose the severity for this incident."""
        return self.source in ("service", "urgency", "default")


def decide_severity(incident: Incident, mapping: Mapping, section: ServiceSection) -> Severity:
    """Return the severity of an incident by its team's mapping; every incident has one."""
    for source, named in _SOURCES:
        name = named(incident, mapping, section)
        if name is not None and name in mapping.severities:
            return Severity(name=name, source=source, section=mapping.severities[name])
    # Nothing names a severity: take the mildest, because a graver one may mail or page people.
    name = list(mapping.severities)[-1]
    return Severity(name=name, source="default", section=mapping.severities[name])


def owes_postmortem(incident: Incident, book: Rulebook) -> bool:
    """Return True if an incident owes a postmortem by its present severity or its service."""
    severity = decide_severity(incident, book.mapping, book.section)
    return book.mapping.owes_postmortem(severity.name, book.section)


def _by_priority(incident: Incident, mapping: Mapping, _section: ServiceSection) -> str | None:
    if incident.priority is None:
        return None
    priority = incident.priority.name.casefold()
    for name, section in mapping.severities.items():
        # twenty rules ask in each decision: a generator would cost three times as much
        for word in section.pagerduty:
            if priority == word.casefold():
                return name
    return None


def _by_field(incident: Incident, mapping: Mapping, _section: ServiceSection) -> str | None:
    if mapping.severity_field is None:
        return None
    value = (incident.custom_fields or {}).get(mapping.severity_field)
    return mapping.severity_named(value) if isinstance(value, str) else None


def title_word(title: str, mapping: Mapping) -> str | None:
    """Return the severity that a title names in square brackets at its start (`[SEV1]`), or None."""
    title = title.lstrip()
    if not title.startswith("["):
        return None
    word, closed, _rest = title[1:].partition("]")
    return mapping.severity_named(word) if closed else None


def _by_title(incident: Incident, mapping: Mapping, _section: ServiceSection) -> str | None:
    return title_word(incident.title, mapping)


def _by_service(_incident: Incident, _mapping: Mapping, section: ServiceSection) -> str | None:
    return section.severity


def _by_urgency(incident: Incident, mapping: Mapping, _section: ServiceSection) -> str | None:
    return next(
        (name for name, section in mapping.severities.items() if section.urgency == incident.urgency), None
    )


_SOURCES: tuple[tuple[str, Callable[[Incident, Mapping, ServiceSection], str | None]], ...] = (
    ("priority", _by_priority),
    ("field", _by_field),
    ("title", _by_title),
    ("service", _by_service),
    ("urgency", _by_urgency),
)
"""Where a severity may come from; the first that names one counts, so the others are not asked."""
