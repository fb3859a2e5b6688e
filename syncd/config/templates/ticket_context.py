"""What a ticket's template may say: plain data of one incident, its team's mapping and its severity.

Every text that comes from the incident is on one line, masked, and short; templates escape it.
`templates/README.md` lists these variables for the people who write templates.
"""

from __future__ import annotations

from collections.abc import Mapping as Section
from datetime import datetime

from syncd.config.masks import mask
from syncd.config.templates.text_limits import cut, summary_line, title_matches
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import PlaybookSection, ServiceSection
from syncd.domain.text import one_line

LONGEST_TITLE = 1024
"""UTF-16 units, as many as PagerDuty keeps of a title."""


def ticket_context(
    incident: Incident, mapping: Mapping, section: ServiceSection, severity: str, assumed: bool
) -> dict[str, JsonValue]:
    """Given an incident and what the mapping says of it, return the variables of its ticket's template.

    - `team`, `project`: the team's name and the key of its Jira project
    - `incident`: `id`, `number`, `title`, `status`, `urgency`, `priority` (its name or None), `url`,
      `triggered_at` and `resolved_at` (text in UTC; None while it is open), `assignees` (names),
      `escalation_policy` (name or None), `fields` (custom fields by name)
    - `service`: `name`, `component` and `owner` (None where the mapping has none)
    - `severity`: `name`, `assumed`, `definition`, `postmortem`
    - `links`: a list of `name` and `url`: the incident, the service's, the team's
    - `playbook`: the chosen sections, each with `name`, `detect`, `actions`, `recovered_when`
    """
    said = mapping.severities[severity]
    return {
        "team": mapping.team,
        "project": mapping.jira.project,
        "incident": _incident(incident, mapping.redact.patterns),
        "service": {
            "name": one_line(incident.service.name or incident.service.id),
            "component": section.component,
            "owner": section.owner,
        },
        "severity": {
            "name": severity,
            "assumed": assumed,
            "definition": said.definition,
            "postmortem": mapping.owes_postmortem(severity, section),
        },
        "links": _links(incident, mapping, section),
        "playbook": [
            {
                "name": one.name,
                "detect": list(one.detect),
                "actions": list(one.actions),
                "recovered_when": list(one.recovered_when),
            }
            for one in choose_playbook(mapping, section, incident.title)
        ],
    }


def ticket_summary(incident: Incident, mapping: Mapping) -> str:
    """The ticket's summary: the title masked, on one line, at most 255 UTF-16 units, never empty."""
    title = mask(one_line(incident.title), mapping.redact.patterns)
    return summary_line(title) or f"Incident #{incident.number}"


def choose_playbook(mapping: Mapping, section: ServiceSection, title: str) -> tuple[PlaybookSection, ...]:
    """The sections of the playbook for an incident's title, the team's own before the service's.

    Those whose pattern matches; where none does, the ones without a pattern.
    """
    every = (*mapping.playbook, *section.playbook)
    matching = tuple(one for one in every if one.title is not None and title_matches(one.title, title))
    return matching or tuple(one for one in every if one.title is None)


def _incident(incident: Incident, patterns: Section[str, str]) -> dict[str, JsonValue]:
    def text(value: str, limit: int = 255) -> str:
        return cut(mask(one_line(value), patterns), limit)

    policy, priority = incident.escalation_policy, incident.priority
    return {
        "id": incident.id,
        "number": incident.number,
        "title": text(incident.title, LONGEST_TITLE) or f"Incident #{incident.number}",
        "status": str(incident.status),
        "urgency": incident.urgency,
        "priority": text(priority.name or priority.id) if priority else None,
        "url": one_line(incident.html_url),
        "triggered_at": in_utc(incident.created_at),
        "resolved_at": in_utc(incident.resolved_at) if incident.resolved_at else None,
        "assignees": [text(person.name or person.id) for person in incident.assignees],
        "escalation_policy": text(policy.name or policy.id) if policy else None,
        "fields": {
            name: text(value, LONGEST_TITLE) if isinstance(value, str) else value
            for name, value in (incident.custom_fields or {}).items()
            if value is None or isinstance(value, (str, int, float))
        },
    }


def _links(incident: Incident, mapping: Mapping, section: ServiceSection) -> list[JsonValue]:
    own: dict[str, str] = {}
    if incident.html_url:
        own[f"PagerDuty incident #{incident.number}"] = one_line(incident.html_url)
    return [{"name": name, "url": url} for name, url in (own | section.links | mapping.links).items()]


def in_utc(moment: datetime) -> str:
    """A moment as people read it, to the minute: `2026-11-22 05:12 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
