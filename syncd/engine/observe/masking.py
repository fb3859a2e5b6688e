"""Decide what the ledger may store of a read: each team's masks, and its rules for restricted incidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncd.config.masks import mask
from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import Incident, Note, Restriction
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.mapping.mapping import Mapping as TeamMapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.rules import Rules
from syncd.policy.follow_ups.table_parser import follow_ups_in
from syncd.policy.restricted import (
    UNJUDGED,
    UNREAD,
    lacks_facts,
    restricted_by,
    restricted_by_person,
    withheld,
)


@dataclass(frozen=True)
class TeamRules:
    """The rules in force for storing (`syncd.ledger.store.intake.StorageRules`)."""

    rules: Rules

    def claimed_by(self, incident: Incident) -> str | None:
        """Return the team whose mapping names the incident's service, None where none does."""
        claim = self.rules.claim_of(incident.service)
        return claim[0].team if claim else None

    def stopped(self, team: str | None, service: Reference | None = None) -> bool:
        """Return True if the rules for a service, or else of a team, are not known now."""
        return self.rules.unusable_for(service, team) is not None

    def incident(
        self, incident: Incident, team: str | None, restricted: bool, provisional: bool
    ) -> tuple[Incident, Restriction | None]:
        """Return what is stored of an incident, and why its rules restrict it (None: they do not)."""
        mapping, section = self.rules.claim_or_last(incident.service, team) or (None, ServiceSection())
        # without a mapping nothing ends a provisional restriction
        why = Restriction(why=UNJUDGED, provisional=True) if provisional else None
        if mapping is not None:
            why = None if restricted else restricted_by(incident, mapping, section)
            if why is None and provisional and lacks_facts(incident, mapping):
                # a list shows less than the read by id that failed
                why = Restriction(why=UNREAD, provisional=True)
        masked = masked_incident(incident, _patterns(mapping))
        return (withheld(masked, mapping) if restricted or why else masked), why

    def withheld(self, incident: Incident, team: str | None) -> Incident:
        """Return a restricted incident without its texts."""
        return withheld(incident, self.rules.mapping_of(team))

    def restricted_by_person(self, issue: Issue, team: str | None) -> str | None:
        """Return how a person said on the ticket that its incident is restricted, None where nobody did."""
        mapping = self.rules.mapping_of(team)
        return restricted_by_person(issue, mapping) if mapping is not None else None

    def issue(self, issue: Issue, team: str | None) -> Issue:
        """Return an issue with its comments and summary masked."""
        return masked_issue(issue, _patterns(self.rules.mapping_of(team)))

    def notes(self, notes: Iterable[Note], team: str | None) -> tuple[Note, ...]:
        """Return notes without what must not be stored."""
        return tuple(note.model_copy(update={"text": self.text(note.text, team)}) for note in notes)

    def text(self, text: str, team: str | None) -> str:
        """Return a text without what must not be stored."""
        return mask(text, _patterns(self.rules.mapping_of(team)))

    def follow_ups(self, description: str, team: str | None) -> list[dict[str, JsonValue]]:
        """Return the rows of the table of follow-ups in a postmortem's description, masked."""
        return follow_ups_in(self.text(description, team))

    def membership(self, team: str | None) -> FollowUps | None:
        """Return the team's rules about follow-ups, None where it has no mapping."""
        mapping = self.rules.mapping_of(team)
        return mapping.follow_ups if mapping is not None else None


def storage_rules(context: EngineContext) -> TeamRules:
    """Return the rules in force about what is stored."""
    return TeamRules(context.rules.current)


def masked_incident(incident: Incident, patterns: Mapping[str, str]) -> Incident:
    """Return the incident without card numbers, tokens, keys and what the team's patterns name."""

    def clean(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [clean(part) for part in value]
        return mask(value, patterns) if isinstance(value, str) else value

    fields = incident.custom_fields
    return incident.model_copy(
        update={
            "title": mask(incident.title, patterns),
            "incident_key": mask(incident.incident_key, patterns) if incident.incident_key else None,
            "custom_fields": None
            if fields is None
            else {name: clean(value) for name, value in fields.items()},
        }
    )


def masked_issue(issue: Issue, patterns: Mapping[str, str]) -> Issue:
    """Return the ticket with comments and summary masked; people may have typed what must not be stored."""
    comments = issue.comments
    if comments is not None:
        comments = tuple(
            comment.model_copy(update={"body": mask(comment.body, patterns)}) for comment in comments
        )
    return issue.model_copy(update={"summary": mask(issue.summary, patterns), "comments": comments})


def _patterns(mapping: TeamMapping | None) -> Mapping[str, str]:
    return mapping.redact.patterns if mapping else {}
