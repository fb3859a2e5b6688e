"""A ticket's summary and description, within Jira's limits and never with broken markup."""

from __future__ import annotations

import re
from dataclasses import dataclass

from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import DESCRIPTION_LIMIT
from syncd.config.templates.ticket_context import ticket_context, ticket_summary
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.text import utf16_len

SHORTENED = "... (shortened; the incident in PagerDuty has the rest)"

_PAIRED = re.compile(
    r"(?<!\\)\{(code|noformat|quote|panel|color|expand|info|note|tip|warning)(?::[^}\n]*)?\}", re.IGNORECASE
)
_LITERAL = ("code", "noformat")


@dataclass(frozen=True)
class RenderedTicket:
    """The texts of a ticket, ready to be sent: a plain line, and wiki markup."""

    summary: str
    description: str


def render_ticket(
    templates: Templates,
    incident: Incident,
    mapping: Mapping,
    section: ServiceSection,
    severity: str,
    assumed: bool,
) -> RenderedTicket:
    """Render a ticket from its team's template.

    The summary has at most 255, the description at most 32,767 UTF-16 units. Raises `TemplateError`.
    """
    context = ticket_context(incident, mapping, section, severity, assumed)
    description = templates.render(mapping.template, context)
    return RenderedTicket(ticket_summary(incident, mapping), cut_markup(description.strip()))


def cut_markup(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """Given wiki markup, return it cut after a whole line with no block left open, and say so.

    Wiki markup spans lines only in blocks such as `{code}`, so a cut outside of them breaks nothing.
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
    """Note the blocks that a line opens and closes; inside of literal blocks nothing else counts."""
    for match in _PAIRED.finditer(line):
        name = match[1].lower()
        if opened and opened[-1] == name:
            opened.pop()
        elif not opened or opened[-1] not in _LITERAL:
            opened.append(name)
