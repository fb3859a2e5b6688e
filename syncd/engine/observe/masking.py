"""Mask incidents, notes and issues by the patterns of their team, before they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncd.config.masks import mask
from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Mapping as TeamMapping
from syncd.domain.mapping.mapping import ServiceSection
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.ledger.store.tables import IncidentRow


def masked_incident(incident: Incident, patterns: Mapping[str, str]) -> Incident:
    """The incident without card numbers, tokens, keys and what the team's patterns name."""

    def clean(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [clean(one) for one in value]
        return mask(value, patterns) if isinstance(value, str) else value

    fields = incident.custom_fields
    return incident.model_copy(
        update={
            "title": mask(incident.title, patterns),
            "incident_key": mask(incident.incident_key, patterns) if incident.incident_key else None,
            "custom_fields": None if fields is None else {name: clean(one) for name, one in fields.items()},
        }
    )


def masked_notes(desk: Desk, row: IncidentRow, notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes without what must not be stored."""
    patterns = _patterns(_named(desk, row.team))
    return tuple(note.model_copy(update={"text": mask(note.text, patterns)}) for note in notes)


def masked_issue(issue: Issue, patterns: Mapping[str, str]) -> Issue:
    """The ticket with its comments and summary masked; people may have typed what must not be stored."""
    comments = issue.comments
    if comments is not None:
        comments = tuple(one.model_copy(update={"body": mask(one.body, patterns)}) for one in comments)
    return issue.model_copy(update={"summary": mask(issue.summary, patterns), "comments": comments})


def _patterns(mapping: TeamMapping | None) -> Mapping[str, str]:
    return mapping.redact.patterns if mapping else {}


def _named(desk: Desk, team: str | None) -> TeamMapping | None:
    return next((one for one in desk.mappings if one.team == team), None)


def _team(desk: Desk, incident: Incident, team: str | None) -> tuple[TeamMapping | None, ServiceSection]:
    found = desk.team_of(incident.service.id, incident.service.name)
    return found or (_named(desk, team), ServiceSection())
