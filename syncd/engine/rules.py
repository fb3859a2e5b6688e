"""The rules in force: mappings and templates, which team has an incident, and their exchange at a reload."""

from __future__ import annotations

import threading
from collections.abc import Mapping as Holders
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol

from syncd.config.masks import mask
from syncd.config.templates.postmortem import render_postmortem
from syncd.config.templates.templates import Templates
from syncd.config.templates.texts import TextValues
from syncd.config.templates.ticket import Subject, cut_markup, render_ticket, ticket_context
from syncd.domain.base import JsonValue, Reference
from syncd.domain.incident import Incident
from syncd.domain.mapping.bindings import bound
from syncd.domain.mapping.mapping import Mapping, UnusableMapping, claim_of, mapping_of
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.postmortem import Story
from syncd.domain.role import Role, RoleHolder
from syncd.ledger.open import Ledger
from syncd.ledger.store.former_rules import former_rules
from syncd.ledger.store.key_values import service_bindings
from syncd.policy.case import Rulebook
from syncd.policy.severity import decide_severity

GRAVE = 2
"""The number of a mapping's first severities whose tickets go alone, at once."""


class Rank(IntEnum):
    """How soon an incident gets a worker; severities count from `GRAVEST` or `LIGHT` on, by their places."""

    LEVEL = 0
    """The ticket of a restricted incident lacks its security level."""
    MAILS = 1
    """Mails that concern no incident."""
    GRAVEST = 2
    """Also incidents of which nothing is known yet."""
    GRAVE = 9
    """The least rank of an incident that is grave."""
    NOTICE = 10
    """A notice about an incident that is not grave waits."""
    LIGHT = 20
    OVER = 100
    """Resolved incidents: nobody waits for their tickets."""


Roles = Holders[Role, RoleHolder]
"""Who fills the roles of an incident."""
Claim = tuple[Mapping, ServiceSection]
"""The mapping that claims a service, and its section about that service."""


class Renderer(Protocol):
    """Turns an incident into the text of its ticket and its postmortem."""

    def ticket(
        self, incident: Incident, book: Rulebook, roles: Roles, *, restricted: bool
    ) -> tuple[str, str]:
        """Return summary and description, escaped and within Jira's limits; `roles` are their holders."""
        ...

    def postmortem(self, incident: Incident, story: Story, book: Rulebook) -> tuple[str, str]:
        """Return summary and description of a postmortem, escaped and with room to write."""
        ...

    def named(self, template: str, context: dict[str, JsonValue]) -> str:
        """Return a description from a template by its name, within Jira's limits."""
        ...

    def inline(self, text: str, incident: Incident, book: Rulebook) -> str:
        """Return the value of a mapping's field template."""
        ...

    def text(self, template: str, values: TextValues) -> str:
        """Return the text for the chat or for customers that a template makes of these values."""
        ...

    def mask(self, text: str, book: Rulebook) -> str:
        """Return a person's text without card numbers, tokens and keys."""
        ...


class TicketRenderer:
    """Renders with the templates of the operator, else with the shipped ones."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def ticket(
        self, incident: Incident, book: Rulebook, roles: Roles, *, restricted: bool
    ) -> tuple[str, str]:
        """Return summary and description of a new ticket."""
        subject = replace(_subject(incident, book), roles=roles, restricted=restricted)
        return render_ticket(self._templates, subject)

    def postmortem(self, incident: Incident, story: Story, book: Rulebook) -> tuple[str, str]:
        """Return summary and description of a new postmortem."""
        return render_postmortem(self._templates, _subject(incident, book), story)

    def named(self, template: str, context: dict[str, JsonValue]) -> str:
        """Return a description from a template by its name."""
        return cut_markup(self._templates.render(template, context).strip())

    def inline(self, text: str, incident: Incident, book: Rulebook) -> str:
        """Return the rendered text of a field's template."""
        return self._templates.inline(text, ticket_context(_subject(incident, book)))

    def text(self, template: str, values: TextValues) -> str:
        """Return the text for the chat or for customers that a template makes of these values."""
        return self._templates.render(template, dict(values._asdict())).strip()

    def mask(self, text: str, book: Rulebook) -> str:
        """Return a text without card numbers, tokens and keys."""
        return mask(text, book.mapping.redact.patterns)


@dataclass(frozen=True)
class Rules:
    """The mappings and templates in force; a reload replaces them together.

    `former` are the last mappings of teams whose files are gone: they claim no service, and the incidents
    that these teams have go on by them. `lost` are such teams whose last mapping cannot be used.
    """

    mappings: tuple[Mapping, ...]
    renderer: Renderer
    unusable: tuple[UnusableMapping, ...] = ()
    former: tuple[Mapping, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def running(self) -> tuple[Mapping, ...]:
        """The loaded mappings and the former ones."""
        return self.mappings + self.former

    def mapping_of(self, team: str | None) -> Mapping | None:
        """Return the mapping of a team, its last one if its file is gone; None where it has none."""
        return mapping_of(self.running, team)

    def claim_of(self, service: Reference) -> Claim | None:
        """Return the mapping and section that claim a PagerDuty service, None where no mapping does."""
        claim = claim_of(self.mappings, service)
        # an id in a file wins over a name in another, also while the file cannot be used
        if claim is not None and claim[1].id != service.id and self._unusable_claim(service, by_id=True):
            return None
        return claim

    def _unusable_claim(self, service: Reference, *, by_id: bool) -> UnusableMapping | None:
        return next((file for file in self.unusable if file.claims(service, by_id=by_id)), None)

    def unusable_for(self, service: Reference | None, team: str | None) -> UnusableMapping | None:
        """Return the unusable file that claims a service, else that of the last team, else None."""
        if not self.unusable:
            return None
        if service is not None:
            if self.claim_of(service) is not None:
                return None
            claimed = self._unusable_claim(service, by_id=True) or self._unusable_claim(service, by_id=False)
            if claimed is not None:
                return claimed
        return next((file for file in self.unusable if team is not None and file.team == team), None)

    def claim_or_last(self, service: Reference, team: str | None) -> Claim | None:
        """Return the claim of a service; where none claims it, that of the incident's last team, if any.

        `team` had the incident before: it keeps one that was moved to a service that nobody claims, and all
        that it has when its file is gone.
        """
        claim, last = self.claim_of(service), self.mapping_of(team)
        if claim is not None or last is None:
            return claim
        # a former mapping still tells what its services were to it
        return last, (last.service(service) if last in self.former else None) or ServiceSection()

    def is_grave(self, team: str | None, severity: str | None) -> bool:
        """Return True for the first severities of a team's mapping; also where no mapping tells."""
        mapping = self.mapping_of(team)
        return mapping is None or severity in list(mapping.severities)[:GRAVE]

    def rank_of(self, incident: Incident, team: str | None = None) -> int:
        """Return the rank of an open incident by its severity, as PagerDuty or a webhook shows it."""
        claim = self.claim_or_last(incident.service, team)
        if claim is None:
            return Rank.GRAVEST
        return self.rank_at(claim[0].team, decide_severity(incident, *claim).name)

    def rank_at(self, team: str | None, severity: str | None) -> int:
        """Return the rank of open incidents of a severity; `OVER` where the mapping does not have it."""
        mapping = self.mapping_of(team)
        if mapping is None or severity not in mapping.severities:
            return Rank.OVER
        place = list(mapping.severities).index(severity)
        return (Rank.GRAVEST if place < GRAVE else Rank.LIGHT) + place


class RulesReference:
    """A reference to the rules in force; a caller that took them before a swap finishes with the old ones."""

    def __init__(self, rules: Rules) -> None:
        self._current = rules
        self._lock = threading.Lock()

    @property
    def current(self) -> Rules:
        """The rules in force now."""
        return self._current

    def swap(self, rules: Rules) -> None:
        """Put other rules into force, all of them at once."""
        with self._lock:
            self._current = rules

    def exchange(self, expected: Rules, rules: Rules) -> bool:
        """Put other rules into force if the `expected` ones still are; return False if not."""
        with self._lock:
            exchanged = self._current is expected
            if exchanged:
                self._current = rules
        return exchanged


def completed_from(ledger: Ledger, rules: Rules) -> Rules:
    """Return the rules with what the ledger knows: ids of PagerDuty services, and the former mappings."""
    bindings = service_bindings(ledger)
    loaded = {mapping.team for mapping in rules.mappings}
    former = former_rules(ledger, loaded, [file.team for file in rules.unusable])
    return replace(
        rules,
        mappings=bound(rules.mappings, bindings),
        former=bound([each.mapping for each in former if each.mapping is not None], bindings),
        lost=tuple(each.team for each in former if each.mapping is None),
    )


def _subject(incident: Incident, book: Rulebook) -> Subject:
    severity = decide_severity(incident, book.mapping, book.section)
    return Subject(incident, book.mapping, book.section, severity.name, severity.assumed)
