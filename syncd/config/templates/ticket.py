"""Render a ticket's texts within Jira's limits, and build the variables of its template.

A template gets plain data of one incident, its team's mapping and its severity. Every text of the incident is
masked, short and on one line; templates escape it. `templates/README.md` lists the variables for people who
write templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Section
from dataclasses import dataclass, field
from typing import NamedTuple

from syncd.config.masks import mask
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import DESCRIPTION_LIMIT, cut, ticket_summary, title_matches
from syncd.domain.base import JsonValue
from syncd.domain.clock import in_utc
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import PlaybookSection, ServiceSection
from syncd.domain.role import Role, RoleHolder
from syncd.domain.text import one_line, utf16_len

LONGEST_TITLE = 1024
"""UTF-16 units; PagerDuty keeps no more of a title."""


@dataclass(frozen=True)
class Subject:
    """The subject of a ticket or postmortem: an incident, its team's mapping, severity and roles' holders.

    `restricted` is True for a restricted incident's ticket.
    """

    incident: Incident
    mapping: Mapping
    section: ServiceSection
    severity: str
    assumed: bool
    roles: Section[Role, RoleHolder] = field(default_factory=dict)
    restricted: bool = False


def ticket_context(subject: Subject) -> dict[str, JsonValue]:
    """Return the variables of a ticket's template.

    - `team`, `project`: the team's name and the key of its Jira project
    - `incident`: `id`, `number`, `title`, `status`, `urgency`, `priority` (its name or None), `url`,
      `triggered_at` and `resolved_at` (text in UTC; None while it is open), `assignees` (names),
      `escalation_policy` (name or None), `fields` (custom fields by name)
    - `service`: `name`, `component` and `owner` (None where the mapping has none)
    - `severity`: `name`, `assumed`, `definition`, `postmortem`
    - `roles`: a list of the mapping's roles, each with its name as `role`, who has it as `holder` (None while
      nobody has it), and `how` they got it
    - `named_by_lines`: True if people's lines name the holders; False for a restricted incident
    - `links`: a list of `name` and `url`: the incident, the service's, the team's
    - `playbook`: the chosen sections, each with `name`, `detect`, `actions`, `recovered_when`
    """
    incident, mapping, section = subject.incident, subject.mapping, subject.section
    return {
        "team": mapping.team,
        "project": mapping.jira.project,
        "incident": _incident(incident, mapping.redact.patterns),
        "service": {
            "name": cut(one_line(incident.service.name or incident.service.id), 255),
            "component": section.component,
            "owner": section.owner,
        },
        "severity": {
            "name": subject.severity,
            "assumed": subject.assumed,
            "definition": mapping.severities[subject.severity].definition,
            "postmortem": mapping.owes_postmortem(subject.severity, section),
        },
        "roles": [_role(role, subject.roles.get(role)) for role in mapping.roles_of(section)],
        # the ledger keeps no line about a role of a restricted incident
        "named_by_lines": not subject.restricted,
        "links": _links(incident, mapping, section),
        "playbook": [
            {
                "name": playbook_section.name,
                "detect": list(playbook_section.detect),
                "actions": list(playbook_section.actions),
                "recovered_when": list(playbook_section.recovered_when),
            }
            for playbook_section in choose_playbook(mapping, section, incident.title)
        ],
    }


def choose_playbook(mapping: Mapping, section: ServiceSection, title: str) -> tuple[PlaybookSection, ...]:
    """Return the playbook's sections for an incident's title, the team's before the service's.

    They are the sections whose pattern matches; if none matches, the sections without a pattern.
    """
    candidates = (*mapping.playbook, *section.playbook)
    matching = tuple(
        candidate
        for candidate in candidates
        if candidate.title is not None and title_matches(candidate.title, title) is True
    )
    return matching or tuple(candidate for candidate in candidates if candidate.title is None)


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


def _role(role: Role, holder: RoleHolder | None) -> JsonValue:
    if holder is None:
        return {"role": role.words.capitalize(), "holder": None, "how": ""}
    how = "; ".join(filter(None, (holder.how, holder.unclear)))
    return {"role": role.words.capitalize(), "holder": cut(one_line(holder.name), 255), "how": cut(how, 255)}


def _links(incident: Incident, mapping: Mapping, section: ServiceSection) -> list[JsonValue]:
    own: dict[str, str] = {}
    if incident.html_url:
        own[f"PagerDuty incident #{incident.number}"] = one_line(incident.html_url)
    channel = mapping.chat.channel_of(incident.number)
    if channel.startswith("#"):
        own[f"Channel {channel}"] = ""
    elif channel:
        own["Channel of the incident"] = channel
    return [{"name": name, "url": url} for name, url in (own | section.links | mapping.links).items()]


SHORTENED = "... (shortened; the incident in PagerDuty has the rest)"

_PAIRED = re.compile(
    r"(?<!\\)\{(code|noformat|quote|panel|color|expand|info|note|tip|warning)(?::[^}\n]*)?\}", re.IGNORECASE
)
_LITERAL = ("code", "noformat")


class RenderedTicket(NamedTuple):
    """The texts of a ticket, ready to send: a plain line, and wiki markup."""

    summary: str
    description: str


def render_ticket(templates: Templates, subject: Subject) -> RenderedTicket:
    """Render a ticket from its team's template.

    The summary has at most 255, the description at most 32,767 UTF-16 units. Raise `TemplateError`.
    """
    description = templates.render(subject.mapping.template, ticket_context(subject))
    summary = ticket_summary(subject.incident, subject.mapping)
    return RenderedTicket(summary, cut_markup(description.strip()))


def cut_markup(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """Return wiki markup cut after a whole line outside of all blocks, with a line that says so.

    Only blocks such as `{code}` span several lines, so a cut outside of them breaks no markup.
    """
    if utf16_len(text) <= limit:
        return text
    room = limit - utf16_len(SHORTENED) - 1
    lines = text.split("\n")
    used = keep = 0
    opened: list[str] = []
    for number, line in enumerate(lines):
        used += utf16_len(line) + 1
        if used > room:
            break
        _follow(line, opened)
        if not opened:
            keep = number + 1
    return "\n".join([*lines[:keep], SHORTENED])


def _follow(line: str, opened: list[str]) -> None:
    """Update the open blocks after a line; inside a literal block only its own end counts."""
    for match in _PAIRED.finditer(line):
        name = match[1].lower()
        if opened and opened[-1] == name:
            opened.pop()
        elif not opened or opened[-1] not in _LITERAL:
            opened.append(name)
